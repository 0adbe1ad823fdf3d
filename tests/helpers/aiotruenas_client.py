"""aiotruenas, a client of TrueNAS that is not ours, as a module.

It asks for Python 3.13, but uses nothing that 3.11 has not; pip installs it for an older one only if told to, which a
file of requirements cannot say.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import devenv
from ansible_collections.kubestress.core.plugins.module_utils.machine.sync import exclusive

VERSION = "1.7.0"
#: What it stands on is among the requirements (websockets).
_OPTIONS = (
    "--no-deps",
    "--ignore-requires-python",
    "--quiet",
    "--disable-pip-version-check",
    "--root-user-action=ignore",
)


def load() -> ModuleType:
    """Import it; it is installed once into the cache, by its version."""
    cache = devenv.cache_dir()
    folder = cache / f"aiotruenas-{VERSION}"
    with exclusive(cache / "locks" / "install-aiotruenas.lock"):
        if not folder.exists():
            with tempfile.TemporaryDirectory(prefix="install-", dir=cache) as temporary:
                target = Path(temporary) / "site"
                command = [sys.executable, "-m", "pip", "install", *_OPTIONS, f"--target={target}"]
                subprocess.run([*command, f"aiotruenas=={VERSION}"], check=True, timeout=600)
                target.replace(folder)
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return importlib.import_module("aiotruenas")
