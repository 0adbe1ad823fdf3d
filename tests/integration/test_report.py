"""kubestress.core.report, as action and role, on what real batches left behind, also killed ones."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from helpers.commands import Completed, command_environment, started_playbook
from helpers.processes import descendants, described, kill_tree
from helpers.waiting import until
from jsonschema import Draft202012Validator, FormatChecker
from prometheus_client.openmetrics.parser import text_string_to_metric_families

CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((CHECKOUT / "docs" / "summary.schema.json").read_text())

NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata:
  name: "{{ namespace }}"
"""
JOB = """
apiVersion: batch/v1
kind: Job
metadata:
  name: build-{{ index }}
spec:
  completions: 2
  parallelism: 2
  backoffLimit: 0
  template:
    metadata:
      annotations:
        kubestress.core/simulate-duration: "{{ duration }}"
        kubestress.core/simulate: "{{ simulate }}"
    spec:
      restartPolicy: Never
      containers:
        - name: build
          image: registry.k8s.io/pause:3.10
"""
BOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.import_role:
        name: kubestress.core.run
    - kubestress.core.batch:
        run_id: "{{ kubestress_run.run_id }}"
        namespace_prefix: "{{ kubestress_settings.namespaces_prefix }}"
        namespace_total: "{{ kubestress_settings.namespaces_total }}"
        results_dir: "{{ kubestress_run.attempt_dir }}"
        ledger: "{{ kubestress_run.results_dir }}/jobs.jsonl"
        observe:
          node_interval: 1
        fragments: "{{ fragments }}"
      register: batch
      ignore_errors: true
    - ansible.builtin.set_fact:
        report_error: "{{ batch.msg | default('') }}"
    - ansible.builtin.import_role:
        name: kubestress.core.report
    - ansible.builtin.copy:
        content: "{{ report_result | to_json }}"
        dest: "{{ kept }}"
        mode: "0644"
"""
REPORT_ONLY = """
- hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - kubestress.core.report:
        results_dir: "{{ results_dir }}"
"""

ROLE_ALONE = """
- hosts: localhost
  connection: local
  gather_facts: false
  roles:
    - kubestress.core.report
  tasks:
    - ansible.builtin.assert:
        that: report_result.verdict == 'aborted'
"""

Run = Callable[..., Completed]


@pytest.fixture
def variables(tmp_path: Path, run_id: str, prefix: str) -> Callable[..., dict[str, Any]]:
    """Return a function that makes the variables of BOOK."""
    book = tmp_path / "book.yml"
    book.write_text(BOOK)

    def make(*, duration: str = "1s", simulate: str = "", jobs: int = 2) -> dict[str, Any]:
        fragments = [
            {"role": "namespaces", "count": 1, "steps": [[{"content": NAMESPACE}]]},
            {
                "role": "build_jobs",
                "count": jobs,
                "active": 1,
                "ready_timeout": 120,
                "variables": {"duration": duration, "simulate": simulate},
                "steps": [[{"content": JOB}]],
            },
        ]
        return {
            "run_id": run_id,
            "namespaces_prefix": prefix,
            "namespaces_total": 2,
            "run_results_dir": str(tmp_path / "results"),
            "fragments": fragments,
            "kept": str(tmp_path / "kept.json"),
        }

    return make


def unsafe(chosen: dict[str, Any], path: Path) -> Path:
    """Write the variables to a file in which the fragments' templates are the engine's, not Ansible's."""
    contents = [item for fragment in chosen["fragments"] for step in fragment["steps"] for item in step]
    for item in contents:
        item["content"] = "{% raw %}" + item["content"] + "{% endraw %}"
    path.write_text(json.dumps(chosen))
    return path


@pytest.fixture
def run(tmp_path: Path, ansible_playbook: Any, variables: Any) -> Run:
    """Return a function that runs BOOK with changed variables."""

    def run_book(*arguments: str, **changed: Any) -> Completed:
        path = unsafe(variables(**changed), tmp_path / "variables.json")
        done: Completed = ansible_playbook(tmp_path / "book.yml", "-e", f"@{path}", *arguments)
        return done

    return run_book


