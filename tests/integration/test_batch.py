"""The module batch on a real API server: what it makes, refuses, tells and leaves behind."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.modules.batch import EXAMPLES, RETURN
from helpers.batches import NAMESPACES, config_maps, deployments, failures, jobs, measured, obj, run_batch
from helpers.commands import command_environment
from helpers.waiting import until


def create(kubectl: Callable[..., Any], *objects: dict[str, Any]) -> None:
    """Create objects as a stranger would."""
    for each in objects:
        kubectl("create", "-f", "-", stdin=json.dumps(each))


def namespace(name: str, **labels: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def counts(result: dict[str, Any], kind: str) -> tuple[int | None, ...]:
    """Return requested, created, unchanged, failed, ready."""
    return tuple(result["objects"][kind][word] for word in ("requested", "created", "unchanged", "failed", "ready"))


def test_present_again_patched_and_absent(kubeconfig: Path, kubectl, run_id: str, prefix: str):
    """The life of a run's objects: made, found unchanged, patched, deleted; a second call changes nothing."""
    plan = {"kubeconfig": str(kubeconfig), "run_id": run_id, "namespace_prefix": prefix, "namespace_total": 2}
    everything = [NAMESPACES, config_maps(5), deployments(2)]

    made = run_batch(**plan, fragments=everything, labels={"team": "a"})
    assert (made["failed"], made["changed"]) == (False, True), made["msg"]
    assert counts(made, "Namespace") == (2, 2, 0, 0, 2)
    assert counts(made, "ConfigMap") == (14, 14, 0, 0, 14)
    assert counts(made, "Deployment") == (4, 4, 0, 0, 4)
    assert made["requests"]["create"]["Deployment"]["count"] == 4
    for kind in ("namespaces", "configmaps", "deployments", "pods"):
        selector = (
            f"kubestress.core/run-id={run_id},app.kubernetes.io/managed-by=kubestress,deployment-test=true,team=a"
        )
        found = kubectl("get", kind, "-A", "-l", selector)["items"]
        assert len(found) == {"namespaces": 2, "configmaps": 14, "deployments": 4, "pods": 4}[kind], kind

    again = run_batch(**plan, fragments=everything, labels={"team": "a"})
    assert (again["failed"], again["changed"]) == (False, False), again["msg"]
    assert counts(again, "ConfigMap") == (14, 0, 14, 0, 14)
    assert counts(again, "Deployment") == (4, 0, 4, 0, 4)

    change = {**config_maps(5), "steps": [[obj("ConfigMap", "c-{{ index }}", data={"more": "{{ index }}"})]]}
    for patch_type in ("merge", "strategic", "apply"):
        change["steps"][0][0]["definition"]["data"] = {patch_type: "{{ index }}"}
        for changed in (True, False):
            result = run_batch(**plan, fragments=[change], state="patched", patch_type=patch_type, labels={"team": "a"})
            assert (result["failed"], result["changed"]) == (False, changed), (patch_type, result["msg"])
    data = kubectl("get", "configmap", f"-n={prefix}-2", "c-3")["data"]
    assert data == {"key": f"{prefix}-2/3", "merge": "3", "strategic": "3", "apply": "3"}

    for deleted in (10, 0):
        gone = run_batch(**plan, fragments=[config_maps(5)], state="absent")
        assert (gone["failed"], gone["changed"]) == (False, bool(deleted)), gone["msg"]
        assert gone["objects"]["ConfigMap"].get("deleted", 0) == deleted
        assert gone["objects"]["ConfigMap"]["unchanged"] == 10 - deleted
    left = kubectl("get", "configmaps", f"-n={prefix}-1", "-l", f"kubestress.core/run-id={run_id}")["items"]
    assert [each["metadata"]["name"] for each in left] == ["d-1", "d-2"]


