"""Why pods and jobs wait, in words that can be counted: messages of the real scheduler and of Kueue."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.waiting_causes import (
    BY_SCHEDULER,
    MOST_CAUSES,
    OTHERS,
    Waiter,
    WaitingCauses,
    cause_of_workload,
    causes_of_pod,
)


def pending(message: str, reason: str = "Unschedulable") -> dict[str, Any]:
    condition = {"type": "PodScheduled", "status": "False", "reason": reason, "message": message}
    return {"metadata": {}, "status": {"conditions": [condition]}}


TOO_FEW = (
    "0/8 nodes are available: 4 Insufficient google.com/tpu, 4 node(s) didn't match Pod's node affinity/selector. "
    "preemption: 0/8 nodes are available: 8 Preemption is not helpful for scheduling."
)
TAINTED = (
    "0/3 nodes are available: 3 node(s) had untolerated taint {google.com/tpu: present}. no new claims to deallocate, "
    "preemption: 0/3 nodes are available: 3 Preemption is not helpful."
)


@pytest.mark.parametrize(
    ("message", "causes"),
    [
        (TOO_FEW, ("Insufficient google.com/tpu", "node(s) didn't match Pod's node affinity/selector")),
        (TAINTED, ("node(s) had untolerated taint {google.com/tpu: present}",)),
        ("no nodes available to schedule pods", ("Unschedulable: no nodes available to schedule pods",)),
        ("", ("Unschedulable",)),
    ],
)
def test_a_scheduler_s_message_is_taken_apart(message: str, causes: tuple[str, ...]):
    assert causes_of_pod(pending(message)) == causes


def test_a_gate_has_no_numbers():
    message = "Scheduling is blocked due to non-empty scheduling gates"
    assert causes_of_pod(pending(message, reason="SchedulingGated")) == ("SchedulingGated",)


def test_a_pod_of_which_nothing_was_told_has_no_cause():
    assert causes_of_pod({"metadata": {}, "status": {}}) == ()
    assert causes_of_pod({"metadata": {}, "status": {"conditions": [{"type": "PodScheduled", "status": "True"}]}}) == ()


def test_what_one_workload_lacks_is_left_out():
    def workload(message: str) -> dict[str, Any]:
        condition = {"type": "QuotaReserved", "status": "False", "reason": "Pending", "message": message}
        return {"metadata": {}, "status": {"conditions": [condition]}}

    text = "couldn't assign flavors to pod set main: insufficient unused quota for cpu in flavor default"
    assert cause_of_workload(workload(f"{text}, 1 more needed")) == text
    assert cause_of_workload(workload(f"{text}, 500m more needed")) == text
    assert cause_of_workload(workload("ClusterQueue shared is inactive")) == "ClusterQueue shared is inactive"
    assert cause_of_workload({"metadata": {}, "status": {}}) == ""


def test_memory_is_bounded():
    causes = WaitingCauses(lambda: 0.0)
    for number in range(MOST_CAUSES + 10):
        causes.take(Waiter("r", BY_SCHEDULER, 0.0), (f"cause {number}",), "")
    rows = causes.rows([])
    assert len(rows) == MOST_CAUSES + 1
    assert next(row["told"] for row in rows if row["cause"] == OTHERS) == 10
