# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""storage.json: what a scan found, as one document. No I/O but the file that `written` writes.

Findings and rows of usage stay small objects in it, because ten thousand of them as dictionaries would take more
memory than the scan; `plain` makes ordinary JSON types of the whole, or of a part.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, is_dataclass
from typing import Any

from .findings import ORPHAN, Finding, most_important_first

SCHEMA = 1
OK, WARNING, CRITICAL = "ok", "warning", "critical"
#: How the cause of a list begins that the account may not read.
FORBIDDEN = "the user may not list"


@dataclass(slots=True)
class Part:
    """How far one part was read: a list of objects, the kubelets (`usage`) or the box (`backend`).

    `cause` is why it is not complete. `seconds` from its first request to its last answer.
    """

    complete: bool = True
    cause: str | None = None
    objects: int = 0
    seconds: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How full one claim is; fields as in storage.json. What is not known is None, and `cause` says why.

    `source` is kubelet or zfs. `shared`: the figures are those of a filesystem that several claims lie on. `time` is
    when they were measured, RFC 3339.
    """

    namespace: str
    name: str
    storage_class: str | None = None
    driver: str | None = None
    capacity_bytes: int | None = None
    used_bytes: int | None = None
    available_bytes: int | None = None
    used_percent: float | None = None
    inodes: int | None = None
    inodes_used: int | None = None
    node: str | None = None
    time: str | None = None
    shared: bool = False
    source: str = "kubelet"
    level: str = OK
    cause: str | None = None


@dataclass(slots=True)
class Total:
    """The claims of one namespace, class or driver. `used_bytes` is None where no claim's is known."""

    claims: int = 0
    capacity_bytes: int = 0
    used_bytes: int | None = None
    orphans: int = 0
    orphan_bytes: int = 0


@dataclass(kw_only=True, repr=False)
class Report:
    """All that a scan found. `states` counts every object by kind and state, also those without a finding.

    `totals`: by "namespace", "storage_class" and "driver", the rows by the value, None where an object has none.
    `counts`: claims, volumes, snapshots, contents, classes, attachments. `box` as in storage.json.

    Its repr is short, because asyncio.run makes a text of what a task returns (while it puts its signal handler back):
    3 MB, twice, for ten thousand claims.
    """

    started: str
    finished: str = ""
    seconds: float = 0.0
    version: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    parts: dict[str, Part] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    states: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    usage: list[Usage] = field(default_factory=list)
    totals: dict[str, dict[str | None, Total]] = field(default_factory=dict)
    over_threshold: int = 0
    box: dict[str, Any] | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """Whether every part was read to its end."""
        return all(part.complete for part in self.parts.values())

    @property
    def orphans(self) -> list[Finding]:
        """The findings that somebody may delete by."""
        return [finding for finding in self.findings if finding.state == ORPHAN]


_COUNTED = ("claims", "volumes", "snapshots", "contents", "classes", "attachments")
#: Of a total's row: the name of its key, by the name of the total.
_TOTALS = {"by_namespace": "namespace", "by_class": "storage_class", "by_driver": "driver"}


def summary(report: Report) -> dict[str, Any]:
    """The figures of the whole scan."""
    orphans = report.orphans
    by_namespace = report.totals.get("namespace", {}).values()
    used = [total.used_bytes for total in by_namespace if total.used_bytes is not None]
    return {
        **{name: report.counts.get(name, 0) for name in _COUNTED},
        "orphans": dict(Counter(finding.kind for finding in orphans)),
        "orphan_bytes": sum(finding.bytes or 0 for finding in orphans),
        "states": {kind: dict(sorted(states.items())) for kind, states in report.states.items()},
        "findings": len(report.findings),
        "capacity_bytes": sum(total.capacity_bytes for total in by_namespace),
        "used_bytes": sum(used) if used else None,
        "over_threshold": report.over_threshold,
    }


def document(report: Report) -> dict[str, Any]:
    """The whole of storage.json. `findings` and `usage` in it are Finding and Usage: see `plain`."""
    return {
        "schema": SCHEMA,
        "kind": "storage",
        "started": report.started,
        "finished": report.finished,
        "seconds": round(report.seconds, 3),
        "cluster": {"version": report.version},
        "options": dict(report.options),
        "complete": report.complete,
        "summary": summary(report),
        "parts": {name: asdict(part) for name, part in report.parts.items()},
        "findings": most_important_first(report.findings),
        "totals": {name: rows(report.totals.get(key, {}), key) for name, key in _TOTALS.items()},
        "usage": fullest_first(report.usage),
        "box": report.box,
        "warnings": list(report.warnings),
    }


def rows(totals: Mapping[str | None, Total], key: str) -> list[dict[str, Any]]:
    """The rows of one total, the largest first."""
    order = sorted(totals.items(), key=lambda item: (-item[1].capacity_bytes, item[0] or ""))
    return [{key: name, **asdict(total)} for name, total in order]


def fullest_first(usage: Iterable[Usage]) -> list[Usage]:
    """The rows of usage, those without a figure last."""
    return sorted(
        usage, key=lambda row: (row.used_percent is None, -(row.used_percent or 0.0), row.namespace, row.name)
    )


def plain(value: Any) -> Any:
    """The same in ordinary JSON types."""
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(each) for name, each in asdict(value).items()}
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value
