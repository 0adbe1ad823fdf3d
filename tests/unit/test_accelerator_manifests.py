"""The role accelerator_jobs: its manifests for every entry of the catalogue, what they weigh, what is refused."""

from __future__ import annotations

import re
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.accelerators.catalogue import BUILT_IN
from ansible_collections.kubestress.core.plugins.module_utils.accelerators.shape import shape_of
from ansible_collections.kubestress.core.plugins.module_utils.settings.rules import problems_of
from helpers.accelerator_manifests import ENTRIES, GOLDEN, documents, text_of
from helpers.example_settings import settings
from helpers.role_plans import compiled_plan, planned_demand

ALONE = {
    "accelerator_jobs_enabled": True,
    "deployments_enabled": False,
    "statefulsets_enabled": False,
    "build_jobs_enabled": False,
    "namespaces_total": 2,
}


@pytest.mark.parametrize("entry", ENTRIES)
def test_manifests_are_as_they_were(entry: str) -> None:
    assert text_of(entry) == (GOLDEN / f"{entry}.yml").read_text(), "see tests/helpers/accelerator_manifests.py"


def test_every_type_has_a_manifest_and_there_is_none_too_many() -> None:
    assert set(BUILT_IN) == {given["type"] for given in ENTRIES.values() if "type" in given}
    assert {path.stem for path in GOLDEN.iterdir()} == set(ENTRIES)


@pytest.mark.parametrize("entry", ENTRIES)
def test_manifests_say_what_the_catalogue_says(entry: str) -> None:
    asked = {key: value for key, value in ENTRIES[entry].items() if key in ("topology", "machine", "nodes", "slices")}
    shape = shape_of(ENTRIES[entry].get("type", ""), **asked)
    jobs = documents(entry, "job")
    (job_set,) = documents(entry, "jobset")
    (part,) = job_set["spec"]["replicatedJobs"]
    assert len(jobs) == part["replicas"] == shape.slices
    for spec in [*(job["spec"] for job in jobs), part["template"]["spec"]]:
        assert (spec["completions"], spec["parallelism"], spec["completionMode"]) == (
            shape.nodes,
            shape.nodes,
            "Indexed",
        )
        pod = spec["template"]["spec"]
        assert pod["nodeSelector"] == dict(shape.node_selector)
        assert pod["tolerations"] == shape.tolerations
        (container,) = pod["containers"]
        assert shape.limits.items() <= container["resources"]["limits"].items()
        assert container["resources"]["requests"] == {"cpu": "500m", "memory": "512Mi"}
    # A slice of several nodes is kept in a pool of its own, either way.
    names = {job["spec"]["template"]["metadata"]["labels"].get("kubestress.core/slice", "") for job in jobs}
    assert len(names) == (shape.slices if shape.pool_label else 1)
    assert all(("affinity" in job["spec"]["template"]["spec"]) == bool(shape.pool_label) for job in jobs)
    exclusive = job_set["metadata"]["annotations"].get("alpha.jobset.sigs.k8s.io/exclusive-topology", "")
    assert exclusive == shape.pool_label


def test_rules_of_a_job_set_have_names_that_its_webhook_takes() -> None:
    """The API's schema takes more than JobSet's webhook does; the pattern is that of its v0.12."""
    (job_set,) = documents("all-options", "jobset")
    names = [rule["name"] for rule in job_set["spec"]["failurePolicy"]["rules"]]
    assert all(re.fullmatch(r"[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?", name) for name in names)


@pytest.mark.parametrize("kind", ["job", "jobset"])
def test_slices_are_weighed_as_slices(kind: str) -> None:
    demand = planned_demand(
        settings(
            **ALONE,
            accelerator_jobs_kind=kind,
            accelerator_jobs_type="v5e",
            accelerator_jobs_topology="4x4",
            accelerator_jobs_count=3,
            accelerator_jobs_slices=2,
        )
    )
    (group,) = demand.groups
    assert (group.at_peak, group.slice_pods, group.pool_label) == (2 * 3 * 2 * 4, 4, "cloud.google.com/gke-nodepool")
    assert group.shape.extended == {"google.com/tpu": 4}
    assert demand.objects == ({"Namespace": 2, "Job": 12} if kind == "job" else {"Namespace": 2, "JobSet": 6})
    assert demand.fragments[-1].unknown == ()


def test_active_jobs_bound_the_slices_at_once() -> None:
    given = {"accelerator_jobs_type": "v5e", "accelerator_jobs_topology": "4x4", "accelerator_jobs_slices": 2}
    demand = planned_demand(settings(**ALONE, **given, accelerator_jobs_count=3, accelerator_jobs_active=1))
    assert demand.pods_at_peak == 2 * 1 * 2 * 4


def test_priority_classes_are_made_once_and_before_the_jobs() -> None:
    plan = compiled_plan(settings(**ALONE, accelerator_jobs_priority_classes=True, accelerator_jobs_priority="high"))
    _namespaces, classes, jobs = plan
    assert (classes.role, classes.once, classes.count) == ("accelerator_jobs-priorities", True, 5)
    assert jobs.after == ("accelerator_jobs-priorities",)
    names = [
        one.name
        for member in range(1, 6)
        for one in classes.render_step(0, classes.values(namespace="", namespace_index=0, index=member))
    ]
    assert names == ["very-low", "low", "medium", "high", "very-high"]


