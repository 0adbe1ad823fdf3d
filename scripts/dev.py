"""The Makefile's targets. Runs inside the development environment; `scripts/dev TARGET` is the way in."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import ansible_test_home
import devenv
from steps import TargetFailedError, fail_if_any, lint_steps, run, run_all

CHECKOUT = devenv.CHECKOUT
sys.path.insert(0, str(CHECKOUT / "tests"))

import real_node  # noqa: E402  (the line above is what makes it and what follows importable)
from helpers import browser, collection, control_plane  # noqa: E402

# What naming a cluster for `make demo` and `make bench` means: kubectl's own variable, or the collection's.
CLUSTER_VARIABLES = ("KUBECONFIG", "K8S_AUTH_KUBECONFIG", "K8S_AUTH_HOST")
# Made in the checkout by building and testing. Results stay: they are somebody's measurements.
BUILD_ARTEFACTS = (".ansible", ".cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "tests/output")
# Not shipped, and held to our own rules by ruff and mypy. tests/config.yml and tests/sanity are ansible-test's own.
NOT_FOR_SANITY = (
    "extensions/",
    "scripts/",
    "tests/bench/",
    "tests/conftest.py",
    "tests/helpers/",
    "tests/integration/",
    "tests/unit/",
)
# Needs PowerShell; the collection has no PowerShell file.
SKIPPED_SANITY_TESTS = ("pslint",)
# A scenario mostly waits for the cluster: three at once take a third of the time, on two cores too.
MOLECULE_WORKERS = "3"
# As many as processors, but each that needs a control plane starts one of its own.
PYTEST_WORKERS = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")
DEMO_NAME = "demo"
# What shows report.html to its tests, by the command that the package brings.
BROWSER_PACKAGES = {"chromium": "chromium"}


# --- a cluster to work on -------------------------------------------------------------------------------------------


def chosen_cluster(*, with_real_node: bool | None) -> dict[str, str]:
    """Return the variables that name the user's cluster, else those of the embedded one, started if it is not running.

    Which one is said aloud: a demo on a cluster somebody else depends on should not come as a surprise. Whoever says
    whether the embedded one has a real node has it restarted, with its objects, if it is of the other kind.
    """
    named = {name: os.environ[name] for name in CLUSTER_VARIABLES if os.environ.get(name)}
    listed = ", ".join(f"{name}={value}" for name, value in named.items())
    if named and with_real_node is not None:
        raise TargetFailedError(f"{real_node.VARIABLE} is about the embedded cluster, but another is named by {listed}")
    if named:
        print(f"Using the cluster named by {listed}", flush=True)
        return {}
    tier = {"local_cluster_real_node": with_real_node, "local_cluster_restart": True}
    try:
        return {"K8S_AUTH_KUBECONFIG": str(control_plane.start(tier if with_real_node is not None else None))}
    except control_plane.ControlPlaneError as error:
        hint = (
            f"if it has a real node: {real_node.VARIABLE}=true uses it, {real_node.VARIABLE}=false restarts it without"
        )
        raise TargetFailedError(f"{error} ({hint})" if with_real_node is None else str(error)) from error


def colours() -> dict[str, str]:
    """Return what keeps Ansible's colours when its output goes through us to a terminal."""
    return {"ANSIBLE_FORCE_COLOR": "true"} if sys.stdout.isatty() and "NO_COLOR" not in os.environ else {}


@contextmanager
def test_cluster() -> Iterator[None]:
    """Start one control plane for everything inside, named by KUBESTRESS_TEST_KUBECONFIG, unless one is named already.

    Its ports and its folder are its own, so neither a user's embedded cluster nor another checkout's tests see it.
    """
    if os.environ.get(control_plane.TEST_KUBECONFIG):
        yield
        return
    with TemporaryDirectory(prefix="kubestress-test-") as folder:
        try:
            with control_plane.running(Path(folder)) as kubeconfig:
                os.environ[control_plane.TEST_KUBECONFIG] = str(kubeconfig)
                yield
        except control_plane.ControlPlaneError as error:
            raise TargetFailedError(str(error)) from error
        finally:
            os.environ.pop(control_plane.TEST_KUBECONFIG, None)


def prepare_browser() -> None:
    """Have a Chromium for the tests of report.html, unless one is on PATH by any of its names."""
    if browser.find() is None:
        real_node.install_debian_packages(BROWSER_PACKAGES)


# --- targets --------------------------------------------------------------------------------------------------------


def demo(extra: list[str]) -> None:
    """Run profile smoke on a real control plane, after removing what an earlier demo left.

    With REAL_NODE=true on a real node, in a form in which there is something to be seen.
    """
    with_real_node = real_node.wanted()
    cluster = chosen_cluster(with_real_node=with_real_node) | colours()
    chosen = ("-e", json.dumps(real_node.DEMO_SETTINGS)) if with_real_node else ()
    # Names of its own, so that a run somebody has on the same cluster is not in the way.
    run_id, prefix = ("-e", f"run_id={DEMO_NAME}"), ("-e", f"namespaces_prefix={DEMO_NAME}")
    run("ansible-playbook", "kubestress.core.cleanup", *run_id, env=cluster)
    run("ansible-playbook", "kubestress.core.smoke", *run_id, *prefix, *chosen, *extra, env=cluster)


