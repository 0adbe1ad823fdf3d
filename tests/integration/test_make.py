"""The README's first command, as a user gives it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers.commands import CHECKOUT, run


@pytest.mark.slow
def test_demo_works_twice_in_a_row(kubeconfig: Path, kubectl, tmp_path: Path) -> None:
    """The second demo removes what the first left, so it creates everything again."""
    command = ("make", "demo", "DEMO_CLUSTER=current", f"ARGS=-e run_results_dir={tmp_path}")
    for attempt in (1, 2):
        done = run(*command, cwd=CHECKOUT, env={"KUBECONFIG": str(kubeconfig)})
        assert done.rc == 0, done.output
        assert f"KUBECONFIG={kubeconfig}" in done.stdout, "which cluster it uses is said"

        summary = json.loads((tmp_path / "demo" / "summary.json").read_text())
        assert (summary["attempt"], summary["verdict"]) == (attempt, "passed")
        assert summary["objects"]["Job"] == {
            "requested": 8, "created": 8, "patched": 0, "deleted": 0, "unchanged": 0, "failed": 0,
            "ready": 8, "not_ready": 0,
        }  # fmt: skip
        assert str(tmp_path / "demo") in done.stdout, "where the results are is said"

    jobs = kubectl("get", "jobs", "-A", "-l", "kubestress.core/run-id=demo")["items"]
    assert sorted(job["status"]["succeeded"] for job in jobs) == [2] * 8
    removed = run("ansible-playbook", "kubestress.core.cleanup", "-e", "run_id=demo",
                  env={"K8S_AUTH_KUBECONFIG": str(kubeconfig)})  # fmt: skip
    assert removed.rc == 0, removed.output
    assert kubectl("get", "namespaces", "-l", "kubestress.core/run-id=demo")["items"] == []
