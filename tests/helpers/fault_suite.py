"""A row of the fault suite: one batch through a proxy with one fault, judged by what kubectl finds afterwards."""

from __future__ import annotations

import fcntl
import json
import re
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import from_response
from ansible_collections.kubestress.core.plugins.module_utils.cluster.proof import Unproven
from ansible_collections.kubestress.core.plugins.module_utils.machine.progress import untoned

from helpers.batches import NAMESPACES, config_maps, deployments, jobs, run_batch
from helpers.counting_proxy import CountingProxy, counting_proxy
from helpers.faults import Fault
from helpers.plane_faults import wait_until_serving, wait_until_working

CONFIG_MAPS, DEPLOYMENTS, JOBS = 20, 3, 2
FRAGMENTS = [NAMESPACES, config_maps(CONFIG_MAPS), deployments(DEPLOYMENTS), jobs(JOBS)]
KINDS = {"Namespace": "namespaces", "ConfigMap": "configmaps", "Deployment": "deployments.apps", "Job": "jobs.batch"}
#: (kind, namespace, name)
Named = tuple[str, str, str]


@dataclass(frozen=True)
class Defence:
    """What a row is about. `off` replaces attributes, as (object, name, replacement), so that it is not there.

    Where the object is a dictionary, an entry is replaced.
    """

    name: str
    off: tuple[tuple[Any, str, Any], ...]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One fault and what is expected of a run under it.

    `make` makes the fault, from the kubeconfig. `least`: how often it must have happened for the row to count.
    `verdict` is that of the first run; what is not "passed" is run once more, without the fault. `says`: patterns that
    the user must be able to read. `shortened` replaces times, like `off` of a defence. `within`: seconds that the
    first run may take.
    """

    name: str
    point: str
    injects: str
    make: Callable[[Path], Fault]
    defence: Defence
    least: int = 3
    verdict: str = "passed"
    says: tuple[str, ...] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    needs_plane: bool = False
    within: float = 150.0
    shortened: tuple[tuple[Any, str, Any], ...] = ()


def parameters(cases: Iterable[Case]) -> list[Any]:
    """The cases for pytest. Rows that stop a part of the control plane run with `make faults` only."""
    return [pytest.param(case, id=case.name, marks=[pytest.mark.outage] if case.needs_plane else []) for case in cases]


@dataclass(kw_only=True)
class Row:
    """What the table shows. `complaints` is empty if all went as expected."""

    point: str
    name: str
    injects: str
    defence: str
    injected: int = 0
    reads: str = ""
    asked: int = 0
    stored: int = 0
    lost: int = 0
    twice: int = 0
    strangers: int = 0
    verdict: str = ""
    seconds: float = 0.0
    complaints: list[str] = field(default_factory=list)

    def as_property(self) -> dict[str, Any]:
        """The row as plain data, which pytest can hand from a process to another."""
        return asdict(self)


def believing(_self: Any, asked: Any, response: Any, body: bytes) -> Any:
    """Judge an answer by its status alone: the client without its defence against what is no API server."""
    if response.status >= 300:
        raise from_response(response.status, response.headers, body)
    try:
        return asked.decode(body) if asked.decode else None
    except Unproven:
        return {}


class Scene:
    """Two namespaces, of which the second is a stranger's; what is in them and who put it there."""

    def __init__(
        self, *, kubeconfig: Path, kubectl: Callable[..., Any], folder: Path, run_id: str, prefix: str
    ) -> None:
        self.kubeconfig, self.kubectl, self.folder, self.run_id = kubeconfig, kubectl, folder, run_id
        self.own, self.foreign = f"{prefix}-1", f"{prefix}-2"
        self._strangers: dict[Named, tuple[str, str]] = {}

    def put_strangers(self) -> None:
        """Put objects there that look like the run's but for its label."""
        looks = {"app.kubernetes.io/managed-by": "kubestress", "deployment-test": "true"}
        space = {"namespace": self.foreign}
        for kind, metadata in (
            ("Namespace", {"name": self.foreign}),
            ("ConfigMap", {"name": "theirs", **space}),
            ("Secret", {"name": "theirs", **space}),
            ("ServiceAccount", {"name": "theirs", **space}),
        ):
            body = {"apiVersion": "v1", "kind": kind, "metadata": {**metadata, "labels": looks}}
            self.kubectl("create", "-f", "-", stdin=json.dumps(body))
        self._strangers = self._theirs()

    def _theirs(self) -> dict[Named, tuple[str, str]]:
        """By object: uid and resource version of what is a stranger's."""
        items = [
            *self.kubectl("get", "namespaces", f"--field-selector=metadata.name={self.foreign}")["items"],
            *self.kubectl("get", "configmaps,secrets,serviceaccounts", f"-n={self.foreign}")["items"],
        ]
        theirs = [item for item in items if item["metadata"]["name"] in ("theirs", self.foreign)]
        return {_named(item): (item["metadata"]["uid"], item["metadata"]["resourceVersion"]) for item in theirs}

    def touched(self) -> int:
        """How many of the strangers' objects are not as they were."""
        now = self._theirs()
        return sum(now.get(key) != seen for key, seen in self._strangers.items())

    def asked(self) -> set[Named]:
        """All objects that the run must make."""
        numbered = (
            ("ConfigMap", "c", CONFIG_MAPS), ("ConfigMap", "d", DEPLOYMENTS), ("Deployment", "d", DEPLOYMENTS),
            ("Job", "j", JOBS),
        )  # fmt: skip
        return {("Namespace", "", self.own)} | {
            (kind, namespace, f"{letter}-{index}")
            for namespace in (self.own, self.foreign)
            for kind, letter, count in numbered
            for index in range(1, count + 1)
        }

    def found(self) -> set[Named]:
        """All objects of the run, as kubectl finds them at the API server itself."""
        selector = ("-l", f"kubestress.core/run-id={self.run_id}")
        spread = ",".join(name for kind, name in KINDS.items() if kind != "Namespace")
        items = [
            *self.kubectl("get", "namespaces", *selector)["items"],
            *self.kubectl("get", spread, "-A", *selector)["items"],
        ]
        return {_named(item) for item in items if not item["metadata"].get("ownerReferences")}

    def remove(self) -> None:
        """Delete the stranger's namespace; the run's own goes with its label."""
        self.kubectl("delete", "namespace", self.foreign, "--wait=false", "--ignore-not-found")

    def batch(self, proxy: CountingProxy, **options: Any) -> dict[str, Any]:
        """Run the batch through the proxy; whatever ends it is in the result."""
        progress = self.folder / "progress"
        given: dict[str, Any] = {
            "host": proxy.url,
            "run_id": self.run_id,
            "namespaces": [self.own, self.foreign],
            "existing_namespaces": [self.foreign],
            "fragments": FRAGMENTS,
            "preflight": "skip",
            "max_concurrent": 10,
            "request_timeout": 10,
            "retry_deadline": 30,
            "wait_timeout": 60,
            "observe": {"enabled": False},
            # A row shows what a run withstands; the guard would end some of them before.
            "guard": {"enabled": False},
            "results_dir": str(self.folder),
            "ledger": str(self.folder / "jobs.jsonl"),
            "progress_file": str(progress),
            **options,
        }
        with progress.open("w+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)  # or the batch would believe that nobody waits for it
            try:
                result = run_batch(**given)
            except Exception as error:  # a row shows also what should never happen
                result = {"failed": True, "msg": f"{type(error).__name__}: {error}", "warnings": []}
            lines = [untoned(line) for line in file.read().splitlines()]
        # With preflight, its table is among them.
        said = [text for tone, text in lines if tone and given["preflight"] == "skip"]
        return {"objects": {}, **result, "said": said}


def _named(item: Mapping[str, Any]) -> Named:
    return item["kind"], item["metadata"].get("namespace") or "", item["metadata"]["name"]


def verdict_of(result: Mapping[str, Any]) -> str:
    """Whether a batch passed, failed or was aborted."""
    if not result["failed"]:
        return "passed"
    return "aborted" if result.get("aborted") or not result["objects"] else "failed"


def read_of(result: Mapping[str, Any]) -> str:
    """What the user reads of a batch: its message and warnings, and what was tried again."""
    rate = result.get("rate") or {}
    parts = [*result["said"], result["msg"], *result["warnings"]]
    for word, counts in (("tried again", rate.get("retries")), ("watches opened again", rate.get("watch_breaks"))):
        if counts:
            parts.append(f"{word}: " + ", ".join(f"{cause} ×{number}" for cause, number in sorted(counts.items())))
    return "; ".join(part for part in parts if part)


def play_row(case: Case, scene: Scene, **changed: Any) -> Row:
    """Run the case and judge it; `changed` are options of the batch."""
    row = Row(point=case.point, name=case.name, injects=case.injects, defence=case.defence.name)
    began = time.monotonic()
    fault = case.make(scene.kubeconfig)
    with counting_proxy(scene.kubeconfig, fault) as proxy:
        try:
            result = scene.batch(proxy, **{**case.options, **changed})
            lasted = time.monotonic() - began
        finally:
            fault.over()
            wait_until_serving(scene.kubectl)
            if case.needs_plane:
                wait_until_working(scene.kubectl)
        row.injected, row.verdict, row.reads = fault.injected, verdict_of(result), read_of(result)
        if row.verdict != case.verdict:
            row.complaints.append(f"{row.verdict} instead of {case.verdict}: {result['msg']}")
        if lasted > case.within:
            row.complaints.append(f"took {lasted:.0f} s instead of {case.within:g} s at most")
        row.complaints += [f"nothing says {text!r}" for text in case.says if not re.search(text, row.reads)]
        row.complaints += fault.complaints()
        row.complaints += _false_claims(result, scene.found())
        if row.verdict != "passed" and not row.complaints:
            again = scene.batch(proxy, **case.options)
            row.verdict += f", then {verdict_of(again)}"
            if again["failed"]:
                row.complaints.append(f"the second run did not pass: {again['msg']}")
        twice = Counter({key: number for key, number in proxy.stored.items() if number > 1})
    count(row, scene, twice=len(twice))
    row.seconds = time.monotonic() - began
    return row


def count(row: Row, scene: Scene, *, twice: int = 0) -> None:
    """Compare what was asked for with what kubectl finds; whatever differs is a complaint."""
    asked, found = scene.asked(), scene.found()
    row.asked, row.stored, row.lost, row.twice = len(asked), len(asked & found), len(asked - found), twice
    row.strangers = scene.touched()
    if row.lost:
        row.complaints.append(f"{row.lost} objects lost, such as {text_of(min(asked - found))}")
    if found - asked:
        row.complaints.append(f"nobody asked for {text_of(min(found - asked))}")
    if row.twice:
        row.complaints.append(f"{row.twice} objects made twice")
    if row.strangers:
        row.complaints.append(f"{row.strangers} objects of strangers touched")


def _false_claims(result: Mapping[str, Any], found: Iterable[Named]) -> list[str]:
    """What the batch says is stored and ready, and kubectl does not find; and what it made and does not say so."""
    there = Counter(kind for kind, _namespace, _name in found)
    objects = result["objects"].items()
    wrong = [
        f"{kind}: says {row['ready']} are there, {there[kind]} are"
        for kind, row in objects
        if row["ready"] > there[kind]
    ]
    if not result["failed"]:
        wrong += [f"{kind}: {row['unchanged']} not counted as created" for kind, row in objects if row["unchanged"]]
    return wrong


def text_of(named: Named) -> str:
    """Return kind, namespace and name of an object as text."""
    return " ".join(part for part in named if part)
