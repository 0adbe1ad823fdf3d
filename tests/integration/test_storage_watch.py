"""kubestress.core.storage_watch on a real API server: what it tells is what a scan would, whatever happens to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.machine.process import Process
from ansible_collections.kubestress.core.plugins.module_utils.storage import storage_info
from ansible_collections.kubestress.core.plugins.module_utils.storage.document import document, plain
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch import watching as watching_module
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.options import checked_watch
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.storage_watch import run_module
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.watching import watch
from ansible_collections.kubestress.core.plugins.modules.storage_watch import ARGUMENTS
from helpers.collection import CHECKOUT
from helpers.control_plane import free_ports
from helpers.counting_proxy import counting_proxy
from helpers.faults import Call, Fault, status
from helpers.one_task import returned
from helpers.storage_place import (
    CLAIM,
    Place,
    claims_of_every_state,
    of_claim,
    snapshots_of_every_state,
    volumes_of_every_state,
)
from helpers.waiting import until
from jsonschema import Draft202012Validator
from prometheus_client.openmetrics.parser import text_string_to_metric_families

JUDGED = ["claims", "volumes", "snapshots", "attachments"]
SCHEMA = Draft202012Validator(json.loads((CHECKOUT / "docs" / "storage-watch.schema.json").read_text()))
SECONDS = 60.0


class Watched:
    """A watch in this process, and its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        #: The one whose findings are looked at; None for all.
        self.namespace: str | None = None
        self.task: asyncio.Task[dict[str, Any]] | None = None
        self.began = asyncio.Event()

    @property
    def lines(self) -> list[dict[str, Any]]:
        """All lines so far; each is valid."""
        text = (self.folder / "events.jsonl").read_text()
        assert text.endswith("\n")
        found = [json.loads(line) for line in text.splitlines()]
        for line in found:
            SCHEMA.validate(line)
        return found

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The lines of one type."""
        return [line for line in self.lines if line["type"] == kind]

    async def until(self, look: Callable[[], Any]) -> Any:
        """Wait while the watch goes on."""
        async with asyncio.timeout(SECONDS):
            while not (found := look()):
                if self.task is not None and self.task.done():
                    self.task.result()
                    pytest.fail("the watch has ended")
                await asyncio.sleep(0.1)
        return found

    def standing(self) -> dict[tuple[str, str], str]:
        """State by kind and name of the findings that stand by the lines."""
        found: dict[tuple[str, str], str] = {}
        for line in self.of("finding"):
            if line["state"] == "many_snapshots":
                continue
            if self.namespace is not None and line["namespace"] not in (None, self.namespace):
                continue
            key = (line["kind"], line["name"])
            if line["change"] == "vanished":
                del found[key]
            else:
                assert (key in found) is (line["change"] == "changed"), line
                found[key] = line["state"]
        return found

    def metrics(self) -> dict[str, Any]:
        """The metrics file, as Prometheus reads it."""
        text = (self.folder / "metrics.prom").read_text()
        return {family.name: family.samples for family in text_string_to_metric_families(text)}


def options_of(folder: Path, **given: Any) -> dict[str, Any]:
    """The module's parameters."""
    arguments = {"dest": str(folder), "min_age": "0", "top": 1000, "parts": JUDGED, "metrics_interval": 0.1, **given}
    checked = ArgumentSpecValidator(ARGUMENTS).validate(arguments)
    assert not checked.error_messages, checked.error_messages
    return checked.validated_parameters


@asynccontextmanager
async def watching(folder: Path, auth: dict[str, Any], **given: Any) -> AsyncIterator[tuple[Watched, Any]]:
    """Yield a watch that has begun, and its task; it is ended by SIGTERM, if not before."""
    watched, loop = Watched(folder), asyncio.get_running_loop()
    task = loop.create_task(watch(auth, checked_watch(options_of(folder, **given)), lambda _told: watched.began.set()))
    watched.task = task
    beginning = loop.create_task(watched.began.wait())
    try:
        await asyncio.wait({task, beginning}, timeout=SECONDS, return_when=asyncio.FIRST_COMPLETED)
        if not watched.began.is_set():
            task.result()
        yield watched, task
    finally:
        beginning.cancel()
        if not task.done():
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.wait({task}, timeout=SECONDS)


