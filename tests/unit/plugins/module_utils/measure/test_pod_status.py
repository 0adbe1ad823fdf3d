"""Restarts and kills for memory, as kubelets write them into statuses: each counted once, none invented."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.pod_status import Restarts

RUNNING = {"running": {"startedAt": "2026-11-21T07:00:00Z"}}
OOM, ERROR, DONE = ({"terminated": {"exitCode": code, "reason": reason}}
                    for code, reason in ((137, "OOMKilled"), (1, "Error"), (0, "Completed")))  # fmt: skip
BACK_OFF = {"waiting": {"reason": "CrashLoopBackOff"}}


def status(restarts: int, state: dict[str, Any], last: dict[str, Any] | None = None, name: str = "main"):
    return {"name": name, "restartCount": restarts, "state": state, "lastState": last or {}}


@dataclass(frozen=True)
class Story:
    """A pod's containers in one status after the other, and what is counted at the end."""

    name: str
    statuses: list[list[dict[str, Any]]]
    restarts: int = 0
    oom_kills: int = 0
    pods_killed: int = 0


STORIES = (
    Story("runs", [[], [status(0, {"waiting": {}})], [status(0, RUNNING)]]),
    Story("ends well", [[status(0, RUNNING)], [status(0, DONE)]]),
    Story("is killed and not started again", [[status(0, RUNNING)], [status(0, OOM)], [status(0, OOM)]],
          oom_kills=1, pods_killed=1),
    Story("is killed and started again, each step seen",
          [[status(0, RUNNING)], [status(0, OOM)], [status(1, RUNNING, OOM)], [status(1, OOM, OOM)],
           [status(1, BACK_OFF, OOM)], [status(2, RUNNING, OOM)]],
          restarts=2, oom_kills=2, pods_killed=1),
    Story("is killed and started again, only the restarts seen",
          [[status(0, RUNNING)], [status(1, RUNNING, OOM)], [status(2, RUNNING, OOM)]],
          restarts=2, oom_kills=2, pods_killed=1),
    Story("backs off before its first restart", [[status(0, BACK_OFF, OOM)], [status(1, RUNNING, OOM)]],
          restarts=1, oom_kills=1, pods_killed=1),
    Story("has restarted five times when first seen: of four ends nothing is known", [[status(5, RUNNING, OOM)]],
          restarts=5, oom_kills=1, pods_killed=1),
    Story("crashes", [[status(1, RUNNING, ERROR)], [status(1, ERROR, ERROR)]], restarts=1),
    Story("is killed after it crashed", [[status(1, RUNNING, ERROR)], [status(2, RUNNING, OOM)]],
          restarts=2, oom_kills=1, pods_killed=1),
    Story("has two containers of which one is killed",
          [[status(0, RUNNING), status(0, RUNNING, name="b")],
           [status(1, RUNNING, OOM), status(0, RUNNING, name="b")],
           [status(1, RUNNING, OOM), status(1, RUNNING, ERROR, name="b")]],
          restarts=2, oom_kills=1, pods_killed=1),
    Story("has two containers that are both killed: one pod",
          [[status(1, RUNNING, OOM), status(1, RUNNING, OOM, name="b")]], restarts=2, oom_kills=2, pods_killed=1),
)  # fmt: skip


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.name)
def test_a_pod_that(story: Story):
    found = Restarts()
    counted = None
    for containers in story.statuses:
        counted = found.take(counted, {"status": {"containerStatuses": containers}})
    assert (found.restarts, found.oom_kills, found.pods_killed) == (story.restarts, story.oom_kills, story.pods_killed)


def test_nothing_is_kept_of_a_pod_that_only_runs_or_ends_well():
    found = Restarts()
    for state in ({"waiting": {}}, RUNNING, DONE):
        assert found.take(None, {"status": {"containerStatuses": [status(0, state)]}}) is None


def test_pods_are_counted_apart_and_added_up():
    found = Restarts()
    for _pod in range(3):
        found.take(None, {"status": {"containerStatuses": [status(1, RUNNING, OOM)]}})
    assert found == Restarts(restarts=3, oom_kills=3, pods_killed=3)
