"""A build pod's processes, from one summary after the other: plateaus, not moments; no pod twice; bounded memory."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.kubelet import PodProcesses
from ansible_collections.kubestress.core.plugins.module_utils.measure.processes import ProcessSampler

NOTHING = {"min": None, "median": None, "max": None, "plateaus": {}, "samples": 0, "source": "none"}


def sampler() -> ProcessSampler:
    return ProcessSampler(is_build_pod=lambda uid: uid.startswith("b"))


def pod(uid: str, processes: int | None, taken: str | None = None) -> PodProcesses:
    return PodProcesses(namespace="ns", name=uid, uid=uid, processes=processes, taken=taken)


def feed(*summaries: dict[str, int | None], node: str = "n1", into: ProcessSampler | None = None) -> ProcessSampler:
    """Give the sampler one summary after the other, each uid -> processes."""
    taken = into or sampler()
    for summary in summaries:
        taken.observe(node, [pod(uid, processes) for uid, processes in summary.items()])
    return taken


@pytest.mark.parametrize(
    ("summaries", "figures", "samples"),
    [
        pytest.param([{"b1": 3}, {"b1": 72}, {"b1": 72}, {"b1": 2}], (72, 72, 72), 2, id="phases outside do not count"),
        pytest.param([{"b1": 40}, {"b1": 72}, {"b1": 72}], (72, 72, 72), 3, id="the processes are still starting"),
        pytest.param([{"b1": 72}, {"b1": 72}, {"b1": 31}], (72, 72, 72), 3, id="the processes are ending"),
        pytest.param([{"b1": 40}], (40, 40, 40), 1, id="one reading is better than none"),
        pytest.param([{"b1": 60, "b2": 85}] * 2, (60, 72.5, 85), 4, id="median of two"),
        pytest.param([{"b1": 60, "b2": 70, "b3": 85}] * 2, (60, 70, 85), 6, id="median of three"),
        pytest.param([{"b1": 72, "b2": 41}, {"b1": 72}], (72, 72, 72), 3, id="a single reading yields to sure ones"),
        pytest.param([{"b1": 9}] * 2, (9, 9, 9), 2, id="a pod that got few processes is seen"),
    ],
)
def test_figures(summaries, figures, samples):
    found = feed(*summaries).figures()
    assert (found["min"], found["median"], found["max"]) == figures
    assert (found["samples"], found["source"]) == (samples, "kubelet")


@pytest.mark.parametrize(
    "summaries",
    [
        [],
        [{}],
        [{"other": 72}] * 3,
        [{"b1": None}] * 3,
        [{"b1": 8}, {"b1": 2}],
    ],
    ids=["never fed", "no pods", "strangers", "not counted", "never compiling"],
)
def test_without_readings_there_is_no_figure(summaries):
    assert feed(*summaries).figures() == NOTHING


def test_a_reading_that_the_kubelet_repeats_is_one_reading():
    taken = sampler()
    for _again in range(5):
        taken.observe("n1", [pod("b1", 72, "12:00:00")])
    taken.observe("n1", [pod("b1", 72, "12:00:10")])
    assert taken.figures()["samples"] == 2


def test_a_pod_that_ends_is_counted_once_and_forgotten():
    taken = feed({"b1": 72}, {"b1": 72}, {}, {}, {})
    assert taken.figures()["plateaus"] == {"72": 1}
    assert sum(len(pods) for pods in taken._live.values()) == 0


def test_a_pod_that_one_summary_leaves_out_is_still_the_same():
    assert feed({"b1": 72}, {}, {"b1": 73}).figures()["plateaus"] == {"73": 1}


def test_pods_of_several_nodes_are_of_one_run():
    taken = feed({"b1": 60}, {"b1": 60}, node="n1")
    feed({"b2": 80}, {"b2": 80}, node="n2", into=taken)
    assert taken.figures()["plateaus"] == {"60": 1, "80": 1}


def test_a_pod_that_is_known_later_than_its_kubelet_knows_it_counts_from_then_on():
    known: set[str] = set()
    taken = ProcessSampler(is_build_pod=known.__contains__)
    feed({"b1": 72}, into=taken)
    known.add("b1")
    feed({"b1": 72}, {"b1": 72}, into=taken)
    known.clear()  # it has ended for the API, and its kubelet still lists it
    feed({"b1": 72}, into=taken)
    assert taken.figures()["samples"] == 3


def test_how_many_build_pods_a_node_has_is_told():
    assert sampler().observe("n1", [pod("b1", 3), pod("b2", None), pod("x", 72)]) == 2


def test_memory_grows_with_living_pods_not_with_all():
    taken = sampler()
    for number in range(3_000):
        feed({f"b{number}": 60 + number % 26}, {f"b{number}": 60 + number % 26}, into=taken)
    assert sum(taken.figures()["plateaus"].values()) == 3_000
    assert (taken.figures()["min"], taken.figures()["max"]) == (60, 85)
    assert sum(len(pods) for pods in taken._live.values()) <= 2
    assert len(taken._ended[True]) == 26
