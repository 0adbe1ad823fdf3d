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
from operator import attrgetter
from typing import Any

from ..text import text_of
from .findings import ORPHAN, Finding, most_important_first
from .structs import Fact

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


class Usage(Fact, gc=False, frozen=True, kw_only=True):
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
    # A sort for each key keeps the order of the one before, and makes no tuple for each row: they would be 1 MB.
    ordered = sorted(usage, key=attrgetter("name"))
    ordered.sort(key=attrgetter("namespace"))
    ordered.sort(key=_fullness)
    return ordered


def _fullness(row: Usage) -> float:
    return 1.0 if row.used_percent is None else -row.used_percent


def plain(value: Any) -> Any:
    """The same in ordinary JSON types."""
    if isinstance(value, Fact):
        return {name: plain(getattr(value, name)) for name in value.__struct_fields__}
    if is_dataclass(value) and not isinstance(value, type):
        return {name: plain(each) for name, each in asdict(value).items()}
    if isinstance(value, Mapping):
        return {name: plain(each) for name, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(each) for each in value]
    return value


def sentence(whole: Mapping[str, Any]) -> str:
    """The scan in one line."""
    summary = whole["summary"]
    seen = ", ".join(f"{summary[name]:,} {name}" for name in ("claims", "volumes", "snapshots", "contents"))
    orphans = ", ".join(f"{number:,} {kind}" for kind, number in summary["orphans"].items())
    text = f"{seen}; orphans: {orphans or 'none'}"
    if orphans:
        text += f" ({text_of(summary['orphan_bytes'], 'bytes')})"
    unknown = sum(states.get("unknown", 0) for states in summary["states"].values())
    if unknown:
        text += f"; {unknown:,} cannot be judged"
    causes: dict[str, list[str]] = {}
    for name, part in whole["parts"].items():
        if not part["complete"]:
            causes.setdefault(part["cause"], []).append(name)
    missing = "; ".join(f"{', '.join(names)} ({cause})" for cause, names in causes.items())
    return text + (f"; not complete: {missing}" if missing else "")
