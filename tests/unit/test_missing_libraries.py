"""Where a library is missing, a module says so itself: it must be importable until then, and so its documentation."""

from __future__ import annotations

import subprocess
import sys

import devenv
from helpers.commands import CHECKOUT, command_environment

IMPORT_ALL = """
import importlib, sys
for library in ("aiohttp", "cryptography", "jinja2", "kubernetes", "msgspec", "prometheus_client", "yaml"):
    sys.modules[library] = None
for name in sys.argv[1:]:
    importlib.import_module("ansible_collections.kubestress.core.plugins.modules." + name)
"""


def test_every_module_can_be_imported_without_any_library() -> None:
    names = sorted(path.stem for path in (CHECKOUT / "plugins" / "modules").glob("*.py"))
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL, *names],
        env=command_environment({"PYTHONPATH": str(devenv.collections_dir())}),
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert (done.returncode, done.stderr) == (0, "")
