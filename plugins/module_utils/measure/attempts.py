# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Latency and failures of every attempt of every request, by verb and kind."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from .latency import LatencySketch


@dataclass(slots=True)
class _Row:
    """`sketch` holds all attempts, failed ones included; `errors` is how many of them failed."""

    sketch: LatencySketch = field(default_factory=LatencySketch)
    errors: int = 0


class Attempts:
    """Attempts are told apart by (verb, kind): ("create", "Deployment"). An operation that is tried thrice is three."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], _Row] = defaultdict(_Row)

    def add(self, key: tuple[str, str], bucket: int, seconds: float, *, failed: bool) -> None:
        """Count one attempt that took `seconds`, from sending to the whole answer or to the failure."""
        row = self._rows[key]
        row.sketch.add_to(bucket, seconds)
        if failed:
            row.errors += 1

    def table(self) -> dict[str, dict[str, dict[str, Any]]]:
        """Verb -> kind -> count, errors, p50_ms, p90_ms, p95_ms, p99_ms, max_ms and the mergeable histogram."""
        table: dict[str, dict[str, dict[str, Any]]] = {}
        for (verb, kind), row in sorted(self._rows.items()):
            figures = row.sketch.summary_ms()
            count = figures.pop("count")
            histogram = row.sketch.to_dict()
            entry = {"count": count, "errors": row.errors, **figures, "histogram": histogram}
            table.setdefault(verb, {})[kind] = entry
        return table
