"""What newcomers try first: the old command's environment, and a profile given to a playbook that has its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_the_environment_alone_works_as_with_the_old_command(ansible_playbook: Any, tmp_path: Path) -> None:
    environment = {"TOTAL_NAMESPACES": "2", "STATEFULSET_ENABLED": "false", "DEPLOYMENTS_PER_NS": "1"}
    done = ansible_playbook("kubestress.core.defaults", "--check", env=environment, cwd=tmp_path)
    assert done.rc == 0, done.output
    assert "from the environment: TOTAL_NAMESPACES (namespaces_total: 2), DEPLOYMENTS_PER_NS (" in done.output


def test_a_playbook_of_one_profile_runs_no_other(cluster_free_playbook: Any, tmp_path: Path) -> None:
    done = cluster_free_playbook("kubestress.core.safe", "-e", "profile=smoke", cwd=tmp_path)
    assert done.rc == 2
    assert "profile: smoke is given, but this playbook is for the profile safe" in done.output
    assert not (tmp_path / "kubestress-results").exists()