@pytest.mark.parametrize("state", ["present", "patched", "absent"])
def test_what_is_not_ours_is_refused_by_name_and_stays_untouched(
    kubeconfig: Path, kubectl, run_id: str, prefix: str, state: str
):
    name = f"{prefix}-1"
    other = {"kubestress.core/run-id": "other-run", "app.kubernetes.io/managed-by": "kubestress"}
    create(
        kubectl,
        namespace(name, **{"kubestress.core/run-id": run_id}),
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c-1", "namespace": name, "labels": other}},
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c-2", "namespace": name}},
    )
    before = kubectl("get", "configmaps", f"-n={name}", "c-1", "c-2")["items"]
    result = run_batch(
        kubeconfig=str(kubeconfig),
        run_id=run_id,
        namespaces=[name],
        existing_namespaces=[name],
        state=state,
        fragments=[config_maps(2)],
        wait_timeout=20,
    )
    assert kubectl("get", "configmaps", f"-n={name}", "c-1", "c-2")["items"] == before
    assert result["failed"]
    assert "2 of 2 objects failed, first ConfigMap c-" in result["msg"]
    assert result["failures"]["by_reason"] == {"NotOurs": 2}
    messages = {row["name"]: row["message"] for row in result["first_failures"]}
    assert "exists already and belongs to run other-run" in messages["c-1"]
    assert "exists already and was not made by kubestress" in messages["c-2"]


def test_a_namespace_of_another_run_is_refused_with_all_that_was_to_go_into_it(
    kubeconfig: Path, kubectl, run_id: str, prefix: str
):
    labels = {"kubestress.core/run-id": f"{run_id}-x", "app.kubernetes.io/managed-by": "kubestress"}
    create(kubectl, namespace(f"{prefix}-2", **labels))
    result = run_batch(
        kubeconfig=str(kubeconfig),
        run_id=run_id,
        preflight="skip",
        namespace_prefix=prefix,
        namespace_total=2,
        fragments=[NAMESPACES, config_maps(3)],
    )
    kubectl("delete", "namespace", f"{prefix}-2", "--wait=false")
    assert result["failed"]
    assert f"Namespace {prefix}-2: Namespace {prefix}-2 exists already and belongs to run {run_id}-x" in result["msg"]
    assert counts(result, "ConfigMap") == (6, 3, 0, 3, 3)
    assert result["failures"]["by_reason"] == {"NotOurs": 1, "DependencyFailed": 3}


def test_check_mode_counts_and_sends_nothing(kubeconfig: Path, kubectl, run_id: str, prefix: str):
    plan = {"kubeconfig": str(kubeconfig), "run_id": run_id, "namespace_prefix": prefix, "namespace_total": 3}
    result = run_batch(**plan, fragments=[NAMESPACES, config_maps(4), jobs(2)], check_mode=True)
    assert (result["failed"], result["changed"]) == (False, True)
    assert {kind: counts(result, kind) for kind in result["objects"]} == {
        "ConfigMap": (12, 12, 0, 0, None), "Job": (6, 6, 0, 0, None), "Namespace": (3, 3, 0, 0, None)
    }  # fmt: skip
    assert kubectl("get", "namespaces", "-l", f"kubestress.core/run-id={run_id}")["items"] == []

    unknown = {
        "role": "x",
        "steps": [[{"definition": {"apiVersion": "v1", "kind": "Nope", "metadata": {"name": "n"}}}]],
    }
    result = run_batch(**plan, fragments=[unknown], check_mode=True)
    assert result["failed"]
    assert "no Nope in v1" in result["msg"]