def summary_of(folder: Path) -> dict[str, Any]:
    """Return summary.json, which is valid by the schema that is shipped."""
    summary: dict[str, Any] = json.loads((folder / "summary.json").read_text())
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(summary)
    return summary


def test_a_run_that_went_well_and_the_same_again(run, tmp_path, run_id, prefix, kubectl):
    done = run()
    assert done.rc == 0, done.output
    folder = tmp_path / "results" / run_id
    summary = summary_of(folder)
    assert (summary["verdict"], summary["attempt"], summary["reasons"]) == ("passed", 1, [])
    jobs = kubectl("get", "jobs", "-A", "-l", f"kubestress.core/run-id={run_id}")["items"]
    assert summary["objects"]["Job"]["created"] == len(jobs) == 4
    assert summary["jobs"]["complete"] == len([job for job in jobs if job["status"].get("succeeded") == 2])
    assert summary["pods"]["succeeded"] == 8
    assert {row["name"] for row in summary["namespaces"]} == {f"{prefix}-1", f"{prefix}-2"}
    processes = dict(summary["processes"]["per_build_pod"])
    assert processes.pop("cause").endswith(": simulated node: it runs no processes")
    assert processes == {"min": None, "median": None, "max": None, "samples": 0, "source": "none"}
    kept = json.loads((tmp_path / "kept.json").read_text())
    assert kept["summary_path"] == str(folder / "summary.json")
    for line in kept["table"]:
        assert line in done.stdout
    assert f"  results   {folder / 'summary.json'}" in done.stdout
    assert (folder / "attempts" / "1" / "run.log").read_text().splitlines()[-len(kept["table"]) :] == kept["table"]

    again = run()
    assert again.rc == 0, again.output
    newest = summary_of(folder)
    assert (newest["verdict"], newest["attempt"]) == ("passed", 2)
    assert (newest["objects"]["Job"]["created"], newest["objects"]["Job"]["unchanged"]) == (0, 4)
    assert summary_of(folder / "attempts" / "1") == summary
    assert summary_of(folder / "attempts" / "2") == newest


def test_jobs_that_fail_are_named_with_their_pods_reasons(run, tmp_path, run_id, prefix):
    done = run(simulate="oom-killed")
    assert done.rc == 0, done.output
    summary = summary_of(tmp_path / "results" / run_id)
    assert summary["verdict"] == "failed"
    assert summary["reasons"][0] == "Job: 4 of 4 failed"
    assert any(reason.startswith(f"Job {prefix}-1/build-1: not ready: ") for reason in summary["reasons"])
    # A Job that has failed stops its other pod, which then counts as failed without having been killed for memory.
    assert 4 <= summary["pods"]["causes"]["OOMKilled"] <= summary["pods"]["failed"] <= 8
    for row in summary["namespaces"]:
        assert row["jobs_failed"] == 2
        assert "OOMKilled" in {pod["reason"] for pod in row["failed_pods"]}
    failures = (tmp_path / "results" / run_id / "failures.jsonl").read_text().splitlines()
    assert len([line for line in failures if json.loads(line)["kind"] == "Job"]) == 4
    assert "verdict   FAILED" in done.stdout


def wait_while_running(process: subprocess.Popen[bytes], look: Callable[[], Any], *, seconds: float) -> None:
    """Wait for a condition that only a process still at work brings about."""

    def met() -> bool:
        assert process.poll() is None, "the playbook ended by itself"
        return bool(look())

    until(met, seconds=seconds)


