"""What is refused before anything is created: one line each, naming option, value and cure; all at once."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CONSENT = ("high_volume", "danger", "reproduce")
#: Extra var -> (its value, what its line says). All of them are given in one run.
WRONG = {
    "namespaces_total": (-3, "namespaces_total: -3 is not allowed; it must be 1 to 100,000"),
    "namespaces_parallel": ("many", "namespaces_parallel: 'many' is not a whole number, 1 to 10,000"),
    "namespaces_prefix": ("Not_A_Label", "namespaces_prefix: 'Not_A_Label' is not allowed; lower-case letters"),
    "namespaces_ready_timeout": (True, "namespaces_ready_timeout: True is not a whole number"),
    "deployments_per_namespace": (
        10**9,
        "deployments_per_namespace: 1000000000 is not allowed; it must be 0 to 10,000",
    ),
    "deployments_service_enabled": ("perhaps", "deployments_service_enabled: 'perhaps' is not true or false"),
    "deployments_requests": ({"cpu": "much"}, "deployments_requests: cpu 'much' is not allowed"),
    "deployments_image": ("a\nb", r"deployments_image: 'a\nb' is not an image"),
    "statefulsets_requests": ({"memory": "65Mi"}, "statefulsets_requests: memory 65Mi is more than the limit of 64Mi"),
    "statefulsets_replicas": ([3], "statefulsets_replicas: [3] is not a whole number"),
    "connectivity_resolve": ("guess", "connectivity_resolve: 'guess' is not allowed; choose one of address, dns"),
    "build_jobs_processes": (86, "build_jobs_processes: 86 is not allowed; it must be 60 to 85"),
    "build_jobs_time_scale": ("0", "build_jobs_time_scale: 0.0 is not allowed; it must be more than 0, up to 100"),
    "build_jobs_active_per_namespace": (
        30,
        "build_jobs_active_per_namespace: 30 is more than build_jobs_per_namespace",
    ),
    "build_jobs_ttl": ("{{ no_such_variable }}", "build_jobs_ttl: 'no_such_variable' is undefined"),
    "run_id": (
        "x" * 64,
        f"run_id: '{'x' * 64}' is not allowed; lower-case letters, digits and hyphens, first and last",
    ),
    "run_burst": (5, "run_burst: 5 has no effect without run_qps"),
    "run_tolerations": ("[{broken", "run_tolerations: '[{broken' is not a list"),
    "run_node_selector": ({"a b": "c"}, "run_node_selector: 'a b' is not a key"),
    "build_jobs_procesess": (70, "build_jobs_procesess: no role of kubestress.core has such a variable; did you mean"),
    "namespace_total": (
        3,
        "namespace_total: no role of kubestress.core has such a variable; did you mean namespaces_total",
    ),
    "kubestress_kubconfig": ("/x", "kubestress_kubconfig: no role of kubestress.core has such a variable"),
}


def test_everything_that_is_wrong_is_told_at_once(cluster_free_playbook, tmp_path: Path) -> None:
    given = {name: value for name, (value, _told) in WRONG.items()}
    done = cluster_free_playbook("kubestress.core.stress", "-e", "profile=safe", extra_vars=given, cwd=tmp_path)
    assert done.rc != 0
    assert f"{len(WRONG)} settings are refused, and nothing was created:" in done.output
    message = json.loads(done.stdout.split("FAILED! => ")[1].splitlines()[0])["msg"]
    lines = message.splitlines()[1:]
    for name, (_value, told) in WRONG.items():
        assert sum(told in line for line in lines) == 1, f"{name}: {lines}"
    assert list(tmp_path.iterdir()) == [], "a refused run leaves no file"


def test_a_prefix_that_is_too_long_with_its_index(cluster_free_playbook, tmp_path: Path) -> None:
    prefix = "a" * 61
    arguments = ("-e", "profile=safe", "-e", f"namespaces_prefix={prefix}")
    done = cluster_free_playbook("kubestress.core.stress", *arguments, cwd=tmp_path)
    assert done.rc != 0
    assert (
        "is 61 characters long; with the index of the last of 10 namespaces, -10, at most 60 are allowed" in done.output
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        ((), {}, "profile: none is given; -e profile=NAME with one of conservative, danger, defaults, high"),
        (("-e", "profile="), {}, "profile: none is given"),
        (("-e", "profile=sfae"), {}, "profile: 'sfae' is unknown; did you mean safe? Known are conservative, danger"),
        (("-e", "profile=none.yml"), {}, "profile: there is no file none.yml"),
        (
            ("-e", "profile=typo.yml"),
            {},
            "namespaces_totl: the profile typo sets it, and no role has such a variable; did",
        ),
        (("-e", "profile=broken.yml"), {}, "broken.yml is not YAML: "),
        (("-e", "profile=list.yml"), {}, "list.yml: a profile has variables and their values"),
        (
            ("-e", "profile=wrong.yml"),
            {},
            "namespaces_total: 'few' is not a whole number, 1 to 100,000 (from the profile",
        ),
        (
            ("-e", "profile=safe"),
            {"TOTAL_NAMESPACES": "ten"},
            "namespaces_total: 'ten' is not a whole number, 1 to 100,000 (from the environment variable TOTAL_NAM",
        ),
    ],
)
def test_profile_or_environment(cluster_free_playbook, tmp_path: Path, arguments, environment, told) -> None:
    (tmp_path / "typo.yml").write_text("namespaces_totl: 3\n")
    (tmp_path / "broken.yml").write_text("namespaces_total: [\n")
    (tmp_path / "list.yml").write_text("- namespaces_total\n")
    (tmp_path / "wrong.yml").write_text("namespaces_total: few\n")
    done = cluster_free_playbook("kubestress.core.stress", *arguments, cwd=tmp_path, env=environment)
    assert done.rc != 0
    assert told in done.output
    assert not (tmp_path / "kubestress-results").exists()


def test_names_that_may_be_somebody_elses_are_only_warned_of(cluster_free_playbook, tmp_path: Path) -> None:
    """Our roles inside a playbook whose inventory has variables that begin with `run_` and `report_`, too."""
    playbook = tmp_path / "theirs.yml"
    playbook.write_text("""
- hosts: localhost
  gather_facts: false
  vars: {run_nightly_backup: true, report_recipients: [a]}
  roles: [kubestress.core.run]
""")
    done = cluster_free_playbook(playbook, cwd=tmp_path)
    assert done.rc == 0, done.output
    assert "run_nightly_backup: no role of kubestress.core has such a variable" in " ".join(done.output.split())
    silent = cluster_free_playbook(playbook, "-e", "run_unknown_variables=ignore", cwd=tmp_path)
    assert silent.rc == 0
    assert "run_nightly_backup" not in silent.output
    refused = cluster_free_playbook(playbook, "-e", "report_subject=x", cwd=tmp_path)
    assert refused.rc != 0
    assert "report_subject: no role of kubestress.core has such a variable" in refused.output
    assert "run_unknown_variables=warn lets it pass" in refused.output


def test_several_hosts_are_refused(cluster_free_playbook, tmp_path: Path) -> None:
    arguments = ("-i", "a,b", "-e", "kubestress_hosts=all", "-e", "profile=safe")
    done = cluster_free_playbook("kubestress.core.stress", *arguments, cwd=tmp_path)
    assert done.rc != 0
    assert "kubestress_hosts: all stands for 2 hosts" in done.output
    assert list(tmp_path.iterdir()) == []
