"""Fixtures of all tests: a control plane for the session, kubectl and ansible-playbook on it, run ids of one's own."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

CHECKOUT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(CHECKOUT / "scripts"))

import devenv  # noqa: E402  (the line above is what makes it importable)

# `pytest` typed by hand finds the collection as `make unit` does. First, so that no installed copy is tested instead.
COLLECTIONS = devenv.ensure_collection_link()
sys.path.insert(0, str(COLLECTIONS))

from helpers import control_plane  # noqa: E402
from helpers.commands import Completed, run  # noqa: E402

UNIT = CHECKOUT / "tests" / "unit"
FAILED_STEPS = "KUBESTRESS_FAILED_STEPS"
# They start clusters with real nodes, or compare the machine's mounts, cgroups and network before and after.
ONE_AT_A_TIME = ("tests/integration/local_cluster/", "tests/integration/test_build_script.py")


class Shares(LoadFileScheduling):
    """What one process gets at a time: a file, or all files that need the machine for themselves."""

    @staticmethod
    def is_one_at_a_time(nodeid: str) -> bool:
        """Whether a test needs the machine for itself."""
        return nodeid.startswith(ONE_AT_A_TIME)

    def _split_scope(self, nodeid: str) -> str:
        path: str = super()._split_scope(nodeid)
        return "one at a time" if self.is_one_at_a_time(nodeid) else path


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Shares:
    """Hand the tests out in our way."""
    config.option.loadscopereorder = False  # by number of tests, the few slow ones would come last
    return Shares(config, log)


def _turn(item: pytest.Item) -> int:
    """What takes longest begins first, so that both processes have something to do to the end."""
    if Shares.is_one_at_a_time(item.nodeid):
        return 0
    if item.path.name == "test_cleanup.py":
        return 1  # it removes old runs, and waits for each that earlier tests have left
    return 3 if UNIT in item.path.parents else 2


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what lies under tests/integration, and put the tests in order."""
    for item in items:
        if CHECKOUT / "tests" / "integration" in item.path.parents:
            item.add_marker(pytest.mark.integration)
    items.sort(key=_turn)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Repeat what failed before pytest began (make test), where it can't be missed: just above the closing line."""
    if failed := os.environ.get(FAILED_STEPS):
        terminalreporter.section("earlier steps failed", red=True, bold=True)
        terminalreporter.line(failed)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail for what failed before pytest began, too."""
    if os.environ.get(FAILED_STEPS) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


AnsiblePlaybook = Callable[..., Completed]


@pytest.fixture(scope="session")
def cluster_free_playbook(tmp_path_factory: pytest.TempPathFactory) -> AnsiblePlaybook:
    """Return a function that runs ansible-playbook without naming a cluster; see ansible_playbook for its arguments."""
    workdir = tmp_path_factory.mktemp("playbook")

    def run_playbook(
        playbook: str | Path,
        *arguments: str,
        extra_vars: Mapping[str, object] | None = None,
        cwd: Path = workdir,
        **options: Any,
    ) -> Completed:
        variables = ["-e", json.dumps(extra_vars)] if extra_vars else []
        return run("ansible-playbook", str(playbook), *arguments, *variables, cwd=cwd, **options)

    return run_playbook


@pytest.fixture(scope="session")
def local_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Yield the kubeconfig of a control plane that serves the whole session and is stopped at its end.

    KUBESTRESS_TEST_KUBECONFIG names one to use instead; it is left running.
    """
    if given := os.environ.get(control_plane.TEST_KUBECONFIG):
        yield Path(given)
        return
    with control_plane.running(tmp_path_factory.mktemp("local_cluster")) as kubeconfig:
        yield kubeconfig


@pytest.fixture(scope="session")
def kubeconfig(local_cluster: Path) -> Path:
    """Return the path of the session's kubeconfig."""
    return local_cluster


@pytest.fixture(scope="session")
def ansible_playbook(cluster_free_playbook: AnsiblePlaybook, kubeconfig: Path) -> AnsiblePlaybook:
    """Return a function that runs ansible-playbook against the session's cluster.

    ansible_playbook(playbook, *arguments, extra_vars=None, env=None, cwd=…, timeout_seconds=600) -> Completed.
    extra_vars go in as JSON, so their types arrive as they are; for strings, as AWX sends them: "-e", "name=value".
    """

    def run_on_cluster(*arguments: Any, env: Mapping[str, str] | None = None, **options: Any) -> Completed:
        cluster = {"K8S_AUTH_KUBECONFIG": str(kubeconfig)}
        return cluster_free_playbook(*arguments, env=cluster | dict(env or {}), **options)

    return run_on_cluster


@pytest.fixture(scope="session")
def kubectl_binary() -> str:
    """Return kubectl's path: from PATH, else newest of those in the cache, which local_cluster builds when asked."""
    built = sorted((devenv.cache_dir() / "bin").glob("*/kubectl"), key=lambda path: path.stat().st_mtime)
    found = shutil.which("kubectl") or (str(built[-1]) if built else None)
    if found is None:
        pytest.skip("kubectl is neither on PATH nor in the cache; it is the independent witness of these tests")
    return found


@pytest.fixture(scope="session")
def kubectl(kubectl_binary: str, kubeconfig: Path) -> Callable[..., Any]:
    """Return a function that runs kubectl against the session's cluster.

    kubectl("get", "pods", "-A", stdin="") returns the parsed JSON for commands that print it (get, create, apply,
    patch: `-o json` is added), else the text. It fails the test with kubectl's own words if that ends with anything
    but 0.
    """
    json_verbs = ("get", "create", "apply", "patch", "label", "annotate")

    def run_kubectl(*arguments: str, stdin: str = "") -> Any:
        wants_json = arguments[0] in json_verbs and "--raw" not in arguments
        output = ["-o", "json"] if wants_json else []
        done = run(kubectl_binary, "--kubeconfig", str(kubeconfig), *arguments, *output, stdin=stdin)
        assert done.rc == 0, f"kubectl {' '.join(arguments)} ended with {done.rc}: {done.stderr.strip()}"
        return json.loads(done.stdout) if wants_json else done.stdout

    return run_kubectl


@pytest.fixture(scope="session")
def short_folder() -> Iterator[Callable[[], Path]]:
    """Yield a function that makes a new folder with a short path, for a real node: its sockets lie below."""
    with tempfile.TemporaryDirectory(prefix="ks-") as root:
        yield lambda: Path(tempfile.mkdtemp(dir=root))


@pytest.fixture
def run_id(request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield a run id nobody else has; what carries it when the test ends is removed.

    Namespaces suffice: everything the collection creates lies in one. Deletion is not waited for, so a later test never
    takes the same name for granted.
    """
    name = f"t-{secrets.token_hex(4)}"
    on_cluster = {"kubeconfig", "local_cluster"} & set(request.fixturenames)
    run_kubectl = request.getfixturevalue("kubectl") if on_cluster else None
    yield name
    if run_kubectl is not None:
        run_kubectl("delete", "namespaces", "-l", f"kubestress.core/run-id={name}", "--wait=false")


@pytest.fixture
def prefix() -> str:
    """Return a namespace prefix nobody else has."""
    return f"t-{secrets.token_hex(3)}"


@pytest.fixture
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return an empty cache folder that KUBESTRESS_CACHE names."""
    monkeypatch.setenv("KUBESTRESS_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def bare_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a checkout whose requirements are empty, so that making its environment installs nothing."""
    for name in devenv.REQUIREMENT_FILES:
        (tmp_path / name).touch()
    monkeypatch.setattr(devenv, "CHECKOUT", tmp_path)
    return tmp_path