REFUSED: list[tuple[dict[str, Any], str]] = [
    (
        {"type": "v5p-8"},
        "accelerator_jobs_type: 'v5p-8' is ambiguous: 8 counts cores in some tools and chips in others",
    ),
    ({"type": "v5e"}, "accelerator_jobs_topology: none is given; v5e comes in 1x1"),
    ({"type": "v5e", "topology": "4x5"}, "accelerator_jobs_topology: '4x5': v5e comes in"),
    ({"type": "nvidia-l4"}, "accelerator_jobs_machine: none is given; nvidia-l4 comes in g2-standard-12 (1)"),
    ({"type": "v5e", "topology": "4x4", "nodes": 3}, "accelerator_jobs_nodes: 3, but 4x4 on ct5lp-hightpu-4t has 4"),
    ({"catalogue": {"x": {}}}, "accelerator_jobs_catalogue: the type x has no machines"),
    ({"name": "Train"}, "accelerator_jobs_name: 'Train' is not allowed; lower-case letters, digits and hyphens"),
    ({"name": "9x"}, "accelerator_jobs_name: '9x' is not allowed"),
    (
        {"name": "x" * 60, "count": 100},
        "accelerator_jobs_name: 'xxxxx",
    ),
    (
        {"restart_on_exit_codes": [0]},
        "accelerator_jobs_restart_on_exit_codes: 0 is not allowed; exit codes are 1 to 255",
    ),
    ({"restart_on_exit_codes": [256]}, "accelerator_jobs_restart_on_exit_codes: 256 is not allowed"),
    ({"restart_on_exit_codes": ["x"]}, "accelerator_jobs_restart_on_exit_codes: 'x' is not allowed"),
    (
        {"type": "v5e", "topology": "4x4", "requests": {"google.com/tpu": "4"}},
        "accelerator_jobs_requests: google.com/tpu follows from accelerator_jobs_type and accelerator_jobs_machine",
    ),
    ({"queue": "q" * 64}, "accelerator_jobs_queue: 'qqqqq"),
    ({"slices": 0}, "accelerator_jobs_slices: 0 is not allowed; it must be 1 to 1,000"),
    ({"nodes": -1}, "accelerator_jobs_nodes: -1 is not allowed; it must be 0 to 5,000"),
    (
        {"catalogue": {"x": {"resource": "a/b", "machines": {"m": 1}, "taints": "a=b"}}},
        "accelerator_jobs_catalogue: the",
    ),
    ({"queue": "Team A"}, "accelerator_jobs_queue: 'Team A' is not the name of an object"),
    ({"priority": "high!"}, "accelerator_jobs_priority: 'high!' is not the name of an object"),
    (
        {"type": "nvidia-b200", "limits": {"nvidia.com/gpu": "4"}},
        "accelerator_jobs_limits: nvidia.com/gpu follows from accelerator_jobs_type and accelerator_jobs_machine",
    ),
    ({"requests": {"cpu": "much"}}, "accelerator_jobs_requests: cpu 'much' is not allowed"),
    ({"image": "not an image"}, "accelerator_jobs_image: 'not an image' is not an image"),
]


@pytest.mark.parametrize(("given", "line"), REFUSED)
def test_what_cannot_be_is_refused_in_one_line(given: dict[str, Any], line: str) -> None:
    changed = {f"accelerator_jobs_{name}": value for name, value in given.items()}
    found = [problem for problem in problems_of(settings(**changed)) if problem.startswith("accelerator_jobs_")]
    assert len(found) == 1, found
    assert found[0].startswith(line)
    assert "\n" not in found[0]


@pytest.mark.parametrize(
    ("kind", "longest"), [("job", 63 - len("-100-3-abcde")), ("jobset", 63 - len("-50-slice-job-1-3-abcde"))]
)
def test_names_leave_room_for_those_of_pods(kind: str, longest: int) -> None:
    given = {"type": "v5e", "topology": "4x4", "count": 50, "slices": 2, "kind": kind}
    for length, allowed in ((longest, True), (longest + 1, False)):
        changed = {f"accelerator_jobs_{name}": value for name, value in {**given, "name": "n" * length}.items()}
        problems = [line for line in problems_of(settings(**changed)) if line.startswith("accelerator_jobs_name")]
        assert (problems == []) is allowed, problems
    assert f"at most {longest} are allowed" in problems[0]


def test_the_defaults_have_no_problems() -> None:
    assert [line for line in problems_of(settings()) if line.startswith("accelerator_jobs")] == []


@pytest.mark.parametrize(
    ("given", "seconds"),
    [
        ({}, 600),
        ({"accelerator_jobs_duration": 3600}, 3660),
        ({"accelerator_jobs_duration": 3600, "accelerator_jobs_stall_timeout": 15}, 15),
    ],
)
def test_a_job_that_runs_as_long_as_it_was_told_to_does_not_stall(given: dict[str, int], seconds: float) -> None:
    (fragment,) = [one for one in compiled_plan(settings(**ALONE, **given)) if one.role == "accelerator_jobs"]
    assert fragment.stall_timeout_seconds == seconds
