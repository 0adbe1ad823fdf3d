"""The import contract of pyproject.toml holds, and a forbidden import breaks it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers.commands import CHECKOUT, Completed, run

ROOT = "ansible_collections.kubestress.core.plugins"


@pytest.fixture
def plugins(tmp_path: Path) -> Path:
    """A copy of plugins/, importable from tmp_path."""
    return shutil.copytree(CHECKOUT / "plugins", tmp_path.joinpath(*ROOT.split(".")))


def check(tmp_path: Path) -> Completed:
    command = ("lint-imports", "--no-cache", "--no-logo", "--config", CHECKOUT / "pyproject.toml")
    # Wide enough that no contract's name is wrapped.
    return run(*command, env={"PYTHONPATH": str(tmp_path), "COLUMNS": "400"}, cwd=tmp_path)


def test_contract_holds(plugins: Path, tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.rc == 0, done.output


@pytest.mark.parametrize(
    ("file", "statement", "contract"),
    [
        ("module_utils/wait/wait.py", "from ..load import batch", "A folder of module_utils imports only"),
        ("module_utils/cluster/client.py", "from ..plan import fragment", "A folder of module_utils imports only"),
        ("module_utils/machine/sync.py", "from ..readiness import state", "A folder of module_utils imports only"),
        ("module_utils/syntax.py", "from . import errors", "A folder of module_utils imports only"),
        ("module_utils/plan/fragment.py", "from ..cluster import client", "do no I/O"),
        ("module_utils/readiness/kinds.py", "import asyncio", "do no I/O"),
        ("module_utils/results/table.py", "from ..cluster import client", "work without a cluster"),
        ("module_utils/truenas/shapes.py", "import asyncio", "need no connection"),
        ("module_utils/local_cluster/state.py", "from ..cluster import client", "knows nothing of stress"),
        ("module_utils/text.py", f"from {ROOT}.modules import wait", "Nothing imports a module"),
        ("action/wait.py", f"from {ROOT}.modules import wait", "Nothing imports a module"),
        ("plugin_utils/page/formats.py", f"from {ROOT}.module_utils.results import folder", "The report page"),
        ("module_utils/cluster/errors.py", "from . import client", "in a circle"),
        ("module_utils/unlisted/__init__.py", "", "A folder of module_utils imports only"),
    ],
)
def test_contract_refuses(plugins: Path, tmp_path: Path, file: str, statement: str, contract: str) -> None:
    path = plugins / file
    path.parent.mkdir(exist_ok=True)
    with path.open("a") as stream:
        stream.write(f"\n{statement}\n")
    done = check(tmp_path)
    assert done.rc == 1, done.output
    broken = [line for line in done.stdout.splitlines() if " BROKEN" in line]
    assert any(contract in line for line in broken), done.output
