"""Packages of a real node are installed where that is ours to do; the demo on one is asked for in checked words."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
import real_node
from steps import TargetFailedError

# Stands for apt-get: writes down how it was called, and brings a program for each package that it knows.
APT = """\
#!/bin/sh
echo "$DEBIAN_FRONTEND: $*" >>"$(dirname "$0")/calls"
for word; do
    [ "$word" = broken ] && exit 100
    [ "$word" = toolbox ] && printf '#!/bin/sh\\n' >"$(dirname "$0")/tool" && chmod 755 "$(dirname "$0")/tool"
done
exit 0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder of the PATH beside the system's; it has an apt-get, and we are root."""
    apt = tmp_path / "apt-get"
    apt.write_text(APT)
    apt.chmod(apt.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def calls(folder: Path) -> list[str]:
    path = folder / "calls"
    return path.read_text().splitlines() if path.exists() else []


def test_what_is_missing_is_installed_and_nothing_else(folder: Path, capsys: pytest.CaptureFixture) -> None:
    real_node.install_debian_packages({"sh": "dash", "tool": "toolbox"})
    assert calls(folder) == [
        "noninteractive: -q -y update",
        "noninteractive: -q -y install --no-install-recommends toolbox",
    ]
    assert capsys.readouterr().out == "Installing toolbox\n"


def test_nothing_missing_asks_nobody(folder: Path) -> None:
    real_node.install_debian_packages({"sh": "dash", "/bin/sh": "dash"})
    assert calls(folder) == []


def test_what_could_not_be_installed_is_named(folder: Path, capsys: pytest.CaptureFixture) -> None:
    real_node.install_debian_packages({"no-such-program": "broken", "/no/such/file": "broken"})
    printed = capsys.readouterr().out
    assert "no-such-program is missing (Debian package broken)" in printed
    assert "/no/such/file is missing (Debian package broken)" in printed


def test_who_is_not_root_is_told_only(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    real_node.install_debian_packages({"tool": "toolbox"})
    assert calls(folder) == []
    assert "tool is missing (Debian package toolbox)" in capsys.readouterr().out


def test_system_folders_count_where_the_path_lacks_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(real_node, "SYSTEM_FOLDERS", (str(folder / "sbin"),))
    (folder / "sbin").mkdir()
    (folder / "sbin" / "nft").write_text("")
    (folder / "sbin" / "nft").chmod(0o755)
    assert real_node.missing({"nft": "nftables", "tool": "toolbox"}) == {"tool": "toolbox"}


@pytest.mark.parametrize(("value", "expected"), [("true", True), ("false", False), ("", None)])
def test_real_node_is_asked_for(value: str, expected: bool | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(real_node.VARIABLE, value)
    monkeypatch.setattr(real_node, "possible", lambda: True)
    assert real_node.wanted() is expected


@pytest.mark.parametrize(
    ("value", "possible", "message"),
    [
        ("yes", True, "REAL_NODE is 'yes'; allowed are true and false"),
        ("true", False, "REAL_NODE is true, but a real node needs Linux and root"),
    ],
)
def test_what_cannot_be_is_refused(value: str, possible: bool, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(real_node.VARIABLE, value)
    monkeypatch.setattr(real_node, "possible", lambda: possible)
    with pytest.raises(TargetFailedError, match=message.replace("'", ".")):
        real_node.wanted()


def test_without_the_variable_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(real_node.VARIABLE, raising=False)
    assert real_node.wanted() is None
