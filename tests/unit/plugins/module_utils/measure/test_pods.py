"""The pod book: what became of pods, told by nothing but their events; each pod once."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.pods import KEPT_PER_NAMESPACE, PodBook

RUNNING: dict[str, Any] = {"running": {"startedAt": "now"}}
WAITING: dict[str, Any] = {"waiting": {"reason": "ContainerCreating"}}


def ended(code: int, reason: str = "") -> dict[str, Any]:
    return {"terminated": {"exitCode": code, "reason": reason or ("Completed" if code == 0 else "Error")}}


def container(state: dict[str, Any], *, last: dict[str, Any] | None = None, restarts: int = 0, name: str = "main"):
    return {"name": name, "state": state, "lastState": last or {}, "restartCount": restarts}


def pod(phase: str, *containers: dict[str, Any], name: str = "p", owner: str | None = "Job", **status: Any):
    owners = [{"kind": owner, "name": "o", "controller": True}] if owner else []
    return {
        "metadata": {"name": name, "namespace": "a-1", "uid": f"uid-{name}", "ownerReferences": owners},
        "status": {"phase": phase, "containerStatuses": list(containers), **status},
    }


@dataclass(frozen=True)
class Story:
    """A pod's events, and what the book says after them; `cause` is the reason of its failure."""

    name: str
    events: list[tuple[str, dict[str, Any]]]
    succeeded: int = 0
    failed: int = 0
    restarts: int = 0
    oom_kills: int = 0
    active: int = 0
    peak: int = 1
    cause: str | None = None
    started: int = 0
    causes: dict[str, int] = field(default_factory=dict)


