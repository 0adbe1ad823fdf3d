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


# The importer gives ansible-lint three minutes, which a busy machine may not have for it.
TIMED_OUT = "ERROR: Timeout on call to ansible-lint"
TRIES = 2


def complaints() -> list[str]:
    """Return what the importer warns of, one line each; where ansible-lint ran out of time, it is asked once more."""
    for _try in range(TRIES):
        found = _complaints()
        if TIMED_OUT not in found:
            break
    return found


def _complaints() -> list[str]:
    """Return the importer's warnings, and its last line if it failed without a word."""
    with TemporaryDirectory(prefix="kubestress-galaxy-") as folder:
        tarball = collection.build_tarball(Path(folder))
        command = [sys.executable, "-m", "galaxy_importer.main", str(tarball)]
        # It writes its result where it stands, and its caches into the home folder.
        own = {"HOME": folder, "ANSIBLE_HOME": folder}
        done = subprocess.run(
            command, cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False
        )  # fmt: skip
    lines = (done.stdout + done.stderr).splitlines()
    found = [line for line in lines if line.startswith(COMPLAINTS)]
    return found or (lines[-1:] if done.returncode else [])
