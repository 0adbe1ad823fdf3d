"""The fault suite: its option, a scene for each row, and the table at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.fault_suite import Case, Row, Scene, play_row
from helpers.fault_table import ROW, markdown, page_with, table
from helpers.plane_faults import Part, wait_until_serving

CHECKOUT = Path(__file__).resolve().parents[2]
PAGE = CHECKOUT / "docs" / "faults.md"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option that takes the defences away, and those that write the table to files."""
    group = parser.getgroup("faults")
    group.addoption("--defence", choices=["on", "off"], default="on", help="off: take each row's defence away")
    group.addoption("--fault-table", type=Path, metavar="FILE", help="write the table to this file")
    group.addoption("--write-page", action="store_true", help="put the table into docs/faults.md")


@pytest.fixture(scope="session")
def without_defence(request: pytest.FixtureRequest) -> bool:
    """Return whether each row runs without its defence, and must fail."""
    return bool(request.config.getoption("--defence", "on") == "off")


@pytest.fixture
def judge(without_defence: bool, record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Return a function that puts a row into the table and fails where it is not as it must be.

    Without its defence a row has complaints. It counts only if the fault happened at least `least` times.
    """

    def look(row: Row, *, least: int) -> None:
        record_property(ROW, row.as_property())
        assert row.injected >= (1 if without_defence else least), f"the fault happened {row.injected} times only"
        if without_defence:
            assert row.complaints, f"the row passes without its defence: {row.defence}"
        else:
            assert not row.complaints, "; ".join(row.complaints)

    return look


@pytest.fixture
def scene(kubeconfig: Path, kubectl: Callable[..., Any], tmp_path: Path, run_id: str, prefix: str) -> Iterator[Scene]:
    """Yield a scene with the strangers' objects in it."""
    made = Scene(kubeconfig=kubeconfig, kubectl=kubectl, folder=tmp_path, run_id=run_id, prefix=prefix)
    made.put_strangers()
    yield made
    made.remove()


@pytest.fixture
def plane(kubeconfig: Path, kubectl: Callable[..., Any]) -> Iterator[Callable[[str], Part]]:
    """Yield a function that finds a part of the control plane; afterwards every part that was asked for runs."""
    if not Part.are_at(kubeconfig):
        pytest.skip("needs the embedded control plane, whose processes it stops")
    parts: list[Part] = []

    def find(name: str) -> Part:
        parts.append(Part(kubeconfig, name))
        return parts[-1]

    yield find
    for part in parts:
        part.resume()
    wait_until_serving(kubectl)


@pytest.fixture
def play(
    scene: Scene,
    judge: Callable[..., None],
    without_defence: bool,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> Callable[[Case], None]:
    """Return a function that plays and judges a case."""

    def run(case: Case) -> None:
        if case.needs_plane:
            request.getfixturevalue("plane")
        with monkeypatch.context() as patched:
            for target, name, replacement in (*case.shortened, *(case.defence.off if without_defence else ())):
                if isinstance(target, dict):
                    patched.setitem(target, name, replacement)
                else:
                    patched.setattr(target, name, replacement)
            # Without its defence a row may wait for what cannot come.
            row = play_row(case, scene, **({"wait_timeout": 20} if without_defence else {}))
        judge(row, least=case.least)

    return run


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the table, and write it to files."""
    reports = [each for word in ("passed", "failed") for each in terminalreporter.getreports(word)]
    rows = [value for report in reports for name, value in report.user_properties if name == ROW]
    if not rows:
        return
    rows.sort(key=lambda row: int(row["point"].removeprefix("F") or 0))
    is_off = config.getoption("--defence", "on") == "off"
    terminalreporter.section("faults, each without its defence" if is_off else "faults")
    for line in table(rows, without_defence=is_off):
        terminalreporter.line(line)
    if (file := config.getoption("--fault-table", None)) and not is_off:
        file.parent.mkdir(exist_ok=True)
        file.write_text(markdown(rows, measured=True))
        terminalreporter.line(f"written to {file}")
    if config.getoption("--write-page", False) and not is_off:
        PAGE.write_text(page_with(PAGE.read_text(), markdown(rows, measured=False)))
