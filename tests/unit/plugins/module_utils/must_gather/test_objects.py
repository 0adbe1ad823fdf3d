"""Objects in YAML and JSON, single and in lists; and documents that are not sound."""

from __future__ import annotations

import io
import json

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.must_gather import objects as room
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.objects import ObjectReader, Unsound, kind_in
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.rules import RuleBook
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.tally import Mark, Tally
from helpers import gather_maker as maker


def read(text: str, kind: str = "Pod", file: str = "core/pods.yaml") -> Tally:
    tally = Tally()
    ObjectReader(file, kind, RuleBook(), tally).read(io.BytesIO(text.encode()))
    return tally


def lasted(mark: Mark) -> int:
    """Seconds from the first time to the last."""
    assert mark.first is not None
    assert mark.last is not None
    return mark.last - mark.first


PODS = [maker.pod(maker.pod_name(number), maker.FIRST_BUILD, 60, fork=number == 1) for number in range(3)]


@pytest.mark.parametrize(
    "text",
    [
        maker.listed("Pod", PODS),
        json.dumps({"kind": "PodList", "items": PODS}),
        json.dumps({"items": [{key: value for key, value in pod.items() if key != "kind"} for pod in PODS]}),
        yaml.safe_dump_all(PODS),
        yaml.safe_dump({"items": PODS, "metadata": {"resourceVersion": ""}}, default_flow_style=True),
    ],
)
def test_every_form_of_a_list(text: str) -> None:
    tally = read(text)
    assert len(tally.builds) == 3
    assert [build.cause for build in tally.builds.values()].count("fork failed") == 1
    (mark,) = tally.marks.values()
    assert (mark.node, mark.source, mark.kinds) == ("worker-1", "pods", ("fork failed",))
    assert "phase compile" in mark.text
    assert tally.unread.total() == 0


@pytest.mark.parametrize(
    ("file", "kind"),
    [
        ("namespaces/ns/core/pods.yaml", "Pod"),
        ("namespaces/ns/core/events.yaml", "Event"),
        ("namespaces/ns/events.k8s.io/events.json", "Event"),
        ("namespaces/ns/batch/jobs.yaml", "Job"),
        ("namespaces/ns/pods/web-0/web-0.yaml", "Pod"),
        ("cluster-scoped-resources/core/nodes/worker-1.yaml", "Node"),
        ("namespaces/ns/apps/deployments.yaml", None),
        ("namespaces/ns/pods/web-0/c/c/logs/current.log", None),
        ("cluster-scoped-resources/machineconfiguration.openshift.io/machineconfigs/nodes.txt", None),
    ],
)
def test_where_objects_lie(file: str, kind: str | None) -> None:
    assert kind_in(file) == kind


def test_event_that_repeats_counts_so_often() -> None:
    later = maker.FIRST_FAILURE + maker.timedelta(minutes=3)
    event = maker.event("a", maker.FIRST_FAILURE, "Failed", maker.FORK, count=5, last=later)
    (mark,) = read(maker.listed("Event", [event, event]), "Event").marks.values()
    assert (mark.count, lasted(mark)) == (5, 180)


def test_event_of_the_newer_form() -> None:
    event = {
        "kind": "Event",
        "metadata": {"uid": "u"},
        "regarding": {"kind": "Pod", "namespace": "n", "name": "p"},
        "note": f"Failed to create pod sandbox: {maker.FORK}",
        "reason": "FailedCreatePodSandBox",
        "eventTime": "2025-04-19T23:56:44.123456Z",
        "series": {"count": 4, "lastObservedTime": "2025-04-19T23:57:44.123456Z"},
    }
    (mark,) = read(yaml.safe_dump(event), "Event").marks.values()
    assert (mark.kinds, mark.count, lasted(mark)) == (("fork failed", "sandbox failed"), 4, 60)


def test_jobs_and_nodes() -> None:
    job = {
        "metadata": {"name": "a", "namespace": "n", "labels": {"type": "build-job"}},
        "status": {"conditions": [{"type": "Failed", "status": "True"}]},
    }
    assert read(maker.listed("Job", [job]), "Job").jobs == {"n/a": "failed"}
    node = {
        "metadata": {"name": "w"},
        "status": {
            "conditions": [{"type": "PIDPressure", "status": "True", "lastTransitionTime": "2025-04-19T23:00:00Z"}]
        },
    }
    (mark,) = read(yaml.safe_dump(node), "Node").marks.values()
    assert (mark.kinds, mark.node) == (("pid pressure",), "w")


UNSOUND = {
    "deep": ("a: " + "[" * 100_000, "nested deeper than 60"),
    "deep where nobody looks": ("managedFields: " + "{a: " * 5_000, "nested deeper than 60"),
    "no YAML": ("a: b\n\t- c: [", "tab character"),
    "text without end": ("a: '" + "x" * (room.MAX_OBJECT + 10_000_000), "larger than 8 MiB"),
    "no object of Kubernetes": ("kind: Pod\nmetadata: {name: x-build}\nstatus: 7\n", "not what Kubernetes writes"),
}


@pytest.mark.parametrize("case", UNSOUND)
def test_unsound_document(case: str) -> None:
    text, wanted = UNSOUND[case]
    with pytest.raises(Unsound, match=wanted):
        read(text)


def test_what_stands_before_the_unsound_part_counts() -> None:
    tally = Tally()
    text = maker.listed("Pod", PODS).partition("kind: PodList")[0] + "- {a: [\n"
    reader = ObjectReader("core/pods.yaml", "Pod", RuleBook(), tally)
    with pytest.raises(Unsound):
        reader.read(io.BytesIO(text.encode()))
    assert len(tally.builds) == 3


def test_aliases_and_merge_keys_do_not_multiply() -> None:
    """Each level would be ten of the one before."""
    levels = ["a0: &a0 {x: y}"] + [
        f"a{number}: &a{number} {{<<: [{', '.join([f'*a{number - 1}'] * 10)}]}}" for number in range(1, 12)
    ]
    assert read("kind: Pod\nmetadata: {name: x-build, namespace: n}\n" + "\n".join(levels)).builds
