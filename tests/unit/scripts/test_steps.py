"""What runs beside the tests tells what failed, also where it fails without a word, and does not outlive them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.commands import CHECKOUT
from helpers.processes import living_in_group
from helpers.waiting import until
from steps import beside, failed_beside


@pytest.mark.parametrize(
    ("script", "failed"),
    [
        ("echo '=== a: ok (0 s)'", []),
        (
            "echo '=== a: ok (0 s)'; echo '=== b b: FAILED: x (1 s)'; echo '=== c: FAILED: y (1 s)'; exit 1",
            ["b b", "c"],
        ),
        ("exit 3", ["sh -c exit 3 (exit code 3)"]),
    ],
)
def test_it_tells_which_steps_failed(
    script: str, failed: list[str], tmp_path: Path, capsys: pytest.CaptureFixture
) -> None:
    with beside("sh", "-c", f"sleep 0.3; {script}" if "echo" in script else script, verdict=tmp_path / "verdict"):
        assert failed_beside(tmp_path / "verdict") == failed
    assert capsys.readouterr().out.count("===") == script.count("===")


def test_it_ends_with_the_tests(tmp_path: Path) -> None:
    with beside("sh", "-c", f"echo $$ >{tmp_path}/pid; sleep 1000; true", verdict=tmp_path / "verdict"):
        until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    assert living_in_group(int((tmp_path / "pid").read_text())) == []


def test_it_leaves_the_processors_to_others() -> None:
    show = "import os, steps; steps.give_way(); print(os.nice(0), *open('/proc/self/autogroup'))"
    if not Path("/proc/self/autogroup").exists():
        pytest.skip("this kernel does not share the processors by session")
    done = subprocess.run(
        [sys.executable, "-c", show], cwd=CHECKOUT / "scripts", start_new_session=True, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    words = done.stdout.split()
    assert (words[0], words[-1]) == ("19", "19")


@pytest.mark.parametrize(
    ("verdict", "before", "code", "said"),
    [
        ("", "", 0, None),
        ("ansible-lint\nmypy tests\n", "molecule", 1, "molecule, ansible-lint, mypy tests"),
    ],
)
def test_pytest_fails_for_it_above_its_summary(
    verdict: str, before: str, code: int, said: str | None, tmp_path: Path
) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    (tmp_path / "verdict").write_text(verdict)
    env |= {"KUBESTRESS_FAILED_STEPS": before, "KUBESTRESS_CHECKS": str(tmp_path / "verdict")}
    test = "tests/unit/scripts/test_dev.py::test_a_defence_is_off_or_not_named"
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=CHECKOUT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stdout
    lines = done.stdout.rstrip().splitlines()
    assert "1 passed" in lines[-1]
    assert ("other steps failed" in done.stdout) is (said is not None)
    assert said is None or said in lines
