"""A run whose module process is killed, as by the kernel when memory runs out."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.commands import command_environment
from helpers.fault_suite import Row, Scene
from helpers.processes import descendants, kill_tree
from helpers.waiting import until

KINDS = "configmaps,secrets,deployments.apps,statefulsets.apps,services,jobs.batch"
#: ansible-playbook, in which the module's death is not looked for.
WITHOUT = (
    "import ansible.cli.playbook as cli; from ansible.plugins.loader import init_plugin_loader; init_plugin_loader(); "
    "from ansible_collections.kubestress.core.plugins.plugin_utils import module_action; "
    "module_action.death_of = lambda answer: None; cli.main()"
)


@pytest.fixture
def start(scene: Scene, without_defence: bool, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Yield a function that starts the playbook of profile smoke; its output goes to the file `output`."""
    running = []

    def begin() -> subprocess.Popen[bytes]:
        chosen = {
            "run_id": scene.run_id,
            "run_results_dir": str(tmp_path / "kubestress-results"),
            "namespaces_prefix": scene.own,
            "namespaces_total": 1,
            "build_jobs_ttl": 3600,
            # Longer than until the first snapshot.
            "build_jobs_time_scale": 0.2,
        }
        program = [sys.executable, "-c", WITHOUT] if without_defence else ["ansible-playbook"]
        python_path = {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)} if without_defence else {}
        with (tmp_path / "output").open("wb") as output:
            process = subprocess.Popen(
                [*program, "kubestress.core.smoke", "-e", json.dumps(chosen)],
                env=command_environment({"K8S_AUTH_KUBECONFIG": str(scene.kubeconfig), **python_path}),
                cwd=tmp_path,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        running.append(process)
        return process

    yield begin
    for process in running:
        kill_tree(process)


def module_of(process: subprocess.Popen[bytes]) -> int | None:
    """The process in which the playbook's batch runs, and not the shell around it."""
    for pid in descendants(process.pid):
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        if b"python" in words[0] and any(word.endswith(b"AnsiballZ_batch.py") for word in words[1:]):
            return pid
    return None


def stored(scene: Scene) -> Counter[str]:
    """The run's objects by kind, as kubectl finds them, without what controllers made of them."""
    selector = ("-l", f"kubestress.core/run-id={scene.run_id}")
    items = scene.kubectl("get", KINDS, "-A", *selector)["items"]
    items += scene.kubectl("get", "namespaces", *selector)["items"]
    return Counter(item["kind"] for item in items if not item["metadata"].get("ownerReferences"))


@pytest.mark.outage
def test_a_module_that_is_killed(
    start: Callable[[], subprocess.Popen[bytes]], scene: Scene, judge: Callable[..., None], tmp_path: Path
) -> None:
    row = Row(
        point="F10",
        name="module killed",
        injects="the batch's process gets SIGKILL after its first snapshot",
        defence="the action looks at how the module's process ended",
    )
    began = time.monotonic()
    folder = tmp_path / "kubestress-results" / scene.run_id
    process = start()
    (snapshot,) = until(lambda: list((folder / "attempts" / "1" / "batches").glob("*.json")))
    module = module_of(process)
    assert module is not None, "the batch had ended already"
    os.kill(module, signal.SIGKILL)
    row.injected += 1
    code = process.wait(timeout=400)
    first = json.loads((folder / "summary.json").read_text())
    row.verdict, row.reads = first["verdict"], first["reasons"][0]
    row.complaints += complaints(first, (tmp_path / "output").read_text(), snapshot, code=code)

    again = start().wait(timeout=400)
    summary = json.loads((folder / "summary.json").read_text())
    row.verdict += f", then {summary['verdict']}"
    if again:
        row.complaints.append(f"the second run ended with {again}: {'; '.join(summary['reasons'])}")
    asked, found = Counter({kind: each["requested"] for kind, each in summary["objects"].items()}), stored(scene)
    row.asked, row.stored, row.lost = asked.total(), (asked & found).total(), (asked - found).total()
    row.twice, row.strangers = (found - asked).total(), scene.touched()
    if found != asked:
        row.complaints.append(f"asked for {dict(asked)}, found {dict(found)}")
    row.complaints += [f"{row.strangers} objects of strangers touched"] if row.strangers else []
    row.seconds = time.monotonic() - began
    judge(row, least=1)


def complaints(summary: dict[str, Any], output: str, snapshot: Path, *, code: int) -> list[str]:
    """What is missing in the output and the results of a run whose batch was killed."""
    found = [] if code == 2 and summary["verdict"] == "aborted" else [f"ended with {code}: {summary['verdict']}"]
    read = " ".join(output.split())
    for text in ("killed by SIGKILL (exit code 137), probably because memory ran out", str(snapshot.parent.parent)):
        found += [] if text in read else [f"the output does not say {text!r}"]
    found += ["the output speaks of deserialization"] if "deserialization" in read else []
    if "killed by SIGKILL" not in summary["reasons"][0]:
        found.append(f"the first reason is {summary['reasons'][0]!r}")
    kept = json.loads(snapshot.read_text())
    if "killed by SIGKILL" not in kept["aborted"]:
        found.append(f"the measurements say: {kept['aborted']}")
    if not summary["objects"]["Deployment"]["created"]:
        found.append("the snapshot's figures are not in the summary")
    return found