@pytest.fixture
def at_work(run, tmp_path, run_id, variables, kubeconfig) -> Iterator[tuple[subprocess.Popen[bytes], Path]]:
    """Yield a playbook in the middle of its batch, which takes two minutes, and the folder of its attempt."""
    path = unsafe(variables(duration="120s", jobs=3), tmp_path / "variables.json")
    process = subprocess.Popen(
        ["ansible-playbook", str(tmp_path / "book.yml"), "-e", f"@{path}"],
        env=command_environment({"K8S_AUTH_KUBECONFIG": str(kubeconfig)}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    attempt = tmp_path / "results" / run_id / "attempts" / "1"
    try:
        wait_while_running(process, lambda: list((attempt / "batches").glob("*.json")), seconds=180)
        yield process, attempt
    finally:
        kill_tree(process)


def test_a_batch_ends_when_its_playbook_is_killed(at_work):
    process, attempt = at_work
    below = set(descendants(process.pid))
    assert below
    process.kill()
    process.wait()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in below), seconds=180)
    (batch,) = (json.loads(path.read_text()) for path in (attempt / "batches").glob("*.json"))
    assert batch["aborted"] == "the playbook that ran this batch is gone"
    assert batch["finished"]


def test_a_killed_run_can_still_be_reported(at_work, tmp_path, run_id, ansible_playbook):
    process, attempt = at_work
    kill_tree(process)
    book = tmp_path / "report.yml"
    book.write_text(REPORT_ONLY)
    done = ansible_playbook(book, extra_vars={"results_dir": str(attempt)})
    assert done.rc == 0, done.output
    summary = summary_of(tmp_path / "results" / run_id)
    assert summary["verdict"] == "aborted"
    assert "the batch did not finish" in summary["reasons"][0]
    assert summary["objects"]["Job"]["created"] >= 1
    assert "verdict   ABORTED" in done.stdout


# --- the playbook report ---------------------------------------------------------------------------------------------


@pytest.fixture
def killed_run(tmp_path: Path, run_id: str, prefix: str, kubeconfig: Path) -> Path:
    """Return the folder of a run of a whole playbook that was killed, with all its processes, in the middle."""
    chosen = {
        "run_id": run_id,
        "run_results_dir": str(tmp_path / "results"),
        "namespaces_prefix": prefix,
        # The builds take minutes: the middle is long.
        "build_jobs_time_scale": 5,
        "observe_api_interval": 1,
    }
    process = started_playbook("kubestress.core.smoke", chosen, kubeconfig=kubeconfig, cwd=tmp_path)
    folder = tmp_path / "results" / run_id
    try:
        wait_while_running(process, lambda: _was_measured(folder), seconds=120)
    finally:
        kill_tree(process)
    return folder


def _was_measured(folder: Path) -> bool:
    """Whether both a batch's figures, all Deployments among them, and a reading of the API server are on disk."""
    found = [json.loads(path.read_text()) for path in folder.glob("attempts/1/observations/*.json")]
    is_read_again = any((one["api_server"].get("scrapes") or 0) > 1 for one in found)
    batches = [json.loads(path.read_text()) for path in folder.glob("attempts/1/batches/*.json")]
    return is_read_again and any(one["objects"]["Deployment"]["created"] == 6 for one in batches)