def test_check_mode_tells_what_exists_from_what_is_missing(
    kubeconfig: Path, kubectl, tmp_path: Path, run_id: str, prefix: str
):
    ledger = tmp_path / "jobs.jsonl"
    plan = {"kubeconfig": str(kubeconfig), "run_id": run_id, "namespace_prefix": prefix, "ledger": str(ledger)}
    everything = [NAMESPACES, config_maps(4), jobs(2)]
    made = run_batch(**plan, namespace_total=2, fragments=everything)
    assert not made["failed"], made["msg"]

    same = run_batch(**plan, namespace_total=2, fragments=everything, check_mode=True)
    assert (same["failed"], same["changed"]) == (False, False), same["msg"]
    assert counts(same, "ConfigMap") == (8, 0, 8, 0, None)
    documented = set(yaml.safe_load(RETURN)) - {"preflight"}
    assert documented <= set(same), documented - set(same)

    # One more namespace, and two that were deleted; a Job that its TTL has removed is not made again.
    kubectl("delete", "configmap", f"-n={prefix}-1", "c-2", "c-3")
    kubectl("delete", "job", f"-n={prefix}-1", "j-1")
    more = run_batch(**plan, namespace_total=3, fragments=everything, check_mode=True)
    assert (more["failed"], more["changed"]) == (False, True)
    assert counts(more, "Namespace") == (3, 1, 2, 0, None)
    assert counts(more, "ConfigMap") == (12, 6, 6, 0, None)
    assert counts(more, "Job") == (6, 2, 4, 0, None)

    gone = run_batch(**plan, namespace_total=2, fragments=[config_maps(4)], state="absent", check_mode=True)
    assert (gone["changed"], gone["objects"]["ConfigMap"]["deleted"]) == (True, 6)
    patched = run_batch(**plan, namespace_total=2, fragments=[config_maps(4)], state="patched", check_mode=True)
    assert (patched["failed"], patched["changed"], patched["objects"]["ConfigMap"]["patched"]) == (False, True, 8)
    (warning,) = [text for text in patched["warnings"] if "to patch" in text]
    assert warning.startswith(f"2 objects to patch do not exist, first ConfigMap {prefix}-1/c-2: ")
    assert len(kubectl("get", "configmaps", "-A", "-l", f"kubestress.core/run-id={run_id}")["items"]) == 6


def test_an_exhausted_quota_fails_by_name_and_everything_else_is_made_and_listed(
    kubeconfig: Path, kubectl, tmp_path: Path, run_id: str, prefix: str
):
    name = f"{prefix}-1"
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "small", "namespace": name}}
    create(
        kubectl, namespace(name, **{"kubestress.core/run-id": run_id}), quota | {"spec": {"hard": {"configmaps": "5"}}}
    )
    began = time.monotonic()
    result = run_batch(
        kubeconfig=str(kubeconfig),
        run_id=run_id,
        preflight="skip",
        namespaces=[name],
        existing_namespaces=[name],
        fragments=[config_maps(10), jobs(2)],
        results_dir=str(tmp_path),
        max_concurrent=1,
    )
    assert time.monotonic() - began < 90, "not after the 120 s of retry_deadline"
    stored = {each["metadata"]["name"] for each in kubectl("get", "configmaps", f"-n={name}")["items"]}
    ours = {each for each in stored if each.startswith("c-")}
    assert result["failed"]
    assert f"in {name}: " in result["msg"]
    assert "exceeded quota: small" in result["msg"]
    assert counts(result, "ConfigMap") == (10, len(ours), 0, 10 - len(ours), len(ours))
    assert counts(result, "Job") == (2, 2, 0, 0, 2)
    assert 0 < len(ours) <= 5
    rows = failures(tmp_path)
    assert {row["name"] for row in rows} == {f"c-{number}" for number in range(1, 11)} - ours
    assert {row["reason"] for row in rows} == {"QuotaExceeded"}


def test_a_missing_permission_is_told_and_not_retried(kubeconfig: Path, kubectl, run_id: str, prefix: str):
    create(kubectl, namespace(f"{prefix}-1", **{"kubestress.core/run-id": run_id}))
    began = time.monotonic()
    result = run_batch(
        kubeconfig=str(kubeconfig),
        impersonate_user="nobody-in-particular",
        impersonate_groups=["system:authenticated"],
        run_id=run_id,
        preflight="skip",
        namespaces=[f"{prefix}-1"],
        existing_namespaces=[f"{prefix}-1"],
        fragments=[config_maps(3)],
    )
    assert time.monotonic() - began < 60, "not after the 120 s of retry_deadline"
    assert result["failed"]
    assert "3 of 3 objects failed, first ConfigMap c-" in result["msg"]
    assert 'User "nobody-in-particular" cannot create resource "configmaps"' in result["msg"]
    assert result["rate"]["retries"] == {}
    assert result["failures"]["by_reason"] == {"Forbidden": 3}


