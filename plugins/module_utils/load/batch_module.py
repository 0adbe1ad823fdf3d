# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a module's parameters to a batch, and from its measurements to a bounded answer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..cluster.arguments import auth_options
from ..cluster.client import Cluster
from ..cluster.discovery import Discovery
from ..cluster.errors import ClusterError
from ..errors import ModuleFailed
from ..observe.arguments import Intervals, ObserveError
from ..plan.fragment import PlanError, parse_fragments
from ..plan.jinja import TemplateError
from ..results.folder import ResultsError
from .batch import Batch, BatchError, BatchSettings

#: Rows of a list that go back to Ansible: AWX keeps results in memory, and everything is in the files.
RETURNED_ROWS = 20
_IN_FILES_ONLY = ("schema", "namespaces", "timeline", "warnings")
_LABEL_VALUE = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


def run_module(params: dict[str, Any], *, check_mode: bool, warn: Callable[[str], None]) -> dict[str, Any]:
    """Run what the module was asked for; `warn` takes what the user should know of it. Raises ModuleFailed."""
    try:
        settings = batch_settings(params)
        if check_mode:
            return asyncio.run(_checked(settings))
        document = asyncio.run(Batch(settings).run())
    except (PlanError, TemplateError, ClusterError, BatchError, ObserveError, ResultsError, OSError) as error:
        raise ModuleFailed(str(error)) from error
    for text in document["warnings"]:
        warn(text)
    result = _bounded(document)
    reasons = failure_reasons(document)
    if reasons:
        raise ModuleFailed("; ".join(reasons), result)
    return result


def batch_settings(params: dict[str, Any]) -> BatchSettings:
    """Check what the argument spec cannot. Raises PlanError, TemplateError or ObserveError."""
    _ranges(params)
    intervals = Intervals.of(params["observe"], prefix="observe.")
    if not _LABEL_VALUE.fullmatch(params["run_id"]):
        raise PlanError(f"run_id: {params['run_id']!r}; allowed are 1 to 63 letters, digits, '-', '_' and '.'")
    fragments = parse_fragments(
        [{key: value for key, value in fragment.items() if value is not None} for fragment in params["fragments"]],
        run_id=params["run_id"],
        variables=params["variables"],
        labels=params["labels"],
    )
    gated = [fragment.role for fragment in fragments if fragment.active]
    if gated and not params["wait"] and params["state"] == "present":
        raise PlanError(f"wait: false, but role {gated[0]} has active, whose gate opens only to who waits")
    results_dir = Path(params["results_dir"]) if params["results_dir"] else None
    if results_dir is not None and not results_dir.is_dir():
        raise PlanError(f"results_dir: {results_dir} is not a folder")
    return BatchSettings(
        auth=auth_options(params),
        run_id=params["run_id"],
        fragments=fragments,
        namespaces=_namespaces(params),
        first_index=params["namespace_first"],
        existing=frozenset(params["existing_namespaces"]),
        parallel=params["namespaces_parallel"],
        state=params["state"],
        patch_type=params["patch_type"],
        max_concurrent=params["max_concurrent"],
        qps=params["qps"],
        burst=params["burst"],
        request_timeout_seconds=params["request_timeout"],
        retry_deadline_seconds=params["retry_deadline"],
        wait=params["wait"],
        wait_timeout_seconds=params["wait_timeout"],
        observe=intervals if params["observe"]["enabled"] else None,
        results_dir=results_dir,
        ledger=Path(params["ledger"]) if params["ledger"] else None,
        progress=Path(params["progress_file"]) if params["progress_file"] else None,
    )


def _ranges(params: dict[str, Any]) -> None:
    for name, least, most in (
        ("max_concurrent", 1, 2000),
        ("qps", 0, 1e6),
        ("burst", 0, 1_000_000),
        ("request_timeout", 0.1, 3600),
        ("retry_deadline", 0, 86400),
        ("namespaces_parallel", 1, 10_000),
        ("namespace_first", 0, 10_000_000),
        ("namespace_total", 1, 1_000_000),
        ("wait_timeout", 0, 10_000_000),
    ):
        value = params.get(name)
        if value is not None and not least <= value <= most:
            raise PlanError(f"{name}: {value}; allowed are {least:g} to {most:g}")


def _namespaces(params: dict[str, Any]) -> list[str]:
    names: list[str] = params["namespaces"] or []
    if params["namespace_prefix"] is not None:
        first, total = params["namespace_first"], params["namespace_total"]
        names = [f"{params['namespace_prefix']}-{number}" for number in range(first, first + total)]
    if not names:
        raise PlanError("namespaces: the list is empty; name at least one")
    for name in (names[0], names[-1], *(params["namespaces"] or ())):
        if not _DNS_LABEL.fullmatch(name):
            option = "namespaces" if params["namespaces"] else "namespace_prefix"
            raise PlanError(
                f"{option}: {name!r} is no namespace name; allowed are 1 to 63 of a-z, 0-9 and '-', with a letter or "
                "digit at both ends"
            )
    if len(set(names)) < len(names):
        raise PlanError("namespaces: a name comes twice")
    return names


async def _checked(settings: BatchSettings) -> dict[str, Any]:
    async with await Cluster.open(settings.auth) as cluster:
        await cluster.version()
        discovery = Discovery(cluster)
        for fragment in settings.fragments:
            for kind in fragment.kinds:
                await discovery.resource(*kind)
    objects = {kind: {"requested": number} for kind, number in sorted(settings.requested.items())}
    return {"changed": bool(objects), "objects": objects}


def _bounded(document: dict[str, Any]) -> dict[str, Any]:
    """The measurements without histograms and with at most RETURNED_ROWS of each list."""
    result = {key: _without_histograms(value) for key, value in document.items() if key not in _IN_FILES_ONLY}
    result["not_ready_total"] = len(document["not_ready"])
    result["not_ready"] = document["not_ready"][:RETURNED_ROWS]
    rows = document["objects"].values()
    result["changed"] = any(row.get(word) for row in rows for word in ("created", "patched", "deleted"))
    return result


def _without_histograms(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_histograms(entry) for key, entry in value.items() if not key.endswith("histogram")}
    return value


def failure_reasons(document: dict[str, Any]) -> list[str]:
    """Why a batch did not do what was asked for; empty if it did. One clause for each cause, first object named."""
    reasons = []
    if document["aborted"]:
        reasons.append(f"aborted: {document['aborted']}")
    failed = sum(row["failed"] for row in document["objects"].values())
    if failed:
        requested = sum(row["requested"] for row in document["objects"].values())
        reasons.append(f"{failed} of {requested} objects failed, {_first_of(document['first_failures'])}")
    if document["not_ready"]:
        first = document["not_ready"][0]
        where = f" in {first['namespace']}" if first["namespace"] else ""
        reasons.append(
            f"{len(document['not_ready'])} not ready, first {first['kind']} {first['name']}{where}: {first['cause']}"
        )
    return reasons


def _first_of(failures: list[dict[str, Any]]) -> str:
    for row in failures:
        if row["operation"] in ("create", "patch", "delete"):
            where = f" in {row['namespace']}" if row["kind"] != "Namespace" else ""
            return f"first {row['kind']} {row['name']}{where}: {row['message']}"
    # The failures that are kept are the first of all sorts; pods may have failed before any object did.
    return "see failures.jsonl"
