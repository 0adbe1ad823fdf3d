"""The Makefile's targets. Runs inside the development environment, started by `scripts/dev TARGET`."""

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

import real_node  # noqa: E402  (importable because of the line above)
from helpers import browser, collection, control_plane  # noqa: E402

# Puts the demo on the user's own cluster; nothing else does.
DEMO_CLUSTER, CURRENT = "DEMO_CLUSTER", "current"
# Written to the checkout by builds and tests. Results are not in the list: they are the user's measurements.
BUILD_ARTEFACTS = (".ansible", ".cache", ".mypy_cache", ".pytest_cache", ".ruff_cache", "build", "tests/output")
# Not shipped, and checked by ruff and mypy. tests/config.yml and tests/sanity belong to ansible-test.
NOT_FOR_SANITY = (
    "extensions/",
    "scripts/",
    "tests/bench/",
    "tests/conftest.py",
    "tests/helpers/",
    "tests/integration/",
    "tests/unit/",
)
# Needs PowerShell, and the collection has no PowerShell files.
SKIPPED_SANITY_TESTS = ("pslint",)
# A scenario mostly waits for the cluster: three at once take a third of the time, even on two cores.
MOLECULE_WORKERS = "3"
# One per processor, at most four: each that needs a control plane starts its own.
PYTEST_WORKERS = ("-n", "auto", "--maxprocesses", "4", "--dist", "loadfile")
DEMO_NAME = "demo"
# Takes from each row of the fault suite the code that it is about.
DEFENCE, OFF = "DEFENCE", "off"
# The browser for the tests of report.html: command -> Debian package.
BROWSER_PACKAGES = {"chromium": "chromium"}


# --- a cluster to work on -------------------------------------------------------------------------------------------


def names_a_cluster(variable: str) -> bool:
    """Whether kubectl or the collection takes from this variable which cluster to use, or how to reach it."""
    return variable == "KUBECONFIG" or variable.startswith("K8S_AUTH_")


def leave_out_the_users_cluster() -> list[str]:
    """Take the variables that name the user's cluster out of our environment; return their names.

    All of them: a K8S_AUTH_HOST that is left would win over the kubeconfig of the embedded cluster.
    """
    named = sorted(name for name in os.environ if names_a_cluster(name) and os.environ[name])
    for name in named:
        del os.environ[name]
    return named


def demo_cluster(*, with_real_node: bool | None) -> dict[str, str]:
    """Return the settings that name the embedded cluster, started if necessary; none with DEMO_CLUSTER=current.

    Settings, not variables of the environment, because the commands that a run shows have them.

    Prints which cluster it is. If `with_real_node` is given and the embedded cluster has the other kind of node, it is
    restarted and keeps its objects.
    """
    wanted = os.environ.get(DEMO_CLUSTER, "")
    if wanted not in ("", CURRENT):
        raise TargetFailedError(
            f"{DEMO_CLUSTER} is {wanted!r}; allowed is {CURRENT}, for the cluster that kubectl uses"
        )
    if wanted and with_real_node is not None:
        raise TargetFailedError(f"{real_node.VARIABLE} applies to the embedded cluster, but {DEMO_CLUSTER} is {wanted}")
    if wanted:
        # Of the credentials among them, only the names are shown.
        shown = [f"{name}={os.environ[name]}" for name in ("KUBECONFIG", "K8S_AUTH_KUBECONFIG", "K8S_AUTH_HOST")
                 if os.environ.get(name)]  # fmt: skip
        print(f"Using your current cluster: {', '.join(shown) or 'that of ~/.kube/config'}", flush=True)
        return {}
    named = leave_out_the_users_cluster()
    if named:
        print(
            f"Using the embedded cluster, not the one that {', '.join(named)} may name; "
            f"`make demo {DEMO_CLUSTER}={CURRENT}` would use that",
            flush=True,
        )
    tier = {"local_cluster_real_node": with_real_node, "local_cluster_restart": True}
    try:
        return {"kubestress_kubeconfig": str(control_plane.start(tier if with_real_node is not None else None))}
    except control_plane.ControlPlaneError as error:
        hint = (
            f"if it has a real node: {real_node.VARIABLE}=true uses it, {real_node.VARIABLE}=false restarts it without"
        )
        raise TargetFailedError(f"{error} ({hint})" if with_real_node is None else str(error)) from error


def colours() -> dict[str, str]:
    """Return the variable that keeps Ansible's colours when its output passes through us to a terminal."""
    return {"ANSIBLE_FORCE_COLOR": "true"} if sys.stdout.isatty() and "NO_COLOR" not in os.environ else {}


