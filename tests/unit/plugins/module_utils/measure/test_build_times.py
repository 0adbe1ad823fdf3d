"""When builds came forward: the first of each counts, but of the Jobs' ends the last."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.module_utils.measure.build_times import BuildTimes


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def pod(phase: str | None) -> dict:
    return {"metadata": {"name": "p"}, "status": {"phase": phase} if phase else {}}


def test_the_times_of_one_role():
    clock = Clock()
    times = BuildTimes(clock)
    assert times.seconds_since("builds") is None
    assert set(times.figures("builds").values()) == {None}
    told = [
        lambda: times.job_stored("builds"),
        lambda: times.pod("builds", pod("Pending")),
        lambda: times.pod("builds", pod("Running")),
        lambda: times.job_stored("builds"),
        lambda: times.pod("builds", pod("Succeeded")),
        lambda: times.job_ended("builds"),
        lambda: times.job_ended("builds"),
        lambda: times.job_removed("builds"),
        lambda: times.job_removed("builds"),
        lambda: times.pod("others", pod("Running")),
    ]
    for tell in told:
        tell()
        clock.now += 1
    assert times.figures("builds") == {
        "first_pod_s": 2, "first_finished_s": 4, "all_finished_s": 6, "first_removed_s": 7
    }  # fmt: skip
    assert times.seconds_since("builds") == 10
    assert set(times.figures("others").values()) == {None}


def test_a_pod_that_is_first_seen_when_it_has_failed_had_started_and_has_not_finished():
    times = BuildTimes(Clock())
    times.job_stored("builds")
    times.pod("builds", pod("Failed"))
    times.pod("builds", pod(None))
    assert times.figures("builds")["first_pod_s"] == 0
    assert times.figures("builds")["first_finished_s"] is None