OOM = ended(137, "OOMKilled")
STORIES = (
    Story("is only seen", [("ADDED", pod("Pending"))], active=1),
    Story(
        "succeeds, and later events of it count nothing",
        [
            ("ADDED", pod("Pending")),
            ("MODIFIED", pod("Running", container(RUNNING))),
            ("MODIFIED", pod("Succeeded", container(ended(0)))),
            ("MODIFIED", pod("Succeeded", container(ended(0)))),
            ("DELETED", pod("Succeeded", container(ended(0)))),
        ],
        succeeded=1,
        started=1,
    ),
    Story(
        "fails with an exit code",
        [("ADDED", pod("Pending")), ("MODIFIED", pod("Failed", container(ended(3))))],
        failed=1,
        cause="exit 3",
        started=1,
    ),
    Story(
        "is killed for its memory and not started again",
        [("ADDED", pod("Pending")), ("MODIFIED", pod("Failed", container(OOM)))],
        failed=1,
        oom_kills=1,
        cause="OOMKilled",
        started=1,
    ),
    Story(
        "is evicted before it starts",
        [("ADDED", pod("Pending")), ("MODIFIED", pod("Failed", reason="Evicted", message="low on memory"))],
        failed=1,
        cause="Evicted",
    ),
    Story(
        "is killed for its memory three times, each seen as it dies and as it runs again",
        [
            ("ADDED", pod("Pending")),
            ("MODIFIED", pod("Running", container(RUNNING))),
            ("MODIFIED", pod("Running", container(OOM))),
            ("MODIFIED", pod("Running", container(RUNNING, last=OOM, restarts=1))),
            ("MODIFIED", pod("Running", container(OOM, last=OOM, restarts=1))),
            ("MODIFIED", pod("Running", container({"waiting": {}}, last=OOM, restarts=1))),
            ("MODIFIED", pod("Running", container(RUNNING, last=OOM, restarts=2))),
            ("MODIFIED", pod("Running", container(RUNNING, last=OOM, restarts=3))),
        ],
        restarts=3,
        oom_kills=3,
        active=1,
        started=1,
    ),
    Story(
        "crashes and is started again: no memory kill",
        [
            ("ADDED", pod("Pending")),
            ("MODIFIED", pod("Running", container(RUNNING, last=ended(1), restarts=1))),
        ],
        restarts=1,
        active=1,
        started=1,
    ),
    Story(
        "one container was killed for its memory, then another one crashes",
        [
            ("ADDED", pod("Pending")),
            ("MODIFIED", pod("Running", container(RUNNING, last=OOM, restarts=1), container(RUNNING, name="b"))),
            (
                "MODIFIED",
                pod(
                    "Running",
                    container(RUNNING, last=OOM, restarts=1),
                    container(RUNNING, last=ended(1), restarts=1, name="b"),
                ),
            ),
        ],
        restarts=2,
        oom_kills=1,
        active=1,
        started=1,
    ),
    Story(
        "vanishes while it runs: neither succeeded nor failed, and no longer active",
        [("ADDED", pod("Running", container(RUNNING))), ("DELETED", pod("Running", container(RUNNING)))],
    ),
    Story("ends unseen, its deletion is the first that is heard", [("DELETED", pod("Succeeded"))], succeeded=1),
    Story("vanished before the run looked", [("DELETED", pod("Running"))], peak=0),
    Story("belongs to no Job", [("ADDED", pod("Running", container(RUNNING), owner=None))], peak=0),
    Story(
        "waits with one container of two",
        [("ADDED", pod("Pending", container(RUNNING), container(WAITING, name="b")))],
        active=1,
    ),
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_pod_that(story: Story):
    book = PodBook()
    failures = [failure for kind, event in story.events if (failure := book.observe(kind, event))]

    assert (book.succeeded, book.failed) == (story.succeeded, story.failed)
    assert (book.restarts, book.oom_kills) == (story.restarts, story.oom_kills)
    assert (book.active_job_pods, book.peak_active_job_pods) == (story.active, story.peak)
    assert book.startup.count == story.started
    assert [failure.reason for failure in failures] == ([story.cause] if story.cause else [])
    assert dict(book.causes) == ({story.cause: 1} if story.cause else {})


def test_pods_found_by_a_list_have_no_start_up_time():
    book = PodBook()
    book.observe("ADDED", pod("Pending"), from_list=True)
    book.observe("MODIFIED", pod("Running", container(RUNNING)))
    assert book.startup.count == 0


def test_a_pod_that_a_list_shows_when_it_has_ended_was_never_active_meanwhile():
    book = PodBook()
    book.observe("ADDED", pod("Succeeded", container(ended(0))), from_list=True)
    assert (book.active_job_pods, book.peak_active_job_pods, book.succeeded) == (0, 0, 1)
    book.observe("ADDED", pod("Succeeded", container(ended(0)), name="quick"))
    assert (book.active_job_pods, book.peak_active_job_pods, book.succeeded) == (0, 1, 2)


def waits(reason: str, message: str = "") -> dict[str, Any]:
    return container({"waiting": {"reason": reason, "message": message}})


def disturbed(status: str = "True", **deleted: str) -> dict[str, Any]:
    one = pod("Failed", container(ended(143)), conditions=[{"type": "DisruptionTarget", "status": status}])
    one["metadata"] |= deleted
    return one


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ([pod("Pending", waits("ContainerCreating")), pod("Running", container(RUNNING))], []),
        ([pod("Pending", waits("ErrImagePull", "no host"))], [("waiting", "ErrImagePull", "no host")]),
        (
            [pod("Pending", waits(reason)) for reason in ("ErrImagePull", "ImagePullBackOff", "CreateContainerError")],
            [("waiting", "ErrImagePull", ""), ("waiting", "CreateContainerError", "")],
        ),
        (
            [pod("Running", container(RUNNING)), pod("Running", container(RUNNING, last=ended(1), restarts=1))] * 2,
            [("restarted", "Error", "")],
        ),
        (
            [pod("Failed", container(ended(137, "OOMKilled")))] * 2,
            [("failed", "OOMKilled", "container main: OOMKilled")],
        ),
        ([disturbed("False")], [("failed", "exit 143", "container main: Error")]),
        ([disturbed("False", deletionTimestamp="now")], []),
        ([disturbed("True", deletionTimestamp="now")], [("failed", "exit 143", "container main: Error")]),
    ],
)
def test_pods_in_trouble_are_told_as_it_begins(changes: list[dict[str, Any]], told: list[tuple[str, str, str]]):
    book, heard = PodBook(), []
    book.on_trouble = lambda way, _pod, reason, message: heard.append((way, reason, message.partition(",")[0]))
    for change in changes:
        book.observe("MODIFIED", change)
    assert heard == told
    listed, heard = PodBook(), []
    listed.on_trouble = book.on_trouble
    for change in changes:
        listed.observe("ADDED", change, from_list=True)
    assert heard == []


