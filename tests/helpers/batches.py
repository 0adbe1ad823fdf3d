"""Fragments for tests of the module batch, and the module run in this process as its main() runs it."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.load.batch_module import run_module
from ansible_collections.kubestress.core.plugins.modules.batch import ARGUMENTS


def run_batch(*, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module with these options, defaults and conversions included; `failed` and `msg` describe a failure."""
    validated = ArgumentSpecValidator(ARGUMENTS).validate(options)
    assert not validated.error_messages, validated.error_messages
    warnings: list[str] = []
    try:
        result = run_module(validated.validated_parameters, check_mode=check_mode, warn=warnings.append)
    except ModuleFailed as error:
        result = {**error.result, "failed": True, "msg": str(error)}
    return {"failed": False, "msg": "", **result, "warnings": warnings}


def obj(
    kind: str, name: str, *, count: int = 1, annotations: dict[str, str] | None = None, **body: Any
) -> dict[str, Any]:
    """Return one template of a step."""
    version = {"Job": "batch/v1", "JobSet": "jobset.x-k8s.io/v1alpha2", "Deployment": "apps/v1"}.get(kind, "v1")
    metadata = {"name": name, **({"annotations": annotations} if annotations else {})}
    return {"definition": {"apiVersion": version, "kind": kind, "metadata": metadata, **body}, "count": count}


NAMESPACES: dict[str, Any] = {"role": "namespaces", "steps": [[obj("Namespace", "{{ namespace }}")]]}


def config_maps(count: int, **more: Any) -> dict[str, Any]:
    """Return a fragment of small ConfigMaps."""
    body = {"data": {"key": "{{ namespace }}/{{ index }}"}}
    return {"role": "configs", "count": count, "steps": [[obj("ConfigMap", "c-{{ index }}", **body)]], **more}


def pod_spec(**annotations: str) -> dict[str, Any]:
    """Return a pod template whose simulated pod starts and, in a Job, ends quickly; `annotations` lack our prefix."""
    steering = {"simulate-start-delay": "100ms", "simulate-duration": "300ms", "simulate-duration-max": "600ms"}
    named = {name.replace("_", "-"): value for name, value in annotations.items()}
    return {
        "metadata": {
            "labels": {"app": "x-{{ index }}"},
            "annotations": {f"kubestress.core/{name}": value for name, value in (steering | named).items()},
        },
        "spec": {"containers": [{"name": "main", "image": "registry.invalid/none:1"}]},
    }


def deployments(count: int, *, simulate: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """Return a fragment of Deployments, each after its own ConfigMap."""
    spec = {"selector": {"matchLabels": {"app": "x-{{ index }}"}}, "template": pod_spec(**(simulate or {}))}
    steps = [[obj("ConfigMap", "d-{{ index }}")], [obj("Deployment", "d-{{ index }}", spec=spec)]]
    return {"role": "deployments", "count": count, "steps": steps, **more}


def jobs(
    count: int, *, parallelism: int = 1, completions: int = 1, ttl: int = 3600, simulate: dict[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:  # fmt: skip
    """Return a fragment of Jobs."""
    template = pod_spec(**(simulate or {}))
    template["spec"]["restartPolicy"] = "Never"
    spec = {
        "parallelism": parallelism,
        "completions": completions,
        "backoffLimit": 0,
        "ttlSecondsAfterFinished": ttl,
        "podReplacementPolicy": "Failed",
        "template": template,
    }
    return {"role": "jobs", "count": count, "steps": [[obj("Job", "j-{{ index }}", spec=spec)]], **more}


@dataclass
class Witness:
    """What a separate kubectl saw: type, kind, "namespace/name" and phase of every event, in order."""

    events: list[tuple[str, str, str, str]] = field(default_factory=list)

    def added(self, kind: str) -> Counter[str]:
        """Return how often each object of a kind was created."""
        return Counter(name for event, seen, name, _phase in self.events if (event, seen) == ("ADDED", kind))

    def deleted(self, kind: str) -> set[str]:
        """Return the objects of a kind that were deleted."""
        return {name for event, seen, name, _phase in self.events if (event, seen) == ("DELETED", kind)}

    def most_active_pods(self) -> int:
        """Return the peak of pods that existed and had not ended."""
        active: set[str] = set()
        most = 0
        for event, kind, name, phase in self.events:
            if kind != "Pod":
                continue
            if event == "DELETED" or phase in ("Succeeded", "Failed"):
                active.discard(name)
            else:
                active.add(name)
            most = max(most, len(active))
        return most


_COLUMNS = '{.type}|{.object.kind}|{.object.metadata.namespace}/{.object.metadata.name}|{.object.status.phase}{"\\n"}'


@contextmanager
def witness(kubectl: str, kubeconfig: Path, folder: Path, *, kind: str, run_id: str) -> Iterator[Witness]:
    """Watch a run's objects of one kind with kubectl, independently of our code; the events are complete at exit."""
    seen = Witness()
    path = folder / f"witness-{kind}.tsv"
    command = [
        kubectl, "--kubeconfig", str(kubeconfig), "get", kind, "-A", "-l", f"kubestress.core/run-id={run_id}",
        "--watch", "--output-watch-events", "-o", f"jsonpath={_COLUMNS}",
    ]  # fmt: skip
    with path.open("w") as file, subprocess.Popen(command, stdout=file) as process:
        try:
            yield seen
        finally:
            process.terminate()
    for line in path.read_text().splitlines():
        event, found, name, phase = line.split("|")
        seen.events.append((event, found, name, phase))


def failures(folder: Path) -> list[dict[str, Any]]:
    """Return failures.jsonl."""
    return [json.loads(line) for line in (folder / "failures.jsonl").read_text().splitlines()]


def measured(folder: Path) -> dict[str, Any]:
    """Return the newest measurements of a results folder."""
    return json.loads(max((folder / "batches").glob("*.json")).read_text())


def observed(folder: Path) -> dict[str, Any]:
    """Return the newest observation of a results folder."""
    return json.loads(max((folder / "observations").glob("*.json")).read_text())
