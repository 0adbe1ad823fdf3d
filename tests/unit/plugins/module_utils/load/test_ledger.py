"""The ledger of finished Jobs: over restarts and crashes, and never one namespace's Job for another's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from ansible_collections.kubestress.core.plugins.module_utils.load.ledger import FinishedJob, JobBook, Ledger

JOB = FinishedJob("a-1", "uid-1", "j-1", complete=True, succeeded=3, failed=1)


def find(ledger: Ledger, job: FinishedJob) -> FinishedJob | None:
    return ledger.find(namespace=job.namespace, namespace_uid=job.namespace_uid, name=job.name)


def written(path: Path, *jobs: FinishedJob) -> None:
    ledger = Ledger(path)
    for job in jobs:
        ledger.add(job)
    ledger.close()


def test_a_job_is_found_again_after_a_restart(tmp_path: Path):
    path = tmp_path / "jobs.jsonl"
    failed = replace(JOB, name="j-2", complete=False, cause="BackoffLimitExceeded")
    written(path, JOB, failed)
    assert [find(Ledger(path), job) for job in (JOB, failed)] == [JOB, failed]


def test_the_same_name_in_another_namespace_is_another_job(tmp_path: Path):
    """Namespaces that the run did not make have no uid here; they must not share their Jobs for that."""
    path = tmp_path / "jobs.jsonl"
    written(path, replace(JOB, namespace_uid=""))
    assert find(Ledger(path), replace(JOB, namespace="b-1", namespace_uid="")) is None


def test_a_namespace_made_anew_begins_anew(tmp_path: Path):
    path = tmp_path / "jobs.jsonl"
    written(path, JOB)
    assert find(Ledger(path), replace(JOB, namespace_uid="uid-2")) is None


def test_each_job_is_written_once_also_over_attempts(tmp_path: Path):
    path = tmp_path / "jobs.jsonl"
    for _attempt in range(3):
        written(path, JOB, JOB)
    assert len(path.read_text().splitlines()) == 1


def test_a_line_that_a_crash_cut_off_is_passed_over_and_the_next_one_counts(tmp_path: Path):
    path = tmp_path / "jobs.jsonl"
    written(path, JOB)
    path.write_text(path.read_text() + path.read_text()[:30])
    other = replace(JOB, name="j-2")
    written(path, other)
    again = Ledger(path)
    assert [find(again, JOB), find(again, other)] == [JOB, other]


def test_without_a_file_nothing_is_remembered():
    ledger = Ledger(None)
    ledger.add(JOB)
    assert find(ledger, JOB) is None


def test_the_book_counts_jobs_and_their_pods_by_namespace():
    book = JobBook()
    for job in (JOB, replace(JOB, name="j-2", complete=False), replace(JOB, namespace="b-1")):
        book.add(job)
    assert (book.complete, book.failed) == ({"a-1": 1, "b-1": 1}, {"a-1": 1})
    assert (book.pods_succeeded["a-1"], book.pods_failed["a-1"]) == (6, 2)
