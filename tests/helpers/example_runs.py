"""Results folders of small runs, for tests of what compares them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from helpers.example_batches import durations, latencies, timeline

STARTED = "2026-01-15T10:00:00.000Z"
SETTINGS = {
    "run_id": "x",
    "namespaces_prefix": "x",
    "run_seed": 1,
    "build_jobs_parallelism": 3,
    "observe_enabled": True,
}
NODES = {"total": 1, "ready": 1, "kinds": [{"kubeletVersion": "v1.36.3", "simulated": False, "count": 1}]}


def summary(
    run_id: str, *, failed: int = 0, start_seconds: float = 2.0, started: str = STARTED, **changed: Any
) -> dict[str, Any]:
    """Return a summary of ten pods of Jobs; `failed` of them failed because nothing could be started."""
    row = durations(*([start_seconds] * 10))
    return {
        "schema": 1,
        "run_id": run_id,
        "attempt": 1,
        "verdict": "failed" if failed else "passed",
        "reasons": [f"{failed} Jobs failed"] if failed else [],
        "started": started,
        "finished": started.replace(":00:00", ":01:06"),
        "settings_hash": "abc",
        "objects": {"Job": {"failed": 0, "not_ready": failed}},
        "requests": {"create": {"Job": {"count": 200, **latencies(*([8.0] * 200))}}},
        "rate": {"requests": 250, "errors": {}, "retries": {}},
        "jobs": {"complete": 10 - failed, "failed": failed, "duration": durations(*([40.0] * 10))},
        "pods": {
            "failed": failed,
            "causes": {"fork failed": failed} if failed else {},
            "startup": {"job": {"started": row}},
            "startup_p99_s": start_seconds,
        },
        "processes": {"per_build_pod": {"max": 72}},
        "events": {"total": 0, "warnings": []},
        "validity": {"trust": "good", "statements": []},
        **changed,
    }


def run_document(**changed: Any) -> dict[str, Any]:
    """Return a run.json; `changed` are settings, and `nodes`, `version` or `processes` of the cluster."""
    cluster = {"version": "v1.36.3", "nodes": NODES, "processes": [{"name": "a", "pid_max": 700}]}
    cluster |= {name: changed.pop(name) for name in ("nodes", "version", "processes") if name in changed}
    return {"schema": 1, "settings": {**SETTINGS, **changed}, "cluster": cluster}


def write_run(folder: Path, document: dict[str, Any], run: dict[str, Any] | None = None) -> Path:
    """Write a results folder: summary.json, timeline.json, and run.json unless there is none."""
    folder.mkdir(parents=True)
    (folder / "summary.json").write_text(json.dumps(document))
    line = timeline(20)
    marks = [{"t": 12.0, "kind": "failure", "text": "first"}] if document["verdict"] != "passed" else []
    load = {"bin_seconds": 1, "series": line["series"]}
    nodes = [{"node": "a", "t": [0, 5, 10], "threads": [300, 650, 400]}]
    whole = {"schema": 1, "marks": [{"t": 1.0, "kind": "phase", "text": "one"}, *marks], "load": load, "nodes": nodes}
    (folder / "timeline.json").write_text(json.dumps(whole))
    if run is not None:
        (folder / "run.json").write_text(json.dumps(run))
    return folder
