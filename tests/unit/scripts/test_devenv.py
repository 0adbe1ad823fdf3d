"""The development environment: where it lives, that it is made once, and that nothing of the user's leaks into it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import devenv
import pytest


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"KUBESTRESS_CACHE": "/a", "XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/a"),
        ({"XDG_CACHE_HOME": "/b", "HOME": "/c"}, "/b/kubestress"),
        ({"HOME": "/c"}, "/c/.cache/kubestress"),
    ],
)
def test_cache_is_where_the_environment_says(variables: dict, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KUBESTRESS_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert devenv.cache_dir() == Path(expected)


def test_changed_requirements_get_another_environment(own_cache: Path, bare_checkout: Path) -> None:
    before = devenv.venv_dir()
    (bare_checkout / "requirements-dev.txt").write_text("pytest==9.2.0\n")
    assert devenv.venv_dir() != before
    assert devenv.venv_dir().parent == before.parent == own_cache


def test_second_holder_of_a_lock_waits_and_says_so(own_cache: Path, capfd: pytest.CaptureFixture) -> None:
    order = []

    def second() -> None:
        with devenv.locked("thing"):
            order.append("second")

    waiting = threading.Thread(target=second)
    with devenv.locked("thing"):
        waiting.start()
        waiting.join(timeout=0.2)
        order.append("first")
    waiting.join()
    assert order == ["first", "second"]
    assert f"Waiting for another process that is using {own_cache / 'thing'}" in capfd.readouterr().err


def test_cache_that_cannot_be_made_names_the_way_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("KUBESTRESS_CACHE", str(tmp_path / "file" / "cache"))
    with pytest.raises(devenv.DevEnvError, match="KUBESTRESS_CACHE"), devenv.locked("thing"):
        pass


def test_link_follows_the_checkout(own_cache: Path, bare_checkout: Path) -> None:
    link = devenv.ensure_collection_link() / "ansible_collections" / "kubestress" / "core"
    link.unlink()
    link.symlink_to("/elsewhere")
    devenv.ensure_collection_link()
    assert link.resolve() == bare_checkout


def test_environment_keeps_the_users_ansible_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANSIBLE_STDOUT_CALLBACK", "json")
    monkeypatch.setenv("ANSIBLE_NOCOLOR", "true")
    monkeypatch.setenv("LC_ALL", "C")
    env = devenv.environment(venv=Path("/venv"), collections=Path("/collections"))
    assert "ANSIBLE_STDOUT_CALLBACK" not in env
    assert env["ANSIBLE_NOCOLOR"] == "true"
    assert env["ANSIBLE_COLLECTIONS_PATH"] == "/collections"
    assert env["PATH"].split(os.pathsep)[0] == "/venv/bin"
    assert env["LC_ALL"] == "C.UTF-8"


def test_without_a_fitting_python_one_line_says_which(tmp_path: Path) -> None:
    """The only Python on PATH is one that answers as too old."""
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    tools = {name: Path(path) for name, path in (("dirname", "/usr/bin/dirname"), ("sh", "/bin/sh"))}
    for name, path in tools.items():
        (tmp_path / name).symlink_to(path.resolve())
    script = devenv.CHECKOUT / "scripts" / "dev"
    done = subprocess.run(
        ["/bin/sh", script, "env"], env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "Python 3.11" in done.stderr
    assert "make PYTHON=" in done.stderr


def test_named_python_is_taken(tmp_path: Path) -> None:
    """PYTHON names it, whatever else is on PATH; here a stand-in that shows what it was asked to run."""
    shown = tmp_path / "mine"
    shown.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exec {sys.executable} "$@"\necho "mine $*"\n')
    shown.chmod(0o755)
    script = devenv.CHECKOUT / "scripts" / "dev"
    done = subprocess.run(
        [script, "env"], env=os.environ | {"PYTHON": str(shown)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == f"mine {devenv.CHECKOUT}/scripts/devenv.py env\n"


def test_clean_cache_removes_what_is_ours_and_names_the_rest(own_cache: Path, capsys: pytest.CaptureFixture) -> None:
    for name in ("bin/etcd-v3", "venv-1/bin", "collections-1", "locks", "photos"):
        (own_cache / name).mkdir(parents=True)
    (own_cache / "venv-1.lock").touch()
    (own_cache / "bin" / "etcd-v3").chmod(0o555)
    devenv.clean_cache()
    assert [path.name for path in own_cache.iterdir()] == ["photos"]
    assert "photos" in capsys.readouterr().out

    (own_cache / "photos").rmdir()
    devenv.clean_cache()
    assert not own_cache.exists()
    devenv.clean_cache()
