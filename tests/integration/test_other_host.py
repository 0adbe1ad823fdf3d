"""A playbook on a host of the inventory runs its modules with the Python that the inventory names for it."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

PLAYBOOKS = {"kubestress.core.smoke": {}, "kubestress.core.cleanup": {"run_id": "r"}}


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    """An interpreter of a host's own, which writes down that it was used."""
    path = tmp_path / "python"
    path.write_text(f'#!/bin/sh\necho used >>"{tmp_path}/used"\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("host", ["far", "localhost"])
@pytest.mark.parametrize("playbook", PLAYBOOKS)
def test_the_hosts_own_interpreter_is_used(
    playbook: str, host: str, witness: Path, cluster_free_playbook: Any, tmp_path: Path
) -> None:
    variables = {"ansible_connection": "local", "ansible_python_interpreter": str(witness)}
    (tmp_path / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {host: variables}}}))
    given = {**PLAYBOOKS[playbook], "kubestress_hosts": host, "kubestress_kubeconfig": "/nowhere"}
    inventory = ("-i", str(tmp_path / "hosts.yml"))
    done = cluster_free_playbook(playbook, *inventory, extra_vars=given, cwd=tmp_path)
    assert "kubeconfig: no file at /nowhere" in done.output
    assert (tmp_path / "used").exists(), "another Python ran the module"