@contextmanager
def test_cluster() -> Iterator[None]:
    """Start a control plane and name it in KUBESTRESS_TEST_KUBECONFIG, unless that names one already.

    It has its own ports and folder, apart from a user's embedded cluster and from tests of other checkouts.
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
    """Install Chromium for the tests of report.html, unless it is on PATH under any of its names."""
    if browser.find() is None:
        real_node.install_debian_packages(BROWSER_PACKAGES)


# --- targets --------------------------------------------------------------------------------------------------------


def demo(extra: list[str]) -> None:
    """Run the profile smoke on the embedded control plane, after removing the objects of an earlier demo.

    With REAL_NODE=true, on a real node and with settings that show its processes and network; with
    DEMO_CLUSTER=current, on the cluster that kubectl uses.
    """
    with_real_node = real_node.wanted()
    cluster = demo_cluster(with_real_node=with_real_node)
    chosen = ("-e", json.dumps(real_node.DEMO_SETTINGS)) if with_real_node else ()
    connection = ("-e", json.dumps(cluster)) if cluster else ()
    # Own names, so that it does not touch another run on the same cluster.
    run_id, prefix = ("-e", f"run_id={DEMO_NAME}"), ("-e", f"namespaces_prefix={DEMO_NAME}")
    run("ansible-playbook", "kubestress.core.cleanup", *run_id, *connection, env=colours())
    run("ansible-playbook", "kubestress.core.smoke", *run_id, *prefix, *connection, *chosen, *extra, env=colours())
    print("  (in this checkout, with `scripts/dev run` in front of the commands)", flush=True)


def lint(extra: list[str]) -> None:
    """Check style, types, Ansible content, changelog fragments, and that generated pages are up to date."""
    fail_if_any(run_all(lint_steps()))


def sanity(extra: list[str]) -> None:
    """Run ansible-test sanity on a copy of the shipped files, because it requires the installed path.

    The path of the copy is the same in every run, so that ansible-test's caches stay valid.
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
    # Molecule would remember from the run before what it has prepared, on a control plane that is gone.
    with test_cluster(), TemporaryDirectory() as home:
        env = {"K8S_AUTH_KUBECONFIG": os.environ[control_plane.TEST_KUBECONFIG], "ANSIBLE_HOME": home}
        run("molecule", "test", *(extra or ["--all", "--workers", MOLECULE_WORKERS]), env=env)


def pytest(folder: str | None, arguments: Sequence[str]) -> None:
    """Run pytest on the folder, or on the paths among the arguments, with the collection importable.

    It uses several processes, unless the arguments name paths or all tests share one cluster. Exits with 1 on failure,
    so that pytest's summary is the last output.
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
    """Run the unit tests; no cluster needed."""
    pytest("tests/unit", extra)


def integration(extra: list[str]) -> None:
    """Run the integration tests, each process with its own control plane."""
    prepare_browser()
    real_node.prepare()
    pytest("tests/integration", extra)


def test(extra: list[str]) -> None:
    """Run everything, also after a failure; pytest's summary comes last."""
    failed = run_all(
        [
            *lint_steps(),
            ("ansible-test sanity", lambda: sanity([])),
            ("browser", prepare_browser),
            ("real node and storage", real_node.prepare),
            ("molecule", lambda: molecule([])),
        ]
    )
    # pytest repeats these above its summary, and fails because of them (tests/conftest.py).
    os.environ["KUBESTRESS_FAILED_STEPS"] = ", ".join(failed)
    pytest(None, ["-m", "not outage", *extra])


def faults(extra: list[str]) -> None:
    """Run every row of the fault suite on one control plane, and print the table.

    With DEFENCE=off each row runs without the code that it is about, and must fail.
    """
    wanted = os.environ.get(DEFENCE, "")
    if wanted not in ("", OFF):
        raise TargetFailedError(f"{DEFENCE} is {wanted!r}; allowed is {OFF}")
    pytest(None, ["tests/faults", f"--defence={wanted or 'on'}", "--fault-table=build/faults.md", *extra])


def bench(extra: list[str]) -> None:
    """Measure on the embedded control plane and print the table."""
    real_node.install_debian_packages({"h2load": "nghttp2-client"})
    search = {"PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]}
    run(sys.executable, "tests/bench", *extra, env=search)


def docs(extra: list[str]) -> None:
    """Regenerate the generated files."""
    run(sys.executable, "scripts/generate_docs.py", *extra, env={"PYTHONPATH": os.environ["ANSIBLE_COLLECTIONS_PATH"]})


def build(extra: list[str]) -> None:
    """Build the tarball into build/."""
    print(collection.build_tarball(CHECKOUT / "build"))


def clean(extra: list[str]) -> None:
    """Stop the embedded cluster and remove build and test files from the checkout. Cache and results stay."""
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
    "faults": faults,
    "integration": integration,
    "lint": lint,
    "molecule": molecule,
    "run": shell,
    "sanity": sanity,
    "test": test,
    "unit": unit,
}


def main() -> None:
    """Run the target named first with the arguments after it.

    Only the demo can be put on the user's cluster, and `run` is as good as the user's own shell.
    """
    parser = argparse.ArgumentParser(prog="scripts/dev", description="Run a target inside the development environment.")
    parser.add_argument("target", choices=sorted(TARGETS))
    parser.add_argument("extra", nargs=argparse.REMAINDER, help="passed to the tool behind the target")
    arguments = parser.parse_args()
    # Raise SystemExit, so that a control plane started here is stopped.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    if arguments.target not in ("demo", "run"):
        leave_out_the_users_cluster()
    try:
        TARGETS[arguments.target](arguments.extra)
    except TargetFailedError as error:
        sys.exit(f"kubestress: {arguments.target}: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
