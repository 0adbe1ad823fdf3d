"""A browser for the tests of report.html: the one that is there, else Debian's, where installing is ours to do."""

from __future__ import annotations

import os
from pathlib import Path

import dev
import pytest
from helpers import browser

# Stands for apt-get: writes down what it was asked for, and brings a Chromium.
APT = """\
#!/bin/sh
echo "$*" >>"${0%/*}/calls"
printf '#!/bin/sh\\n' >"${0%/*}/chromium" && /bin/chmod 755 "${0%/*}/chromium"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the only folder of the PATH; it has an apt-get, and we are root."""
    program(tmp_path / "apt-get", APT)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    return tmp_path


def program(path: Path, text: str = "#!/bin/sh\n") -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.mark.parametrize("name", browser.NAMES)
def test_browser_of_any_name_is_used_and_none_installed(name: str, folder: Path) -> None:
    program(folder / name)
    dev.prepare_browser()
    assert browser.find() == str(folder / name)
    assert not (folder / "calls").exists()


def test_missing_browser_is_installed(folder: Path) -> None:
    assert browser.find() is None
    dev.prepare_browser()
    assert (folder / "calls").read_text().splitlines()[-1] == "-q -y install --no-install-recommends chromium"
    assert browser.find() == str(folder / "chromium")
