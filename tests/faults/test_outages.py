"""Outages: an API server or etcd that is away for a while or for good, and watches that are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.clock import HeldClock
from ansible_collections.kubestress.core.plugins.module_utils.cluster.reachability import Reachability
from ansible_collections.kubestress.core.plugins.module_utils.cluster.retries import RetryPolicy
from ansible_collections.kubestress.core.plugins.module_utils.load.tracker import Tracker
from helpers import faults
from helpers.batches import NAMESPACES, config_maps, deployments, jobs
from helpers.fault_suite import CONFIG_MAPS, DEPLOYMENTS, JOBS, Case, Defence, parameters
from helpers.plane_faults import KilledPart, Part, StoppedPart


def _do_nothing(*_arguments: object, **_options: object) -> None:
    return None


async def _look_at_nothing(*_arguments: object) -> None:
    """In place of a method that is awaited."""


SAT_OUT = Defence(
    "outages are noticed, and sat out up to the outage limit", off=((Reachability, "failed", _do_nothing),)
)
RETRIED = Defence(
    "transient failures are retried, and outages sat out",
    off=((RetryPolicy, "pause_seconds", lambda *_arguments: 1e6), *SAT_OUT.off),
)
PACED = {"qps": 20, "burst": 1}
SLOWLY = {**PACED, "retry_deadline": 5, "request_timeout": 5, "wait_timeout": 150}
AWAY_SECONDS, LIMIT_SECONDS = 8, 5
IMPATIENT = [
    NAMESPACES,
    config_maps(CONFIG_MAPS),
    deployments(DEPLOYMENTS, ready_timeout=4),
    jobs(JOBS, ready_timeout=4),
]


def api_server_killed(seconds: float | None) -> Callable[[Path], faults.Fault]:
    """Return a function that makes a fault of the API server, which comes back after the seconds."""
    return lambda kubeconfig: KilledPart(Part(kubeconfig, "kube-apiserver"), after=10, seconds=seconds)


CASES = [
    Case(
        name="burst of 5xx", point="", injects="from the 10th change on, 1 s of 500, 502, 503 and 504",
        make=lambda _k: faults.Burst(after=10, seconds=1), defence=RETRIED, options=PACED, says=("500",),
    ),
    Case(
        name="API server away for 5 s", point="", injects="from the 10th change on, 5 s of resets; watches break",
        make=lambda _k: faults.Unreachable(after=10, seconds=5), defence=RETRIED, options=PACED, says=("connection",),
    ),
    Case(
        name="etcd stopped for 6 s", point="", injects="etcd gets SIGSTOP at the 10th change, SIGCONT 6 s later",
        make=lambda kubeconfig: StoppedPart(Part(kubeconfig, "etcd"), after=10, seconds=6),
        defence=RETRIED, options={**PACED, "request_timeout": 2}, needs_plane=True,
    ),
    Case(
        name=f"API server killed, back after {AWAY_SECONDS} s", point="F1",
        injects="kube-apiserver gets SIGKILL at the 10th change; requests are retried for 5 s",
        make=api_server_killed(AWAY_SECONDS), defence=SAT_OUT, options=SLOWLY, needs_plane=True,
        says=("the API server answers again, after an outage of",), within=150,
    ),
    Case(
        name="API server killed for good", point="F1",
        injects=f"kube-apiserver gets SIGKILL at the 10th change; the outage limit is {LIMIT_SECONDS} s",
        make=api_server_killed(None), defence=SAT_OUT, verdict="aborted", needs_plane=True,
        options={**SLOWLY, "outage_limit": LIMIT_SECONDS},
        says=(rf"aborted: the API server \S+ could not be reached for {LIMIT_SECONDS} s",), within=LIMIT_SECONDS + 10,
    ),
    Case(
        name="watches refused for 8 s", point="F7",
        injects="from the 30th change on, watches end and are answered 429; objects have 4 s to be ready",
        make=lambda _k: faults.RefusedWatches(after=30, seconds=8), options={"fragments": IMPATIENT},
        # The last look would find them, but not what is still on its way.
        defence=Defence("deadlines stand still while nobody can see",
                        off=((HeldClock, "hold", _do_nothing), (Tracker, "look_again", _look_at_nothing))),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", parameters(CASES))
def test_row(case: Case, play: Callable[[Case], None]) -> None:
    play(case)
