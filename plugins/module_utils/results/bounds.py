# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Summaries for Ansible, which keeps results in memory, and for AWX, which keeps artifacts in its database."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

#: Namespaces that the small summary lists.
MAX_NAMESPACES = 20
#: Bytes of JSON that the custom statistics may have.
MAX_STATISTICS_BYTES = 200_000
_HISTOGRAMS = frozenset({"histogram", "buckets"})
_FAILED_PODS = 5
_ROWS = 20

Summary = Mapping[str, Any]


def bounded(summary: Summary) -> dict[str, Any]:
    """The summary without what grows with the run: no histograms, the first rows of lists, namespaces with failures."""
    small = _shorter_lists(_without_histograms(summary))
    return {**small, "namespaces": _failing(summary)[:MAX_NAMESPACES]}


def statistics(summary: Summary) -> dict[str, Any]:
    """The whole summary if it has at most MAX_STATISTICS_BYTES; else without the parts that `left_out` names.

    What is left out is in summary.json, in the order in which it can best be done without.
    """
    document, left_out = dict(summary), list[str]()
    for what, shorten in _steps():
        if len(json.dumps(document, ensure_ascii=False).encode()) <= MAX_STATISTICS_BYTES:
            break
        document = shorten(document)
        left_out.append(what)
    return {**document, "left_out": left_out} if left_out else document


def _steps() -> Iterator[tuple[str, Callable[[Summary], dict[str, Any]]]]:
    yield "namespaces without failures", lambda document: {**document, "namespaces": _failing(document)}
    yield "histograms and buckets", _without_histograms
    yield f"rows of lists after the first {_ROWS}", _shorter_lists
    yield (
        f"namespaces after the first {MAX_NAMESPACES}",
        lambda document: {
            **document,
            "namespaces": document["namespaces"][:MAX_NAMESPACES],
        },
    )


def _failing(summary: Summary) -> list[dict[str, Any]]:
    failing = [row for row in summary["namespaces"] if row["jobs_failed"] or row["pods_failed"]]
    return [{**row, "failed_pods": row["failed_pods"][:_FAILED_PODS]} for row in failing]


def _without_histograms(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _without_histograms(entry) for key, entry in value.items() if key not in _HISTOGRAMS}
    if isinstance(value, list):
        return [_without_histograms(entry) for entry in value]
    return value


def _shorter_lists(summary: Summary) -> dict[str, Any]:
    """What grows with the cluster: nodes, resources of the API server, service levels."""
    document = dict(summary)
    document["slo"] = document["slo"][:_ROWS]
    for part, names in (
        ("api_server", ("sli", "etcd", "flow_control")),
        ("nodes", ("nodes",)),
        ("events", ("warnings",)),
    ):
        if document.get(part):
            shortened = {name: document[part][name][:_ROWS] for name in names}
            document[part] = {**document[part], **shortened}
    return document
