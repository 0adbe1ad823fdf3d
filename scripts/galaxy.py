"""Runs galaxy-importer over the tarball, as Galaxy does when a collection is published. Needs no network."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import devenv

sys.path.insert(0, str(devenv.CHECKOUT / "tests"))

from helpers import collection

COMPLAINTS = ("WARNING", "ERROR", "CRITICAL")
# It would run ansible-lint again, over fewer files and with fewer rules than the step of that name does.
SETTINGS = {"GALAXY_IMPORTER_RUN_ANSIBLE_LINT": "False"}


def complaints() -> list[str]:
    """Return the importer's warnings, one line each, and its last line if it failed without a word."""
    with TemporaryDirectory(prefix="kubestress-galaxy-") as folder:
        tarball = collection.build_tarball(Path(folder))
        command = [sys.executable, "-m", "galaxy_importer.main", str(tarball)]
        # It writes its result where it stands, and its caches into the home folder.
        own = {"HOME": folder, "ANSIBLE_HOME": folder, **SETTINGS}
        done = subprocess.run(
            command, cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False
        )  # fmt: skip
    lines = (done.stdout + done.stderr).splitlines()
    found = [line for line in lines if line.startswith(COMPLAINTS)]
    return found or (lines[-1:] if done.returncode else [])
