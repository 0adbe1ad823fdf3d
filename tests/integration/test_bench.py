"""The bench at tiny sizes: every part measures, and what it compares really did the work."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from bench import h2load, logs, parts
from bench.client import ClientFailedError, measure
from bench.plane import Plane, stub_server
from bench.table import Row, text
from bench.workload import OBJECTS_PER_NAMESPACE, headline, names
from helpers.commands import CHECKOUT


@pytest.fixture
def plane(kubeconfig: Path) -> Plane:
    return Plane.from_kubeconfig(kubeconfig)


def run_bench(*arguments: str, plane: Plane, output: Path) -> tuple[str, dict]:
    command = [sys.executable, "tests/bench", "--quick", f"--kubeconfig={plane.kubeconfig}", f"--output={output}"]
    command += [f"--only={name}" for name in arguments]
    done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout, json.loads(output.read_text())


def test_the_table_and_the_figures_agree(plane: Plane, tmp_path: Path) -> None:
    wanted = ["playbook", "headline", "observe", "live", "scaling", "memory", "preflight", "truenas", "storage"]
    wanted += ["storage_watch", "accelerators"]
    if shutil.which("h2load"):
        wanted.append("creation")
    shown, document = run_bench(*wanted, plane=plane, output=tmp_path / "bench.json")
    rows = {row["name"]: row for row in document["rows"]}
    assert all(name in shown for name in rows)
    assert {name.partition(":")[0] for name in rows} == set(wanted)
    assert all(row["value"] > 0 for row in rows.values())
    ratio = rows["headline: engine / bare loop"]
    (ours,) = rows["headline: engine, first request to all available"]["samples"]
    (bare,) = rows["headline: bare loop, first request to all available"]["samples"]
    assert ratio["value"] == pytest.approx(ours / bare)
    assert ratio["reached"] is (ratio["value"] <= ratio["goal"])


@pytest.mark.parametrize("client", ["engine", "reference"])
def test_a_client_makes_every_object_and_waits(plane: Plane, client: str) -> None:
    run_id = f"bench-{client}-{os.getpid()}"
    done = measure(plane, client=client, run_id=run_id, fragments=headline(), namespaces=names(run_id, 2))
    assert done.objects == 2 * OBJECTS_PER_NAMESPACE
    # A simulated pod starts half a second after it was scheduled, so nobody can be done before.
    assert done.seconds > done.sending_seconds
    assert done.seconds > 0.5
    assert done.cpu_seconds < done.seconds


@pytest.mark.parametrize("client", ["engine", "reference"])
def test_a_client_that_fails_is_no_measurement(plane: Plane, client: str) -> None:
    with pytest.raises(ClientFailedError, match="Bad_Name"):
        measure(plane, client=client, run_id="bench-bad", fragments=headline(), namespaces=["Bad_Name"])


@pytest.mark.parametrize("client", ["engine", "reference"])
def test_the_stub_makes_clients_believe_it(client: str) -> None:
    with stub_server() as server:
        done = measure(server, client=client, run_id="stub", fragments=headline(), namespaces=names("stub", 3))
    assert done.objects == 3 * OBJECTS_PER_NAMESPACE


def test_h2load_output_with_a_refused_request_is_an_error() -> None:
    good = "finished in 2.00s, 50.00 req/s, 10KB/s\nstatus codes: 100 2xx, 0 3xx, 0 4xx, 0 5xx\n"
    assert h2load.parsed(good, wanted=100).rate == 50.0
    with pytest.raises(h2load.H2loadError, match="did not create 100"):
        h2load.parsed(good.replace("100 2xx, 0 3xx, 0 4xx", "99 2xx, 0 3xx, 1 4xx"), wanted=100)


def test_logs_are_read_beside_grep() -> None:
    rows = {row.name: row for row in logs.gather(parts.QUICK)}
    measured = {name.partition(",")[0] for name in rows}
    assert measured == {"gather: plain log", "gather: gzip log", "gather: tree of logs"}
    assert all(row.value > 0 for row in rows.values())
    requests = {row.note for name, row in rows.items() if name.endswith("log")}
    assert len(requests) == 1, "both are the same log"


def test_a_missed_goal_is_said() -> None:
    rows = [
        Row(name="ratio", value=0.9, unit="", goal=0.95, at_least=True),
        Row(name="memory", value=50, unit="MB", goal=parts.RSS_MB),
        Row(name="rate", value=1234, unit="/s"),
    ]
    assert [row.reached for row in rows] == [False, True, None]
    shown = text(rows).splitlines()
    assert "MISSED" in shown[2]
    assert "reached" in shown[3]
    assert "1,234 /s" in shown[4]
