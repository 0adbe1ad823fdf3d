"""The development environment is really made: with venv and pip, from requirements that are empty or impossible."""

from __future__ import annotations

import subprocess
from pathlib import Path

import devenv
import pytest


def test_interrupted_environment_is_made_again_and_a_complete_one_is_kept(own_cache: Path, bare_checkout: Path) -> None:
    interrupted = devenv.venv_dir()
    (interrupted / "bin").mkdir(parents=True)
    (interrupted / "half-written").touch()

    venv = devenv.ensure_venv()
    assert venv == interrupted
    assert not (venv / "half-written").exists()
    subprocess.run([venv / "bin" / "python", "-c", "import pip"], check=True)

    (venv / "kept").touch()
    assert devenv.ensure_venv() == venv
    assert (venv / "kept").exists()


def test_requirement_that_does_not_exist_is_an_error_and_leaves_nothing_complete(
    own_cache: Path, bare_checkout: Path, capfd: pytest.CaptureFixture
) -> None:
    (bare_checkout / "requirements-dev.txt").write_text("./no-such-folder\n")
    with pytest.raises(devenv.DevEnvError, match=r"requirements-dev\.txt"):
        devenv.ensure_venv()
    assert "no-such-folder" in capfd.readouterr().err
    assert not (devenv.venv_dir() / devenv.COMPLETE).exists()