def test_what_may_be_made_but_not_watched_ends_at_once_and_says_so(kubeconfig: Path, kubectl, run_id: str, prefix: str):
    name = f"{prefix}-1"
    user = f"maker-{prefix}"
    api = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": "maker", "namespace": name}}
    rule = {"apiGroups": ["", "batch"], "resources": ["jobs", "configmaps"], "verbs": ["create", "get"]}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": user}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "maker"}
    create(
        kubectl,
        namespace(name, **{"kubestress.core/run-id": run_id}),
        {**api, "kind": "Role", "rules": [rule]},
        {**api, "kind": "RoleBinding", "subjects": [subject], "roleRef": reference},
    )
    began = time.monotonic()
    result = run_batch(
        kubeconfig=str(kubeconfig),
        impersonate_user=user,
        impersonate_groups=["system:authenticated"],
        run_id=run_id,
        preflight="skip",
        namespaces=[name],
        existing_namespaces=[name],
        fragments=[jobs(2)],
    )
    assert time.monotonic() - began < 60, "not after the 120 s of retry_deadline"
    assert result["failed"]
    assert "aborted: the state of the objects can no longer be watched: " in result["msg"]
    assert 'cannot list resource "jobs"' in result["msg"]


def certificate_of_somebody_else(folder: Path) -> Path:
    """Return a CA that has signed nothing here."""
    path = folder / "other-ca.crt"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=somebody-else", "-days", "1"]
    subprocess.run([*command, "-keyout", folder / "key", "-out", path], check=True, capture_output=True, timeout=240)
    return path


@pytest.mark.parametrize(
    "case", ["nobody listens", "never answers", "untrusted", "no kubeconfig", "wrong token", "no TLS"]
)
def test_a_server_that_cannot_be_used_is_told_in_one_line_and_soon(
    kubeconfig: Path, tmp_path: Path, run_id: str, case: str
):
    document = yaml.safe_load(kubeconfig.read_text())
    server = document["clusters"][0]["cluster"]["server"]
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        options, words = {
            "nobody listens": ({"host": "http://127.0.0.1:9"}, "cannot be reached: http://127.0.0.1:9"),
            "never answers": ({"host": f"http://127.0.0.1:{port}"}, "no answer in time"),
            "untrusted": (
                {"kubeconfig": str(kubeconfig), "ca_cert": str(certificate_of_somebody_else(tmp_path))},
                "TLS failed",
            ),
            "no kubeconfig": ({"kubeconfig": "/nowhere/config"}, "kubeconfig: no file at /nowhere/config"),
            "wrong token": (
                {"host": server, "api_key": "wrong", "validate_certs": False},
                f"{server}: Unauthorized: the API server does not accept the token of the option api_key; ",
            ),
            "no TLS": ({"host": server.replace("https", "http")}, "HTTP request to an HTTPS server"),
        }[case]
        began = time.monotonic()
        result = run_batch(run_id=run_id, namespaces=["a"], fragments=[config_maps(1)], **options)
    assert time.monotonic() - began < 60, "not after the 120 s of retry_deadline"
    assert result["failed"]
    assert words in result["msg"]
    assert "\n" not in result["msg"]
    assert "objects" not in result


def test_a_timeout_names_what_is_not_ready_and_why(kubeconfig: Path, tmp_path: Path, run_id: str, prefix: str):
    broken = deployments(2, simulate={"simulate": "image-pull-failure"}, ready_timeout=4)
    result = run_batch(
        kubeconfig=str(kubeconfig),
        run_id=run_id,
        namespaces=[f"{prefix}-1"],
        fragments=[NAMESPACES, broken, {**config_maps(3)}],
        results_dir=str(tmp_path),
    )
    assert result["failed"]
    assert "2 not ready, first Deployment d-" in result["msg"]
    assert "ImagePull" in result["msg"]
    assert result["not_ready_total"] == 2
    for row in result["not_ready"]:
        assert (row["kind"], row["namespace"]) == ("Deployment", f"{prefix}-1")
        assert "ImagePullBackOff" in row["cause"] or "ErrImagePull" in row["cause"]
    assert counts(result, "ConfigMap") == (5, 5, 0, 0, 5)
    assert {(row["name"], row["reason"]) for row in failures(tmp_path)} == {("d-1", "NotReady"), ("d-2", "NotReady")}
    assert measured(tmp_path)["objects"] == result["objects"]


