"""Runs steps one after the other and reports each result; the static checks are such steps."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import devenv
import galaxy

CHECKOUT = devenv.CHECKOUT
TEST_TYPES = (
    "--no-check-untyped-defs",
    "--allow-untyped-defs",
    "--allow-incomplete-defs",
    "--implicit-reexport",
    "--no-warn-unused-ignores",
    *(
        f"--disable-error-code={code}"
        for code in (
            "annotation-unchecked",
            "arg-type",
            "assignment",
            "method-assign",
            "misc",
            "union-attr",
            "var-annotated",
        )
    ),
)


class TargetFailedError(Exception):
    """A target failed; the message names what failed, the details are above it."""


def run(*command: str | Path, env: dict[str, str] | None = None, cwd: Path = CHECKOUT) -> None:
    """Run a command with our environment plus `env`; raise TargetFailedError unless it exits with 0."""
    completed = subprocess.run(command, cwd=cwd, env=os.environ | (env or {}), check=False)
    if completed.returncode != 0:
        raise TargetFailedError(f"{Path(command[0]).name} exited with {completed.returncode}")


def run_all(steps: Sequence[tuple[str, Callable[[], None]]]) -> list[str]:
    """Run every step, also after a failure, and print name, result and seconds of each; return the failed names."""
    failed = []
    for name, step in steps:
        print(f"\n=== {name}", flush=True)
        started = time.monotonic()
        try:
            step()
            verdict = "ok"
        except TargetFailedError as error:
            failed.append(name)
            verdict = f"FAILED: {error}"
        print(f"=== {name}: {verdict} ({time.monotonic() - started:.0f} s)", flush=True)
    return failed


def give_way() -> None:
    """Leave the processors to everything else on the machine that has use for them.

    Linux shares them by session before it looks at priorities, so that ours must be alone in its session.
    """
    os.nice(19)
    if os.getsid(0) == os.getpid():
        with contextlib.suppress(OSError):  # a kernel without this sharing has no such file
            Path("/proc/self/autogroup").write_text("19")


@contextmanager
def beside(*command: str | Path, verdict: Path) -> Iterator[None]:
    """Run the command, which runs steps, beside the body, in a session of its own; end it with the body.

    When it has ended, its output is printed in one piece. Then `verdict` appears: the names of the steps that failed, a
    line each.
    """
    log = verdict.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=CHECKOUT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def conclude() -> None:
        process.wait()
        text = log.read_text(errors="replace")
        print(f"\n{text}", end="", flush=True)
        failed = re.findall(r"^=== (.+): FAILED: ", text, re.MULTILINE)
        if process.returncode and not failed:
            failed = [f"{' '.join(map(str, command))} (exit code {process.returncode})"]
        whole = verdict.with_suffix(".new")
        whole.write_text("".join(f"{name}\n" for name in failed))
        whole.rename(verdict)

    waiting = threading.Thread(target=conclude)
    waiting.start()
    try:
        yield
    finally:
        if not verdict.exists():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
        waiting.join()


def failed_beside(verdict: Path) -> list[str]:
    """Wait for the verdict of what runs `beside` us, and return the names of the steps that failed.

    Nobody writes one any more when our parent, which started it, is gone.
    """
    parent = os.getppid()
    while not verdict.exists():
        if os.getppid() != parent:
            return ["what ran beside the tests was ended"]
        time.sleep(0.2)
    return verdict.read_text().splitlines()


def fail_if_any(failed: Sequence[str]) -> None:
    """Raise TargetFailedError with the names of the failed steps, if any."""
    if failed:
        raise TargetFailedError(f"failed: {', '.join(failed)}")


def galaxy_importer() -> None:
    """Import the tarball as Galaxy would; raise TargetFailedError with each warning above."""
    found = galaxy.complaints()
    print("\n".join(found), end="\n" if found else "", flush=True)
    if found:
        raise TargetFailedError(f"galaxy-importer warns {len(found)} times")


def lint_steps() -> list[tuple[str, Callable[[], None]]]:
    """Return the static checks by name."""
    collections = os.environ["ANSIBLE_COLLECTIONS_PATH"]
    package = "ansible_collections.kubestress.core.plugins"
    search = {"MYPYPATH": os.pathsep.join([collections, str(CHECKOUT / "tests"), str(CHECKOUT / "scripts")])}
    imports = {"PYTHONPATH": collections}
    return [
        ("ruff check", lambda: run("ruff", "check", ".")),
        ("ruff format", lambda: run("ruff", "format", "--check", ".")),
        ("mypy plugins", lambda: run("mypy", "-p", package, env=search)),
        ("mypy scripts", lambda: run("mypy", "scripts", env=search)),
        # Helpers are typed. Tests take fixtures and patch freely, and fail anyway if a type is wrong.
        ("mypy tests", lambda: run("mypy", *TEST_TYPES, "tests", env=search)),
        ("imports", lambda: run("lint-imports", "--no-cache", "--no-logo", env={"PYTHONPATH": collections})),
        ("ansible-lint", lambda: run("ansible-lint", "--offline")),
        ("galaxy-importer", galaxy_importer),
        ("changelog", lambda: run("antsibull-changelog", "lint")),
        ("generated files", lambda: run(sys.executable, "scripts/generate_docs.py", "--check", env=imports)),
    ]