def test_what_a_killed_playbook_had_measured_is_rendered_without_a_cluster(killed_run, run_id, cluster_free_playbook):
    assert not (killed_run / "summary.json").exists()
    chosen = {"run_id": run_id, "run_results_dir": str(killed_run.parent)}
    done = cluster_free_playbook("kubestress.core.report", extra_vars=chosen)
    assert done.rc == 0, done.output

    summary = summary_of(killed_run)
    assert (summary["verdict"], summary["attempt"]) == ("aborted", 1)
    assert "the batch did not finish; its measurements up to then are included" in summary["reasons"][0]
    assert summary["stopped_by"] == "killed"
    assert summary["objects"]["Deployment"]["created"] == 6
    assert summary["requests"]["create"]["Deployment"]["count"] >= 6
    assert summary["api_server"]["source"] == "metrics"
    assert summary["validity"]["trust"] == "poor"
    timeline = json.loads((killed_run / "timeline.json").read_text())
    assert sum(value or 0 for value in timeline["load"]["series"]["requests"]) > 40
    assert timeline["api_server"]["t"]

    cases = ElementTree.parse(killed_run / "junit.xml").getroot().iter("testcase")
    ended = {case.attrib["name"]: [child.tag for child in case] for case in cases}
    assert ended["the run finishes"] == ["error"]
    assert ended["every Deployment is stored"] == []
    samples = {
        (sample.name, sample.labels.get("verdict")): sample.value
        for family in text_string_to_metric_families((killed_run / "metrics.prom").read_text())
        for sample in family.samples
    }
    assert samples["kubestress_run_verdict", "aborted"] == 1
    assert "aborted" in (killed_run / "report.html").read_text()
    for name in ("summary.json", "timeline.json", "report.html", "junit.xml", "metrics.prom"):
        assert (killed_run / "attempts" / "1" / name).read_text() == (killed_run / name).read_text()
    assert [path.name for path in (killed_run / "attempts").iterdir()] == ["1"]
    assert f"  page      {killed_run / 'report.html'}" in done.stdout

    # Again, and less of it: the same answer, whenever it is asked for.
    again = cluster_free_playbook("kubestress.core.report", extra_vars={**chosen, "report_formats": "junit, metrics"})
    assert again.rc == 0, again.output
    assert summary_of(killed_run) == summary


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"run_id": "r9"}, "run_id: no run 'r9' in {results}; runs there: r1"),
        ({"run_id": ""}, "run_id: none is given; name one"),
        ({"run_results_dir": "/no/such/folder"}, "run_results_dir: folder /no/such/folder does not exist"),
        ({"report_attempt": 3}, "report_attempt: run r1 has no attempt 3; its attempts: 1"),
        ({"report_formats": "pdf"}, "report_formats: 'pdf' is not allowed; choose one of html, junit, metrics"),
        ({"report_format": "html"}, "report_format: no role of kubestress.core has such a variable"),
    ],
)
def test_the_playbook_names_what_is_wrong(wrong, told, cluster_free_playbook, tmp_path):
    results = tmp_path / "results"
    (results / "r1" / "attempts" / "1").mkdir(parents=True)
    done = cluster_free_playbook(
        "kubestress.core.report", extra_vars={"run_id": "r1", "run_results_dir": str(results), **wrong}
    )
    assert done.rc != 0
    assert told.format(results=results) in done.output
    assert [path.name for path in results.rglob("*") if path.is_file()] == []


def test_formats_that_there_are_not_are_refused_before_anything_is_created(cluster_free_playbook, tmp_path):
    chosen = {"report_formats": "html,pdf", "report_slo_required": "perhaps", "run_results_dir": str(tmp_path / "x")}
    done = cluster_free_playbook("kubestress.core.smoke", extra_vars=chosen)
    assert done.rc != 0
    assert "report_formats: 'pdf' is not allowed; choose one of html, junit, metrics" in done.output
    assert "report_slo_required: 'perhaps' is not true or false" in done.output
    assert not (tmp_path / "x").exists()


def test_a_run_that_never_reached_the_cluster(run, tmp_path, run_id, ansible_playbook, variables):
    path = unsafe(variables(), tmp_path / "variables.json")
    nowhere = {"K8S_AUTH_KUBECONFIG": str(tmp_path / "no-such-kubeconfig")}
    done = ansible_playbook(tmp_path / "book.yml", "-e", f"@{path}", env=nowhere)
    assert done.rc == 0, done.output
    summary = summary_of(tmp_path / "results" / run_id)
    assert summary["verdict"] == "aborted"
    assert summary["reasons"] == [f"K8S_AUTH_KUBECONFIG: no file at {tmp_path}/no-such-kubeconfig"]
    assert summary["jobs"]["complete"] is None


def on_a_terminal(*command: str, env: dict[str, str]) -> str:
    """Return what a command prints on a terminal of its own."""
    controller, terminal = pty.openpty()
    process = subprocess.Popen(command, stdin=terminal, stdout=terminal, stderr=terminal, env=env)
    os.close(terminal)
    output = b""
    while True:
        try:
            part = os.read(controller, 65536)
        except OSError:  # Linux's way of saying that the other side is closed
            break
        if not part:
            break
        output += part
    os.close(controller)
    assert process.wait() == 0, output.decode()
    return output.decode()