def lint(extra: list[str]) -> None:
    """Check style, types, Ansible content, changelog fragments and that generated pages are current."""
    fail_if_any(run_all(lint_steps()))


def sanity(extra: list[str]) -> None:
    """Run ansible-test sanity on a copy of what is shipped, since it insists on the installed path.

    The copy's path stays the same from run to run, so that what ansible-test caches by path is found again.
    """
    root = devenv.cache_dir() / devenv.collections_dir().name.replace("collections", "sanity")
    with devenv.locked(root.name):
        target = root / "ansible_collections" / "kubestress" / "core"
        shutil.rmtree(target, ignore_errors=True)
        collection.copy_sources(target, without=NOT_FOR_SANITY)
        skipped = [word for name in SKIPPED_SANITY_TESTS for word in ("--skip-test", name)]
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        command = ["ansible-test", "sanity", "--local", "--requirements", "--python", version, *skipped, *extra]
        run(*command, cwd=target, env={"HOME": str(ansible_test_home.prepare(root / "home"))})


def molecule(extra: list[str]) -> None:
    """Run every molecule scenario against one control plane."""
    with test_cluster():
        kubeconfig = {"K8S_AUTH_KUBECONFIG": os.environ[control_plane.TEST_KUBECONFIG]}
        run("molecule", "test", *(extra or ["--all", "--workers", MOLECULE_WORKERS]), env=kubeconfig)


def pytest(folder: str | None, arguments: Sequence[str]) -> None:
    """Run pytest on the folder, or on the paths among the arguments, with the collection importable.

    In several processes, unless somebody chose paths, or a cluster that all of them would change. Ends with 1 when it
    fails, so that nothing is printed after its closing line.
    """
    search = {"PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]}
    chosen = any((CHECKOUT / argument.split("::")[0]).exists() for argument in arguments)
    folders = [folder] if folder and not chosen else []
    workers = () if chosen or os.environ.get(control_plane.TEST_KUBECONFIG) else PYTEST_WORKERS
    try:
        run(sys.executable, "-m", "pytest", *workers, *folders, *arguments, env=search)
    except TargetFailedError:
        sys.exit(1)


def unit(extra: list[str]) -> None:
    """Run the unit tests: no cluster, the quick loop."""
    pytest("tests/unit", extra)


def integration(extra: list[str]) -> None:
    """Run the integration tests on control planes of their own."""
    prepare_browser()
    real_node.prepare()
    pytest("tests/integration", extra)


def test(extra: list[str]) -> None:
    """Run everything; what fails does not keep the rest from running, and pytest's closing line comes last."""
    failed = run_all(
        [
            *lint_steps(),
            ("ansible-test sanity", lambda: sanity([])),
            ("browser", prepare_browser),
            ("real node", real_node.prepare),
            ("molecule", lambda: molecule([])),
        ]
    )
    # Repeated above pytest's closing line, which fails for them (tests/conftest.py).
    os.environ["KUBESTRESS_FAILED_STEPS"] = ", ".join(failed)
    pytest(None, extra)


def bench(extra: list[str]) -> None:
    """Measure on the embedded control plane and print the table."""
    real_node.install_debian_packages({"h2load": "nghttp2-client"})
    search = {"PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]}
    run(sys.executable, "tests/bench", *extra, env=search)


def docs(extra: list[str]) -> None:
    """Write the generated pages anew."""
    run(sys.executable, "scripts/generate_docs.py", *extra)


def build(extra: list[str]) -> None:
    """Build the tarball into build/."""
    print(collection.build_tarball(CHECKOUT / "build"))


def clean(extra: list[str]) -> None:
    """Stop the embedded cluster and remove what building and testing made in the checkout. Cache and results stay."""
    run("ansible-playbook", "kubestress.core.local_cluster", "-e", "local_cluster_state=absent")
    for name in BUILD_ARTEFACTS:
        shutil.rmtree(CHECKOUT / name, ignore_errors=True)
    for folder in CHECKOUT.rglob("__pycache__"):
        shutil.rmtree(folder, ignore_errors=True)


def shell(extra: list[str]) -> None:
    """Run any command inside the environment: scripts/dev run pytest -k gate."""
    run(*extra, env={"PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]})


TARGETS: dict[str, Callable[[list[str]], None]] = {
    "bench": bench,
    "build": build,
    "clean": clean,
    "demo": demo,
    "docs": docs,
    "env": lambda _extra: print(sys.prefix),
    "integration": integration,
    "lint": lint,
    "molecule": molecule,
    "run": shell,
    "sanity": sanity,
    "test": test,
    "unit": unit,
}


def main() -> None:
    """Run the target named first with the arguments after it."""
    parser = argparse.ArgumentParser(prog="scripts/dev", description="Run a target inside the development environment.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("extra", nargs=argparse.REMAINDER, help="passed on to the tool behind the target")
    arguments = parser.parse_args()
    # As an exception, so that a control plane started here is stopped on the way out.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        TARGETS[arguments.target](arguments.extra)
    except TargetFailedError as error:
        sys.exit(f"kubestress: {arguments.target}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