async def scanned(kubeconfig: Path, options: dict[str, Any]) -> dict[str, Any]:
    """What a fresh scan says."""
    checked = checked_watch(options).scan
    report = await storage_info.scan_cluster({"kubeconfig": str(kubeconfig)}, checked)
    found: dict[str, Any] = plain(document(report))
    return found


def without_age(findings: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The findings in an order of their own."""
    rows = [{name: value for name, value in row.items() if name != "age_seconds"} for row in findings]
    return sorted(rows, key=lambda row: (row["kind"], row["namespace"] or "", row["name"], row["state"]))


def the_same(watched: dict[str, Any], fresh: dict[str, Any]) -> None:
    """Both say the same of the cluster."""
    assert without_age(watched["findings"]) == without_age(fresh["findings"])
    for name in ("orphans", "orphan_bytes", "states", "claims", "volumes", "snapshots", "contents", "capacity_bytes"):
        assert watched["summary"][name] == fresh["summary"][name], name
    assert watched["totals"] == fresh["totals"]
    assert {name: part["complete"] for name, part in watched["parts"].items()} == {
        name: part["complete"] for name, part in fresh["parts"].items()
    }


async def test_it_says_what_a_scan_would(kubeconfig: Path, place: Place, snapshot_kinds: None, tmp_path: Path) -> None:
    """Everything is made while it watches, so that nothing of it comes from a list."""
    auth = {"kubeconfig": str(kubeconfig)}
    options = options_of(tmp_path)
    async with watching(tmp_path, auth) as (watched, task):
        watched.namespace = place.name  # other tests leave claims of the same names in theirs

        def make() -> dict[tuple[str, str], str]:
            found = claims_of_every_state(place) | volumes_of_every_state(place) | snapshots_of_every_state(place)
            return {
                (kind, f"{place.name}-{name}" if kind in ("PersistentVolume", "VolumeSnapshotContent") else name): state
                for (kind, name), state in found.items()
            }

        expected = await asyncio.to_thread(make)
        await watched.until(lambda: expected.items() <= watched.standing().items())
        # What is over is told, too.
        await asyncio.to_thread(place.pod, "late", of_claim("late"))
        del expected[CLAIM, "late"]
        await watched.until(lambda: (CLAIM, "late") not in watched.standing())
        fresh = await scanned(kubeconfig, options)
        os.kill(os.getpid(), signal.SIGTERM)
        found = await task
    the_same(found, fresh)
    assert found["watch"]["reason"] == "interrupted by SIGTERM"
    assert json.loads((tmp_path / "storage.json").read_text())["summary"] == found["summary"]
    assert watched.standing().items() >= expected.items()
    assert watched.lines[-1]["type"] == "ended"
    made = Counter(line["kind"] for line in watched.of("object") if line["change"] == "added")
    assert made[CLAIM] >= 14, made
    samples = watched.metrics()["kubestress_storage_orphans"]
    orphans = sum(sample.value for sample in samples)
    assert orphans == sum(fresh["summary"]["orphans"].values())


class Interruptions(Fault):
    """Cuts all connections while it is `down`, forgets versions on demand, and takes one token at a time."""

    def __init__(self, token: str) -> None:
        super().__init__()
        self.token = token
        self.down = False
        self.forgotten: set[str] = set()
        self.forgets = False
        self.refused: Counter[int] = Counter()

    def _refusal(self, request: web.Request) -> web.Response | None:
        if self.down:
            self.refused[503] += 1
            return status(503, "ServiceUnavailable", "not now")
        if request.headers.get("Authorization") != f"Bearer {self.token}":
            self.refused[401] += 1
            return status(401, "Unauthorized", "Unauthorized")
        return None

    async def answer(self, call: Call) -> web.Response:
        return self._refusal(call.request) or await call.forward()

    def refuses_watch(self, request: web.Request) -> web.Response | None:
        refusal = self._refusal(request)
        if refusal is None and self.forgets and request.path not in self.forgotten:
            self.forgotten.add(request.path)
            self.refused[410] += 1
            return status(410, "Expired", "too old resource version")
        return refusal

    async def lines(self, request: web.Request, lines: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        following = asyncio.ensure_future(anext(lines))
        try:
            while not self.down:
                await asyncio.wait({following}, timeout=0.05)
                if following.done():
                    yield following.result()
                    following = asyncio.ensure_future(anext(lines))
            raise aiohttp.ClientConnectionError
        except StopAsyncIteration:
            return
        finally:
            following.cancel()


def with_token(folder: Path, url: str, token: str) -> dict[str, Any]:
    """Write a kubeconfig whose token is in a file of its own; return the connection's options."""
    (folder / "token").write_text(token)
    user = {"name": "u", "user": {"tokenFile": str(folder / "token")}}
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": url}}],
        "users": [user],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return {"kubeconfig": str(folder / "kubeconfig")}


async def test_it_says_what_a_scan_would_after_all_that_can_happen_to_a_connection(
    kubeconfig: Path, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {"namespaces": [place.name], "parts": ["claims", "volumes", "attachments"]}
    options = options_of(tmp_path, **given)
    await asyncio.to_thread(place.bound, "left", "goes", "late")
    fault = Interruptions("token-one")
    with counting_proxy(kubeconfig, fault) as proxy:
        async with watching(tmp_path, with_token(tmp_path, proxy.url, "token-one"), **given) as (watched, task):
            orphans = {(CLAIM, name): "orphan" for name in ("left", "goes", "late")}
            assert orphans.items() <= watched.standing().items()

            # A cut connection: nothing is judged meanwhile, and nothing that happened is missed.
            before = len(watched.of("finding"))
            fault.down = True
            await watched.until(lambda: fault.refused[503] >= 12)
            await asyncio.to_thread(place.pod, "late", of_claim("late"))
            assert len(watched.of("finding")) == before
            fault.down = False
            await watched.until(lambda: (CLAIM, "late") not in watched.standing())

            # The same with versions that the server has forgotten, and another token.
            fault.down = True
            fault.forgets = True
            fault.token = "token-two"
            await asyncio.to_thread(place.kubectl, "delete", CLAIM, "goes", "-n", place.name)
            await asyncio.to_thread(place.bound, "new")
            (tmp_path / "token").write_text("token-two")
            fault.down = False
            await watched.until(lambda: (CLAIM, "new") in watched.standing())
            await watched.until(lambda: (CLAIM, "goes") not in watched.standing())
            assert fault.refused[410] >= 12
            assert fault.refused[401] >= 1

            # Blind for long: nobody knows whether what was an orphan still is one.
            monkeypatch.setattr(watching_module, "BLIND_SECONDS", 0.5)
            fault.down = True
            await watched.until(lambda: watched.standing().get((CLAIM, "left")) == "unknown")
            cause = next(line["cause"] for line in watched.of("part") if line["part"] == "pods")
            assert cause.startswith("its watch is closed since 20"), cause
            await watched.until(lambda: of_parts(watched)["pods"] == 0)
            fault.down = False
            await watched.until(lambda: watched.standing().get((CLAIM, "left")) == "orphan")

            await watched.until(lambda: not undecided(watched))
            fresh = await scanned(kubeconfig, options)
            os.kill(os.getpid(), signal.SIGTERM)
            found = await task
    the_same(found, fresh)
    assert found["watch"]["breaks"] >= 24
    assert "token-" not in (tmp_path / "events.jsonl").read_text()


def of_parts(watched: Watched) -> dict[str, float]:
    """Whether each part is complete, by the metrics file."""
    samples = watched.metrics()["kubestress_storage_scan_complete"]
    return {sample.labels["part"]: sample.value for sample in samples}


def undecided(watched: Watched) -> set[str]:
    """The parts that are not complete, by the lines."""
    state = {line["part"]: line["complete"] for line in watched.of("part")}
    return {name for name, complete in state.items() if not complete}


async def test_time_alone_brings_findings(kubeconfig: Path, place: Place, tmp_path: Path) -> None:
    """A claim becomes old enough without an event."""
    await asyncio.to_thread(place.bound, "ripens")
    given = {"namespaces": [place.name], "parts": ["claims", "attachments"], "min_age": "8s"}
    async with watching(tmp_path, {"kubeconfig": str(kubeconfig)}, **given) as (watched, _task):
        await watched.until(lambda: watched.standing() == {(CLAIM, "ripens"): "orphan"})
        (line,) = watched.of("finding")
        assert line["change"] == "appeared"
        assert line["confirmed"] is True
        assert line["age_seconds"] >= 8


async def test_it_ends_after_a_number_of_changes_and_after_a_time(
    kubeconfig: Path, place: Place, tmp_path: Path
) -> None:
    auth, given = {"kubeconfig": str(kubeconfig)}, {"namespaces": [place.name], "parts": ["claims"]}
    async with watching(tmp_path, auth, max_events=3, **given) as (watched, task):
        await asyncio.to_thread(place.bound, "a", "b")
        found = await asyncio.wait_for(task, SECONDS)
    assert found["watch"]["reason"] == "max_events"
    assert len(watched.of("object")) == 3
    assert 1 <= found["summary"]["claims"] <= 2
    async with watching(tmp_path, auth, max_seconds=1, **given) as (watched, task):
        found = await asyncio.wait_for(task, SECONDS)
    assert found["watch"]["reason"] == "max_seconds"
    assert 1 <= found["watch"]["seconds"] < 30
    # The second watch has added to the file of the first.
    assert [line["type"] for line in watched.lines if line["type"] in ("started", "ended")] == ["started", "ended"] * 2


async def test_what_a_label_selects_is_told(kubeconfig: Path, place: Place, tmp_path: Path) -> None:
    await asyncio.to_thread(place.bound, "one", "other")
    label = ("label", CLAIM, "-n", place.name, "--overwrite")
    given = {"namespaces": [place.name], "parts": ["claims"], "label_selector": "team=a"}
    async with watching(tmp_path, {"kubeconfig": str(kubeconfig)}, **given) as (watched, _task):
        assert watched.standing() == {}
        await asyncio.to_thread(lambda: place.kubectl(*label, "one", "team=a"))
        await watched.until(lambda: watched.standing() == {(CLAIM, "one"): "orphan"})
        await asyncio.to_thread(lambda: place.kubectl(*label, "one", "team=b"))
        await watched.until(lambda: watched.standing() == {})


@pytest.fixture
def module(ansible_playbook: Any, tmp_path: Path) -> Iterator[Callable[..., dict[str, Any]]]:
    """Yield a function that runs the module in a play; a process that it leaves behind ends with the test."""
    processes = []

    def run(*arguments: str, **options: Any) -> dict[str, Any]:
        _rc, answer = returned(ansible_playbook, tmp_path, "kubestress.core.storage_watch", options, *arguments)
        if answer.get("pid"):
            processes.append(Process.of(answer["pid"]))
        return answer

    yield run
    for process in processes:
        if process is not None:
            process.send(signal.SIGKILL)


def test_a_process_of_its_own_is_started_asked_and_stopped(
    module: Callable[..., dict[str, Any]], kubeconfig: Path, place: Place, tmp_path: Path
) -> None:
    (port,) = free_ports(1)
    folder = tmp_path / "watch"
    options = {
        "dest": str(folder),
        "kubeconfig": str(kubeconfig),
        "namespaces": [place.name],
        "parts": ["claims"],
        "min_age": "0",
        "http_port": port,
        "metrics_interval": 0.1,
    }

    def here(*, check_mode: bool = False, **others: Any) -> dict[str, Any]:
        return run_module(options_of(folder, **{**options, **others}), check_mode=check_mode)

    before = here(check_mode=True)
    assert (before["changed"], before["running"]) == (True, False), before
    assert not folder.exists()
    started = module(**options)
    assert (started["changed"], started["running"]) == (True, True), started
    again = here(top=100)
    assert (again["changed"], again["pid"]) == (False, started["pid"])
    with pytest.raises(ModuleFailed, match=r"with min_age_seconds 0.0 instead of 3600.0; stop it first"):
        here(min_age="1h")
    with pytest.raises(ModuleFailed, match=f"process {started['pid']} is watching into"):
        here(state="foreground")

    place.bound("left")
    url = f"http://127.0.0.1:{port}/metrics"
    text = until(lambda: (got := fetched(url)) and 'reason="unused"} 1.0' in got and got, seconds=SECONDS)
    families = {family.name: family for family in text_string_to_metric_families(text)}
    assert families["kubestress_storage_objects"].type == "gauge"
    listening = Path("/proc/net/tcp").read_text() + Path("/proc/net/tcp6").read_text()
    local = [row.split()[1] for row in listening.splitlines() if row.split()[1].endswith(f":{port:04X}")]
    assert local
    assert all(address.startswith("0100007F:") for address in local), "only the loopback address listens"

    assert here(check_mode=True, state="stopped")["changed"] is True
    stopped = module(**options, state="stopped")
    assert (stopped["changed"], stopped["running"], stopped["pid"]) == (True, False, None), stopped
    assert stopped["watch"]["reason"] == "interrupted by SIGTERM"
    assert [(row["name"], row["state"]) for row in stopped["findings"]] == [("left", "orphan")]
    watched = Watched(folder)
    assert watched.lines[-1]["type"] == "ended"
    assert watched.metrics()
    assert fetched(url) is None
    assert Process.of(started["pid"]) is None
    assert here(state="stopped")["changed"] is False


def fetched(url: str) -> str | None:
    """What is answered in the form of OpenMetrics; None where nobody does."""
    request = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            text: str = answer.read().decode()
    except OSError:
        return None
    return text


async def test_what_only_the_cluster_or_the_host_can_refuse(kubeconfig: Path, tmp_path: Path) -> None:
    auth, (port,) = {"kubeconfig": str(kubeconfig)}, free_ports(1)
    with pytest.raises(ModuleFailed, match=r"label_selector: 'a in': "):
        async with watching(tmp_path, auth, label_selector="a in"):
            pass
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ModuleFailed, match=f"http_port: {port} of 127.0.0.1 cannot be listened on: "),
    ):
        async with watching(tmp_path, auth, http_port=port):
            pass


def test_the_playbook_watches_with_all_variables_as_text(ansible_playbook: Any, place: Place, tmp_path: Path) -> None:
    """As AWX hands them over."""
    given = {
        "storage_watch_max_seconds": "2",
        "storage_watch_max_events": "0",
        "storage_watch_metrics_interval": "0.5",
        "storage_watch_metrics_file": str(tmp_path / "node.prom"),
        "storage_namespaces": place.name,
        "storage_parts": "claims,attachments",
        "storage_min_age": "0",
        "run_results_dir": str(tmp_path / "results"),
    }
    place.bound("left")
    done = ansible_playbook("kubestress.core.storage_watch", extra_vars=given)
    assert done.rc == 0, done.output
    assert "until max_seconds" in done.stdout
    assert "orphans: 1 PersistentVolumeClaim" in done.stdout
    assert "WARNING" not in done.output
    watched = Watched(tmp_path / "results" / "storage-watch")
    assert watched.standing() == {(CLAIM, "left"): "orphan"}
    assert [line["type"] for line in watched.lines] == ["started", "synced", "finding", "ended"]
    assert 'orphans{kind="PersistentVolumeClaim",reason="unused"} 1' in (tmp_path / "node.prom").read_text()
