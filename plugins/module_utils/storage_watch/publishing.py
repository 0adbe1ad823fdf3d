# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a watch shows of itself from time to time: the metrics file, the same over HTTP, and the whole document."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..results.folder import write_text
from ..results.openmetrics import MAX_ROWS, Family, Sample, families_text
from ..storage import files
from ..storage.document import OK
from ..storage.findings import ORPHAN, SNAPSHOT
from ..storage.openmetrics import storage_families
from .endpoint import Endpoint
from .options import WatchOptions

_PREFIX = "kubestress_storage_watch_"


@dataclass
class Seen:
    """What a watch counts since it began. `objects`: by (kind, how); `findings`: by how."""

    events: int = 0
    objects: dict[tuple[str, str], int] = field(default_factory=dict)
    findings: dict[str, int] = field(default_factory=dict)
    rounds: int = 0
    second_looks: int = 0
    resyncs: int = 0
    breaks: int = 0

    def told(self) -> dict[str, Any]:
        """For the last line and the result of the task."""
        by_kind: dict[str, dict[str, int]] = {}
        for (kind, how), number in sorted(self.objects.items()):
            by_kind.setdefault(kind, {})[how] = number
        return {
            "events": self.events,
            "objects": by_kind,
            "findings": dict(sorted(self.findings.items())),
            "second_looks": self.second_looks,
            "resyncs": self.resyncs,
            "breaks": self.breaks,
        }


class Publisher:
    """Writes the files, each whole or not at all, and shows the figures over HTTP."""

    def __init__(self, options: WatchOptions, endpoint: Endpoint | None) -> None:
        self._options = options
        self._endpoint = endpoint

    def figures(self, document: Mapping[str, Any], seen: Seen) -> None:
        """The metrics. Raises ResultsError."""
        per_object = self._options.metrics_per_object
        families = list(storage_families(_for_metrics(document, per_object=per_object), per_object=per_object))
        families += _own(seen)
        write_text(self._options.metrics_file, families_text(families, {}))
        if self._endpoint is not None:
            self._endpoint.show(families)

    def whole(self, document: Mapping[str, Any]) -> None:
        """The document. Raises ModuleFailed."""
        files.write(document, str(self._options.dest), ("json",))


def _for_metrics(document: Mapping[str, Any], *, per_object: bool) -> Mapping[str, Any]:
    """The document in plain types, of its long lists only the rows that become samples: others would take memory."""
    from msgspec import to_builtins

    findings = [one for one in document["findings"] if one.state == ORPHAN or (per_object and one.kind == SNAPSHOT)]
    usage = [row for row in document["usage"] if per_object or row.level != OK]
    found: dict[str, Any] = to_builtins({**document, "findings": findings, "usage": usage})
    return found


def _own(seen: Seen) -> Iterator[Family]:
    changes = [Sample({"kind": kind, "change": how}, number) for (kind, how), number in sorted(seen.objects.items())]
    yield Family(_PREFIX + "changes", "Changes of objects since the watch began.", changes[:MAX_ROWS])
    findings = [Sample({"change": how}, number) for how, number in sorted(seen.findings.items())]
    yield Family(_PREFIX + "findings", "Findings that appeared, changed or vanished since the watch began.", findings)
    for name, text, value in (
        ("events", "Events of all watched kinds since the watch began.", seen.events),
        ("second_looks", "How often orphans were looked at again since the watch began.", seen.second_looks),
        ("resyncs", "How often a list was read anew since the watch began.", seen.resyncs),
        ("breaks", "How often a watch broke and was opened again since the watch began.", seen.breaks),
    ):
        yield Family(_PREFIX + name, text, [Sample({}, value)])
