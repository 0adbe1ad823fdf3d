"""What pods that check the Services tell, and who counts it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.service_checks import (
    BOUNDS_S,
    ServiceChecks,
    told_in,
    words_of,
)

SCRIPT = Path(__file__).resolve().parents[5] / "roles" / "connectivity" / "files" / "check.sh"
NOTHING = "0,0,0,0,0,0,0,0,0,0,0,0,0,0"
FAST = "0,2,1,0,0,0,0,0,0,0,0,0,0,0"
SLOW = "0,0,0,0,0,0,0,0,0,0,0,0,0,3"


def line(**changed: Any) -> str:
    """Return the last line of a pod's message, here of three requests."""
    told = {"requests": 3, "failed": 0, "codes": "200:3", "name_lookup": "-", "connect": "-", "first_byte": "-"}
    return "kubestress-timings-1 " + " ".join(
        f"{key}={value}" for key, value in (told | {"total": FAST} | changed).items()
    )


def pod(message: str | None, *, uid: str = "u", phase: str = "Succeeded") -> dict[str, Any]:
    """Return a pod whose container has ended with this message."""
    ended = {"exitCode": 0, **({} if message is None else {"message": message})}
    statuses = [{"name": "check", "state": {"terminated": ended}}]
    return {"metadata": {"uid": uid, "name": uid}, "status": {"phase": phase, "containerStatuses": statuses}}


def test_bounds_are_those_of_the_script():
    found = re.search(r"^bounds='([\d ]+)'", SCRIPT.read_text(), re.MULTILINE)
    assert found is not None
    assert tuple(int(bound) / 1e6 for bound in found[1].split()) == BOUNDS_S[:-1]


def test_the_last_line_tells_and_the_others_are_for_people():
    message = f"round 1: deployment-1 at 10.0.0.1: answered HTTP 503\n{line(failed=1, codes='200:2,503:1')}\n"
    told = told_in(message)
    assert told is not None
    assert (told.requests, told.failed, told.codes) == (3, 1, {"200": 2, "503": 1})
    assert told.phases == {"total": (0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)}
    assert words_of(message) == "round 1: deployment-1 at 10.0.0.1: answered HTTP 503"
    assert words_of("sh: can't fork\n") == "sh: can't fork\n"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "\n\n",
        "panic: no such file",
        line() + "\nsomething after it",
        "before " + line(),
        line() + " after",
        line().replace("timings-1", "timings-2"),
        line(requests=-3),
        line(requests="9" * 10),
        line(requests="³"),
        line(requests="NaN"),
        line(failed=4),
        line(codes="200:4"),
        line(codes="<b>:1"),
        line(codes="200:1,"),
        line(total="1,2"),
        line(total=FAST + ",0"),
        line(total=NOTHING[:-1] + "4"),
        line(total=FAST.replace(",", " ")),
        line(total=""),
    ],
)
def test_what_is_no_such_line_or_contradicts_itself_is_not_counted(message: str):
    checks = ServiceChecks()
    assert told_in(message) is None
    checks.take(pod(message))
    assert checks.figures() == {"pods": 1, "told": 0, "requests": None, "failed": None, "codes": {}, "phases": {}}


def test_pods_add_up_and_each_counts_once_when_it_has_ended():
    checks = ServiceChecks()
    checks.take(pod(line(), uid="a", phase="Running"))
    for _event in range(2):
        checks.take(pod(line(), uid="a"))
        checks.take(pod(line(failed=3, codes="503:3", connect=FAST, total=SLOW), uid="b", phase="Failed"))
        checks.take(pod(None, uid="simulated"))
    figures = checks.figures()
    assert (figures["pods"], figures["told"], figures["requests"], figures["failed"]) == (3, 2, 6, 3)
    assert figures["codes"] == {"200": 3, "503": 3}
    assert list(figures["phases"]) == ["connect", "total"]
    buckets = figures["phases"]["total"]["buckets"]
    assert (buckets["0.001"], buckets["0.002"], buckets["0.005"], buckets["10"], buckets["+Inf"]) == (0, 2, 3, 3, 6)


def test_a_pod_without_a_status_is_no_error():
    checks = ServiceChecks()
    checks.take({"metadata": {"uid": "u"}})
    checks.take({"metadata": {"uid": "v"}, "status": {"phase": "Failed", "reason": "Evicted"}})
    assert checks.figures()["pods"] == 1