def test_a_role_that_nobody_waits_for_neither_holds_up_nor_fails_the_batch(kubeconfig: Path, run_id: str, prefix: str):
    """Its kind is watched all the same, for the sake of the other role."""
    never_ready = deployments(2, simulate={"simulate": "image-pull-failure"}, ready=False, role="unwatched")
    never_ready["steps"] = [[obj("Deployment", "u-{{ index }}", spec=never_ready["steps"][1][0]["definition"]["spec"])]]
    began = time.monotonic()
    result = run_batch(
        kubeconfig=str(kubeconfig),
        run_id=run_id,
        namespaces=[f"{prefix}-1"],
        fragments=[NAMESPACES, never_ready, deployments(2)],
    )
    assert not result["failed"], result["msg"]
    assert time.monotonic() - began < 200, "not after the time to get ready"
    assert counts(result, "Deployment") == (4, 4, 0, 0, 4)


def test_objects_that_lie_in_no_namespace_are_waited_for_and_removed(
    kubeconfig: Path, kubectl, run_id: str, prefix: str
):
    spec = {"capacity": {"storage": "1Mi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}}
    plan = {
        "kubeconfig": str(kubeconfig),
        "run_id": run_id,
        "namespaces": [f"{prefix}-1"],
        "fragments": [{"role": "volumes", "count": 2, "ready_timeout": 20, "steps": [
            [obj("PersistentVolume", f"{prefix}-{{{{ index }}}}", spec=spec)]
        ]}],
    }  # fmt: skip
    made = run_batch(**plan)
    gone = run_batch(**plan, state="absent")
    assert not made["failed"], made["msg"]
    assert counts(made, "PersistentVolume") == (2, 2, 0, 0, 2)
    assert not gone["failed"], gone["msg"]
    assert kubectl("get", "persistentvolumes", "-l", f"kubestress.core/run-id={run_id}")["items"] == []


def test_a_definition_and_its_objects_in_one_batch(kubeconfig: Path, kubectl, run_id: str, prefix: str):
    """The definition is made once and waited for, and needs no namespace; its objects lie in each."""
    group, schema = f"{prefix}.example", {"openAPIV3Schema": {"type": "object"}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"things.{group}"},
        "spec": {
            "group": group,
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    thing = {"apiVersion": f"{group}/v1", "kind": "Thing", "metadata": {"name": "t-{{ index }}"}}
    plan = {
        "kubeconfig": str(kubeconfig),
        "run_id": run_id,
        "namespaces": [f"{prefix}-1", f"{prefix}-2"],
        "fragments": [
            {"role": "definitions", "steps": [{"definition": definition}]},
            NAMESPACES,
            {"role": "things", "count": 5, "steps": [{"definition": thing}], "after": ["definitions"]},
        ],
    }
    looked = run_batch(**plan, check_mode=True)
    made = run_batch(**plan)
    alone = run_batch(kubeconfig=str(kubeconfig), run_id=run_id, fragments=plan["fragments"][:1])
    stored = kubectl("get", f"things.{group}", "-A")["items"]
    kubectl("delete", "customresourcedefinitions", f"things.{group}")
    assert not looked["failed"], looked["msg"]
    assert looked["objects"]["CustomResourceDefinition"]["requested"] == 1
    assert looked["objects"]["CustomResourceDefinition"]["created"] == 1
    assert looked["objects"]["Thing"]["created"] == 10
    assert not made["failed"], made["msg"]
    assert counts(made, "CustomResourceDefinition") == (1, 1, 0, 0, 1)
    assert counts(made, "Thing") == (10, 10, 0, 0, 10)
    assert len(stored) == 10
    assert counts(alone, "CustomResourceDefinition") == (1, 0, 1, 0, 1), alone["msg"]


def test_what_lies_in_namespaces_is_not_made_once(kubeconfig: Path, run_id: str):
    fragment = {"role": "maps", "scope": "run", "steps": [obj("ConfigMap", "x")]}
    result = run_batch(kubeconfig=str(kubeconfig), run_id=run_id, fragments=[fragment])
    assert "(role maps).scope: run, but a ConfigMap of v1 lies in a namespace" in result["msg"]


def test_what_a_finalizer_holds_is_not_called_gone(kubeconfig: Path, kubectl, run_id: str, prefix: str):
    name = f"{prefix}-1"
    plan = {"kubeconfig": str(kubeconfig), "run_id": run_id, "namespaces": [name]}
    made = run_batch(**plan, fragments=[NAMESPACES, config_maps(2)])
    assert not made["failed"], made["msg"]
    kubectl("patch", "configmap", f"-n={name}", "c-1", "-p", '{"metadata": {"finalizers": ["example.com/hold"]}}')
    result = run_batch(**plan, fragments=[config_maps(2)], state="absent", wait_timeout=3)
    kubectl("patch", "configmap", f"-n={name}", "c-1", "-p", '{"metadata": {"finalizers": null}}')
    assert result["failed"]
    assert result["msg"] == f"1 not ready, first ConfigMap c-1 in {name}: held by finalizer example.com/hold"


def test_a_job_that_fails_ends_the_wait_for_it(kubeconfig: Path, tmp_path: Path, run_id: str, prefix: str):
    began = time.monotonic()
    result = run_batch(
        kubeconfig=str(kubeconfig),
        run_id=run_id,
        namespaces=[f"{prefix}-1"],
        fragments=[NAMESPACES, jobs(2, active=1, simulate={"simulate": "crash"}, ready_timeout=300)],
        results_dir=str(tmp_path),
    )
    assert time.monotonic() - began < 200, "not after the time to get ready"
    assert result["failed"]
    assert "2 not ready, first Job j-1 in" in result["msg"]
    assert "BackoffLimitExceeded" in result["msg"]
    assert (result["jobs"]["complete"], result["jobs"]["failed"]) == (0, 2)
    assert result["pods"]["failed"] == 2
    assert [row["failed_pods"][0]["reason"] for row in measured(tmp_path)["namespaces"]] == ["exit 1"]
    assert {row["kind"] for row in failures(tmp_path)} == {"Job", "Pod"}


def test_a_member_whose_template_fails_ends_the_run_with_its_words_and_what_was_made(
    kubeconfig: Path, tmp_path: Path, run_id: str, prefix: str
):
    """The first and the last member render: only on the way does the second one show the fault."""
    data = {"key": "{{ 6 // ((index - 2) | abs) }}"}
    odd = {"role": "odd", "count": 3, "steps": [[obj("ConfigMap", "o-{{ index }}", data=data)]]}
    result = run_batch(
        kubeconfig=str(kubeconfig),
        run_id=run_id,
        namespaces=[f"{prefix}-1"],
        fragments=[NAMESPACES, odd],
        results_dir=str(tmp_path),
    )
    assert result["failed"]
    assert result["msg"].startswith("aborted: template fragments[1] (role odd).steps[0][0].definition")
    assert "zero" in result["msg"]
    assert measured(tmp_path)["objects"]["Namespace"]["created"] == 1


PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Load
      # What a lookup gives is not templated again: the definitions' own expressions are the engine's.
      kubestress.core.batch: "{{ lookup('file', playbook_dir ~ '/options.json') | from_json }}"
      async: "{{ seconds | default(0) }}"
      poll: 1
      register: loaded
    - ansible.builtin.debug:
        msg: "made={{ loaded.objects.ConfigMap.created | default('none') }}"
      when: not ansible_check_mode
"""


@pytest.fixture
def playbook(tmp_path: Path) -> Path:
    """Return a playbook with one batch, whose options are in options.json beside it."""
    path = tmp_path / "load.yml"
    path.write_text(PLAYBOOK)
    return path


@pytest.mark.parametrize("seconds", [0, 60], ids=["in the foreground", "async"])
def test_in_a_playbook_progress_is_shown_while_it_works_and_async_is_silent(
    ansible_playbook, playbook: Path, run_id: str, prefix: str, seconds: int
):
    slow = config_maps(6, wave={"size": 1, "pause": 0.6})
    options = {"run_id": run_id, "namespaces": [f"{prefix}-1"], "fragments": [NAMESPACES, slow]}
    (playbook.parent / "options.json").write_text(json.dumps(options))
    done = ansible_playbook(playbook, extra_vars={"seconds": seconds}, timeout_seconds=400)
    assert done.rc == 0, done.output
    assert "made=6" in done.stdout
    lines = [line for line in done.stdout.splitlines() if "objects (" in line]
    if seconds:
        assert lines == []
    else:
        assert 2 <= len(lines) <= 5, done.stdout
        assert "7/7 objects (100 %)" in lines[-1]
        assert "0 failed" in lines[-1]


def test_the_documented_examples_are_what_ansible_hands_to_the_module(
    ansible_playbook, kubectl, tmp_path: Path, request: pytest.FixtureRequest
):
    """In check mode, with the templates that they name: every expression in them is the engine's, not Ansible's."""
    for namespace in ("team-a", "team-b"):
        kubectl("create", "namespace", namespace)
        request.addfinalizer(partial(kubectl, "delete", "namespace", namespace, "--wait=false"))
    (tmp_path / "templates").mkdir()
    for name, kind, version in (("configmap", "ConfigMap", "v1"), ("job", "Job", "batch/v1")):
        text = f"apiVersion: {version}\nkind: {kind}\nmetadata:\n  name: {name}-{{{{ index }}}}\n"
        (tmp_path / "templates" / f"{name}.yml.j2").write_text(text)
    play = "- hosts: localhost\n  connection: local\n  gather_facts: false\n  tasks:\n"
    (tmp_path / "examples.yml").write_text(play + textwrap.indent(EXAMPLES, "    "))
    done = ansible_playbook(tmp_path / "examples.yml", "--check", "-v", timeout_seconds=400)
    assert done.rc == 0, done.output
    asked = [json.loads(line.split("=> ", 1)[1]) for line in done.stdout.splitlines() if '"requested"' in line]
    assert [{kind: row["requested"] for kind, row in found["objects"].items()} for found in asked] == [
        {"ConfigMap": 10_000, "Namespace": 10},
        {"Job": 60},
        {"Deployment": 3},
    ]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interruption_leaves_the_measurements_and_ends_soon(
    kubeconfig: Path, kubectl, tmp_path: Path, run_id: str, prefix: str, number: signal.Signals
):
    """Ansible's worker passes both on to the module's process group."""
    options = {
        "kubeconfig": str(kubeconfig),
        "run_id": run_id,
        "namespaces": [f"{prefix}-1"],
        "results_dir": str(tmp_path),
        "fragments": [NAMESPACES, config_maps(1000, wave={"size": 5, "pause": 1})],
    }
    code = "from json import loads; from helpers.batches import run_batch"
    command = [sys.executable, "-c", f"{code}; print(run_batch(**loads({json.dumps(options)!r}))['msg'])"]
    python_path = os.pathsep.join(path for path in sys.path if path)
    process = subprocess.Popen(
        command,
        env=command_environment({"PYTHONPATH": python_path}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        until(lambda: kubectl("get", "configmaps", "-A", "-l", f"kubestress.core/run-id={run_id}")["items"])
        os.killpg(process.pid, number)
        output, _none = process.communicate(timeout=120)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    document = measured(tmp_path)
    assert document["aborted"] == f"interrupted by {number.name}", output
    assert document["stopped_by"] == "signal"
    made = len(kubectl("get", "configmaps", "-A", "-l", f"kubestress.core/run-id={run_id}")["items"])
    assert 0 < made == document["objects"]["ConfigMap"]["created"] < 1000
    assert output.strip() == f"aborted: interrupted by {number.name}"
