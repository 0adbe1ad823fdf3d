"""Jobs' durations and retried pods, out of the Jobs' own status."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.measure.job_times import JobEnd, JobTimes, job_end

BEGIN, END, LATER = "2026-11-21T07:00:00Z", "2026-11-21T07:01:30Z", "2026-11-21T07:02:00Z"
ENDED = 1_795_244_490


def job(
    *conditions: str, uid: str = "u", begin: str | None = BEGIN, completed: str | None = None, at: str = END,
    completions: int | None = 1, parallelism: int = 1, **counts: int,
) -> dict[str, Any]:  # fmt: skip
    """Return a Job with these conditions, `False` ones with a - in front."""
    told = [
        {"type": word.lstrip("-"), "status": "False" if word[0] == "-" else "True", "lastTransitionTime": at}
        for word in conditions
    ]
    spec = {"parallelism": parallelism, **({} if completions is None else {"completions": completions})}
    status = {"startTime": begin, "completionTime": completed, "conditions": told, **counts}
    return {"metadata": {"uid": uid, "name": "j"}, "spec": spec, "status": status}


CASES = {
    "works": (job(active=1), None),
    "has no status": ({"metadata": {"uid": "u"}}, None),
    "is about to fail, its pods still run": (job("FailureTarget", failed=1), None),
    "is suspended and was not": (job("-Suspended", "-Failed"), None),
    "is complete": (job("SuccessCriteriaMet", "Complete", completed=END, at=LATER, succeeded=1), (True, 90, 0)),
    "is complete without saying when": (job("Complete", succeeded=1), (True, 90, 0)),
    "never said when it began": (job("Complete", begin=None, completed=END, succeeded=1), (True, None, 0)),
    "is complete after two tries": (job("Complete", completed=END, succeeded=1, failed=2), (True, 90, 2)),
    "has failed at its last try": (job("FailureTarget", "Failed", failed=3), (False, 90, 2)),
    "has failed at once": (job("Failed", failed=1), (False, 90, 0)),
    "has failed in one of its four": (
        job("Failed", completions=4, parallelism=4, succeeded=3, failed=3),
        (False, 90, 2),
    ),
    "was given up before all had begun": (job("Failed", completions=9, succeeded=2, failed=1), (False, 90, 0)),
    "is a queue's and has failed": (
        job("Failed", completions=None, parallelism=2, succeeded=1, failed=2),
        (False, 90, 1),
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_a_job_that(name: str):
    obj, wanted = CASES[name]
    end = job_end(obj)
    assert (end and (end.complete, end.seconds, end.retried)) == wanted


def test_each_job_counts_once_over_all_its_events():
    times = JobTimes()
    first = job("Complete", uid="a", completed=END, succeeded=1, failed=1)
    for each in (job(uid="a"), first, first, job("Failed", uid="b", at=LATER, failed=2), job(uid="c")):
        times.observe(each)
    assert (times.complete, times.failed) == (1, 1)
    figures = times.figures()
    assert figures["pods_retried"] == 2
    assert (figures["duration"]["count"], figures["duration"]["max_s"]) == (2, 120)
    assert figures["duration"]["p50_s"] == pytest.approx(90, rel=0.01)
    assert figures["duration"]["histogram"]["count"] == 2


def test_jobs_that_had_ended_before_do_not_count():
    times = JobTimes(ended_since=ENDED + 1)
    for each in (job("Complete", uid="a", completed=END), job("Failed", uid="b", at=LATER)):
        times.observe(each)
    assert (times.complete, times.failed) == (0, 1)


def test_a_job_without_times_counts_without_a_duration():
    times = JobTimes()
    times.add(JobEnd(complete=True, seconds=None, retried=0))
    assert (times.complete, times.figures()["duration"]["count"], times.figures()["duration"]["p50_s"]) == (1, 0, None)
