"""Operations of a network plug-in: each request once, by minute and hour of the clock; and a kubelet's counters."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.module_utils.measure.network import (
    HOUR,
    KUBELET,
    MINUTE,
    PLUGIN,
    CallCounters,
    RequestLog,
    added,
    counts_of,
    minutes_of,
    rows_of,
)

#: 2026-11-21T03:59:30Z
BEGIN = 1795233570
ONE, TWO, THREE = ("%064x" % (number * 7919) for number in (1, 2, 3))


def line(seconds: int, verb: str, container: str, code: int = 0) -> bytes:
    return f"{BEGIN + seconds} {verb} {container} {code}\n".encode()


def test_each_request_counts_once_in_its_first_minute_and_failed_once() -> None:
    log = RequestLog()
    text = line(0, "ADD", ONE) + line(5, "ADD", TWO, 1) + line(20, "DEL", ONE)
    log.take(text)
    # A kubelet repeats the end of a network for as long as it does not hear that it is done.
    text += line(40, "DEL", ONE, 1) + line(50, "DEL", ONE, 1) + line(90, "DEL", TWO) + line(95, "ADD", THREE)
    log.take(text)
    log.take(text)
    rows = rows_of({PLUGIN: log.minutes}, MINUTE)
    assert rows == [
        {"start": "2026-11-21T03:59:00Z", "sources": {PLUGIN: {"add": 2, "del": 1, "failed": 2, "total": 3}}},
        {"start": "2026-11-21T04:01:00Z", "sources": {PLUGIN: {"add": 1, "del": 1, "failed": 0, "total": 2}}},
    ]
    assert [row["start"][11:13] for row in rows_of({PLUGIN: log.minutes}, HOUR)] == ["03", "04"]
    assert minutes_of(rows) == {PLUGIN: log.minutes}


def test_what_was_there_before_is_not_counted_and_half_a_line_waits() -> None:
    log = RequestLog()
    text = line(0, "ADD", ONE)
    log.take(text, counts=False)
    text += line(70, "DEL", ONE) + line(71, "ADD", TWO)[:20]
    log.take(text)
    assert counts_of(log.minutes) == {"add": 0, "del": 1, "failed": 0, "total": 1}
    text += line(71, "ADD", TWO)[20:] + line(72, "ADD", ONE, 1)
    log.take(text)
    assert counts_of(log.minutes) == {"add": 1, "del": 1, "failed": 0, "total": 2}


def test_a_log_that_begins_anew_is_read_from_its_beginning() -> None:
    log = RequestLog()
    log.take(line(0, "ADD", ONE) + line(1, "ADD", TWO))
    log.take(line(9, "ADD", THREE))
    assert counts_of(log.minutes)["add"] == 3


def test_lines_of_another_form_are_not_counted() -> None:
    log = RequestLog()
    log.take(b"<html>\n" + line(0, "CHECK", ONE) + b"x " + line(0, "ADD", ONE) + b"1795233570 ADD short 0\n")
    assert log.minutes == {}


def metrics(run: int, stop: int, *, failed: int = 0) -> bytes:
    return f"""# TYPE kubelet_runtime_operations_total counter
kubelet_runtime_operations_total{{operation_type="run_podsandbox"}} {run}
kubelet_runtime_operations_total{{operation_type="stop_podsandbox"}} {stop}
kubelet_runtime_operations_total{{operation_type="list_containers"}} 5000
kubelet_runtime_operations_errors_total{{operation_type="run_podsandbox"}} {failed}
kubelet_runtime_operations_errors_total{{operation_type="container_status"}} 70
""".encode()


def test_counters_of_a_kubelet_count_from_the_first_reading_and_through_a_restart() -> None:
    calls = CallCounters()
    assert calls.take(metrics(100, 90), at=BEGIN)
    assert calls.minutes == {}
    calls.take(metrics(110, 90, failed=2), at=BEGIN + 10)
    calls.take(metrics(110, 90, failed=2), at=BEGIN + 100)
    # Another process.
    calls.take(metrics(3, 1), at=BEGIN + 200)
    assert rows_of({KUBELET: calls.minutes}, MINUTE) == [
        {"start": "2026-11-21T03:59:00Z", "sources": {KUBELET: {"add": 10, "del": 0, "failed": 2, "total": 10}}},
        {"start": "2026-11-21T04:02:00Z", "sources": {KUBELET: {"add": 3, "del": 1, "failed": 0, "total": 4}}},
    ]
    assert not CallCounters().take(b"process_start_time_seconds 1\n", at=BEGIN)


def test_nodes_are_added_up() -> None:
    assert added([{1: [1, 2, 0]}, {1: [1, 0, 1], 2: [0, 1, 0]}]) == {1: [2, 2, 1], 2: [0, 1, 0]}
