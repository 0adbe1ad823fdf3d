"""kubestress.core.storage_watch on a real API server: what it tells is what a scan would, whatever happens to it."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.storage import storage_info
from ansible_collections.kubestress.core.plugins.module_utils.storage.document import document, plain
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.options import checked_watch
from ansible_collections.kubestress.core.plugins.module_utils.storage_watch.watching import watch
from ansible_collections.kubestress.core.plugins.modules.storage_watch import ARGUMENTS
from helpers.collection import CHECKOUT
from helpers.storage_place import (
    CLAIM,
    Place,
    claims_of_every_state,
    of_claim,
    snapshots_of_every_state,
    volumes_of_every_state,
)
from jsonschema import Draft202012Validator
from prometheus_client.openmetrics.parser import text_string_to_metric_families

JUDGED = ["claims", "volumes", "snapshots", "attachments"]
SCHEMA = Draft202012Validator(json.loads((CHECKOUT / "docs" / "storage-watch.schema.json").read_text()))
SECONDS = 60.0


class Watched:
    """A watch in this process, and its files."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
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