def test_a_thousand_pods_in_any_order_of_events_are_each_counted_once():
    draw = random.Random(4)
    queues = []
    for number in range(1000):
        name = f"p{number}"
        end = (
            pod("Succeeded", container(ended(0)), name=name) if number % 4 else pod("Failed", container(OOM), name=name)
        )
        queues.append([("ADDED", pod("Pending", name=name)), ("MODIFIED", end), ("MODIFIED", end), ("DELETED", end)])
    book = PodBook()
    while queues:
        queue = draw.choice(queues)
        book.observe(*queue.pop(0))
        if not queue:
            queues.remove(queue)

    assert (book.succeeded, book.failed, book.oom_kills) == (750, 250, 250)
    assert book.succeeded_by_namespace == {"a-1": 750}
    assert book.failed_by_namespace == {"a-1": 250}
    assert book.active_job_pods == 0
    assert len(book.failed_pods["a-1"]) == KEPT_PER_NAMESPACE
    assert not book._live


def test_who_is_an_active_job_pod_and_where():
    def placed(name: str, node: str | None, phase: str = "Pending", owner: str | None = "Job") -> dict[str, Any]:
        return {**pod(phase, name=name, owner=owner), "spec": {"nodeName": node} if node else {}}

    book = PodBook()
    for one in (placed("a", None), placed("b", "n1"), placed("c", "n2", owner="ReplicaSet")):
        book.observe("ADDED", one)
    assert book.nodes_of_job_pods() == {"n1"}
    book.observe("MODIFIED", placed("a", "n3"))
    assert book.nodes_of_job_pods() == {"n1", "n3"}
    assert book.nodes_of_pods() == {"n1", "n2", "n3"}
    assert [book.is_active_job_pod(f"uid-{name}") for name in "abcd"] == [True, True, False, False]
    book.observe("MODIFIED", placed("b", "n1", phase="Succeeded"))
    assert book.nodes_of_job_pods() == {"n3"}
    book.observe("DELETED", placed("c", "n2", owner="ReplicaSet"))
    assert book.nodes_of_pods() == {"n3"}
    assert len(book.namespaces) == 1
    assert not book.is_active_job_pod("uid-b")


def test_how_many_pods_there_are_now_and_have_been():
    book = PodBook()
    for name in "abcd":
        book.observe("ADDED", pod("Pending", name=name))
    assert book.counts() == {"pending": 4, "running": 0, "succeeded": 0, "failed": 0}
    for name in "bcd":
        book.observe("MODIFIED", pod("Running", container(RUNNING), name=name))
    assert book.counts() == {"pending": 1, "running": 3, "succeeded": 0, "failed": 0}
    book.observe("MODIFIED", pod("Succeeded", container(ended(0)), name="b"))
    book.observe("MODIFIED", pod("Failed", container(OOM), name="a"))
    book.observe("DELETED", pod("Running", container(RUNNING), name="c"))
    assert book.counts() == {"pending": 0, "running": 1, "succeeded": 1, "failed": 1}


def test_stateful_pods_have_their_restarts_and_kills_apart():
    book = PodBook()
    for owner, name in (("StatefulSet", "s-0"), ("StatefulSet", "s-1"), ("ReplicaSet", "d")):
        book.observe("ADDED", pod("Pending", name=name, owner=owner))
        book.observe("MODIFIED", pod("Running", container(RUNNING, last=OOM, restarts=1), name=name, owner=owner))
    assert book.stateful_figures() == {"restarts": 2, "oom_kills": 2, "pods_killed": 2}
    assert (book.restarts, book.oom_kills) == (3, 3)
