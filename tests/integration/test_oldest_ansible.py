"""The oldest ansible-core that meta/runtime.yml promises: a whole run and its cleanup work with it.

Its templating differs most: a default that is None reaches a task as an empty string there.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import devenv
import pytest
import yaml
from helpers.commands import CHECKOUT, run

# The last Python that this ansible-core's controller supports.
NEWEST_PYTHON = (3, 12)


@pytest.fixture(scope="module")
def oldest_core() -> Path:
    """Return the folder of the programs of the oldest promised ansible-core, with what the collection requires."""
    if sys.version_info[:2] > NEWEST_PYTHON:
        pytest.skip(f"the oldest ansible-core does not run on Python {sys.version_info.major}.{sys.version_info.minor}")
    required = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())["requires_ansible"]
    series = re.fullmatch(r">=(\d+\.\d+)\.0", required)
    assert series, f"requires_ansible is {required}"
    name = f"{devenv.venv_dir().name}-ansible-{series[1]}"
    venv = devenv.cache_dir() / name
    with devenv.locked(name):
        if not (venv / devenv.COMPLETE).exists():
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            pip = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet"]
            wanted = [f"ansible-core~={series[1]}.0", "-r", str(CHECKOUT / "requirements.txt")]
            subprocess.run([*pip, *wanted], check=True)
            (venv / devenv.COMPLETE).touch()
    return venv / "bin"


@pytest.mark.slow
def test_a_whole_run_and_its_cleanup(oldest_core: Path, kubeconfig: Path, kubectl, run_id: str, prefix: str, tmp_path):
    env = {"K8S_AUTH_KUBECONFIG": str(kubeconfig), "PATH": f"{oldest_core}{os.pathsep}{os.environ['PATH']}"}
    names = ("-e", f"run_id={run_id}", "-e", f"namespaces_prefix={prefix}")
    # As AWX sends them: every number a string.
    small = ("-e", "namespaces_total=1", "-e", "build_jobs_per_namespace=2", "-e", "build_jobs_time_scale=0.05")

    ran = run("ansible-playbook", "kubestress.core.smoke", *names, *small, env=env, cwd=tmp_path)
    assert ran.rc == 0, ran.output
    assert f"{run_id}/summary.json" in ran.stdout

    cleaned = run("ansible-playbook", "kubestress.core.cleanup", "-e", f"run_id={run_id}", env=env, cwd=tmp_path)
    assert cleaned.rc == 0, cleaned.output
    assert kubectl("get", "namespaces", "-l", f"kubestress.core/run-id={run_id}")["items"] == []