def test_colour_on_a_terminal_and_none_where_it_is_not_wanted(cluster_free_playbook, tmp_path):
    attempt = tmp_path / "results" / "r1" / "attempts" / "1"
    attempt.mkdir(parents=True)
    (attempt / "run.json").write_text(json.dumps({"schema": 1, "run_id": "r1", "attempt": 1}))
    book = tmp_path / "report.yml"
    book.write_text(REPORT_ONLY)
    command = ("ansible-playbook", str(book), "-e", f"results_dir={attempt}")
    environment = command_environment({"TERM": "xterm-256color"})
    red, escape = "\x1b[0;31m", "\x1b["
    plain = on_a_terminal(*command, env=environment)
    assert escape not in plain
    del environment["ANSIBLE_NOCOLOR"]
    assert f"{red}  verdict   ABORTED" in on_a_terminal(*command, env=environment)
    assert escape not in cluster_free_playbook(book, extra_vars={"results_dir": str(attempt)}).output


def test_the_role_alone_reports_on_an_earlier_run(cluster_free_playbook, tmp_path):
    """As cleanup does: a play with nothing but the role has no run of its own, and needs no more than run_id."""
    attempt = tmp_path / "results" / "r1" / "attempts" / "1"
    attempt.mkdir(parents=True)
    (attempt / "run.json").write_text(json.dumps({"schema": 1, "run_id": "r1", "attempt": 1}))
    book = tmp_path / "report.yml"
    book.write_text(ROLE_ALONE)
    results = {"run_results_dir": str(tmp_path / "results")}
    done = cluster_free_playbook(book, extra_vars={"run_id": "r1", **results})
    assert (done.rc, (attempt / "summary.json").exists()) == (0, True), done.output
    nameless = cluster_free_playbook(book, extra_vars=results)
    assert (nameless.rc, "run_id: none is given" in nameless.output) == (2, True), nameless.output


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_an_interrupted_playbook_leaves_on_the_screen_what_to_do(
    tmp_path: Path, run_id: str, prefix: str, kubeconfig: Path, kubectl: Any, number: signal.Signals
) -> None:
    chosen = {
        "run_id": run_id,
        "run_results_dir": str(tmp_path / "results"),
        "namespaces_prefix": prefix,
        "build_jobs_time_scale": 5,
        "kubestress_kubeconfig": str(kubeconfig),
        "kubestress_validate_certs": True,
    }
    screen, batches = tmp_path / "screen.txt", tmp_path / "results" / run_id / "attempts" / "1" / "batches"
    with screen.open("w") as file:
        process = subprocess.Popen(
            ["ansible-playbook", "kubestress.core.smoke", "-e", json.dumps(chosen)],
            env=command_environment({}),
            cwd=tmp_path,
            stdout=file,
            stderr=file,
        )
    try:
        wait_while_running(process, lambda: list(batches.glob("*.json")), seconds=120)
        process.send_signal(number)
        try:
            process.wait(timeout=120)
        except subprocess.TimeoutExpired:
            pytest.fail(f"it goes on:\n{described(process.pid)}\n{screen.read_text()}")
        until(lambda: json.loads(next(batches.glob("*.json")).read_text())["finished"], seconds=120)
    finally:
        kill_tree(process)

    found = re.findall(r"^  (report|clean up) +(ansible-playbook .*)$", screen.read_text(), re.MULTILINE)
    assert [what for what, _command in found] == ["report", "clean up"], screen.read_text()
    for _what, command in found:
        done = subprocess.run(
            command,
            check=False,
            shell=True,
            env=command_environment({}),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=600,
        )
        assert done.returncode == 0, done.stdout + done.stderr
    summary = summary_of(tmp_path / "results" / run_id)
    assert summary["verdict"] == "aborted"
    # Whichever the module notices first.
    assert summary["stopped_by"] in ("signal", "playbook")
    assert kubectl("get", "namespaces", "-l", f"kubestress.core/run-id={run_id}")["items"] == []
