"""A user's own template is found wherever they keep it, and one that is missing is found before anything is created."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

TEMPLATE = """apiVersion: v1
kind: ConfigMap
metadata: {name: "mine-{{ index }}"}
data: {code: "{{ run_id | hash | regex_replace('[0-9]', '') | b64encode }}"}
"""
SMALL = {
    "namespaces_total": 1,
    "build_jobs_enabled": False,
    "statefulsets_enabled": False,
    "deployments_per_namespace": 1,
    "deployments_template": "mine.yml.j2",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A playbook of the user's own that imports ours."""
    path = tmp_path / "playbooks" / "site.yml"
    path.parent.mkdir()
    path.write_text(yaml.safe_dump([{"import_playbook": "kubestress.core.smoke"}]))
    return path


@pytest.mark.parametrize("place", ["beside the importing playbook", "in its folder templates", "where the user stands"])
def test_it_is_found(place: str, site: Path, ansible_playbook: Any, tmp_path: Path, prefix: str) -> None:
    stands = tmp_path / "stands"
    (site.parent / "templates").mkdir()
    stands.mkdir()
    folder = {
        "beside the importing playbook": site.parent,
        "in its folder templates": site.parent / "templates",
        "where the user stands": stands,
    }[place]
    (folder / "mine.yml.j2").write_text(TEMPLATE)
    done = ansible_playbook(site, "--check", extra_vars={**SMALL, "namespaces_prefix": prefix}, cwd=stands)
    assert done.rc == 0, done.output


@pytest.mark.parametrize("arguments", [(), ("--check",), ("--tags", "preflight")], ids=str)
def test_a_missing_one_ends_the_run_before_it_needs_a_cluster(
    arguments: tuple[str, ...], site: Path, cluster_free_playbook: Any, tmp_path: Path
) -> None:
    done = cluster_free_playbook(site, *arguments, extra_vars=SMALL, cwd=tmp_path)
    assert done.rc == 2
    assert "template mine.yml.j2: there is no such file; looked for " in done.output
    for place in (site.parent / "templates", site.parent, tmp_path / "templates", tmp_path):
        assert str(place / "mine.yml.j2") in done.output
