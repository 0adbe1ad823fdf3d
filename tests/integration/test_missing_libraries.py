"""Every module on a host whose Python has nothing installed: one sentence says what is missing and how to get it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.collection import CHECKOUT

NAMESPACES = {"run_id": "r", "namespaces": ["a"], "fragments": [{"role": "x", "steps": [[{"definition": "{}"}]]}]}
#: Module -> (its options, what it needs).
CLUSTER = ["kubernetes", "aiohttp"]
PLAN = [*CLUSTER, "jinja2", "PyYAML", "msgspec"]
MODULES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "batch": (NAMESPACES, PLAN),
    "preflight": (NAMESPACES, PLAN),
    "observe": ({"run_id": "r", "results_dir": "/tmp"}, CLUSTER),
    "node_pids_info": ({}, CLUSTER),
    "wait": ({"kinds": [{"api_version": "v1", "kind": "Pod"}], "run_id": "r"}, CLUSTER),
    "cleanup": ({"run_id": "r"}, CLUSTER),
    "runs_info": ({}, CLUSTER),
    "must_gather": ({"dest": "/nowhere/gather"}, [*CLUSTER, "msgspec"]),
    "truenas_info": ({}, ["aiohttp", "msgspec"]),
    "must_gather_info": ({"path": "/"}, ["PyYAML"]),
    "storage_info": ({}, [*CLUSTER, "msgspec"]),
    "image": (
        {"name": "train", "project": "p", "builder": "cloud_build", "context": "/", "sources_dir": "/"},
        ["google-auth", "requests"],
    ),
    "gke_credentials": (
        {"project": "p", "location": "us-east1", "name": "c"},
        ["google-auth", "requests", "PyYAML"],
    ),
    "storage_watch": ({"dest": "/nowhere/watch"}, [*CLUSTER, "msgspec"]),
    "local_cluster": ({}, ["cryptography"]),
}
#: They run where the playbook runs, with ansible-core's own libraries.
ON_CONTROLLER = {"capacity_search", "compare", "manifest", "report", "settings"}


@pytest.fixture(scope="module")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An interpreter with the standard library and nothing else."""
    folder = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    return folder / "bin" / "python"


@pytest.fixture(scope="module")
def answers(bare_python: Path, cluster_free_playbook: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The results of all modules on a host of the inventory with the bare interpreter, by module."""
    folder = tmp_path_factory.mktemp("play")
    tasks: list[dict[str, Any]] = []
    for name, (options, _needed) in MODULES.items():
        tasks.append({f"kubestress.core.{name}": options, "register": f"of_{name}", "ignore_errors": True})
    content = "{{ dict(names | zip(names | map('regex_replace', '^', 'of_') | map('extract', vars))) | to_json }}"
    copy = {"content": content, "dest": str(folder / "answers.json"), "mode": "0644"}
    tasks.append(
        {
            "ansible.builtin.copy": copy,
            "vars": {"names": list(MODULES), "ansible_python_interpreter": sys.executable},
        }
    )
    (folder / "play.yml").write_text(yaml.safe_dump([{"hosts": "far", "gather_facts": False, "tasks": tasks}]))
    host = {"ansible_connection": "local", "ansible_python_interpreter": str(bare_python)}
    (folder / "hosts.yml").write_text(yaml.safe_dump({"all": {"hosts": {"far": host}}}))
    done = cluster_free_playbook(folder / "play.yml", "-i", str(folder / "hosts.yml"))
    assert done.rc == 0, done.output
    return json.loads((folder / "answers.json").read_text())


def test_every_module_is_looked_at() -> None:
    assert {path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*.py")} == {*MODULES, *ON_CONTROLLER}


@pytest.mark.parametrize("module", MODULES)
def test_what_is_missing_and_how_to_get_it(module: str, answers: dict[str, Any], bare_python: Path) -> None:
    answer = answers[module]
    assert answer["failed"]
    assert "required Python library" in answer["msg"], answer
    command = answer["msg"].partition(f"{bare_python} -m pip install ")[2]
    for library in MODULES[module][1]:
        assert library in command, answer["msg"]
    assert "Traceback" not in json.dumps(answer)


@pytest.mark.parametrize("module", MODULES)
def test_the_documentation_names_all_of_them(module: str) -> None:
    page = (CHECKOUT / "docs" / "modules" / f"{module}.md").read_text()
    needs = page.partition("## Needs")[2].partition("\n## ")[0]
    for library in MODULES[module][1]:
        assert library in needs
