# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look again at what seems to be an orphan, by the same rules and with lists that are newer than all of the first look.

A scan takes seconds, and a pod that is created meanwhile is in none of its lists.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable

from ..cluster.client import Cluster
from .findings import CLAIM, CONTENT, ORPHAN, SNAPSHOT, UNKNOWN, VOLUME, Finding
from .inventory import MAKERS, Inventory
from .reading import Reader, Wanted
from .rules import Judged, Limits, Rules, Verdict, records_of

_FAILED = "not_seen_again"


async def look_again(
    cluster: Cluster,
    first: Inventory,
    judged: Judged,
    limits: Limits,
    *,
    groups: Collection[str] | None,
    namespaces: Collection[str],
) -> None:
    """Confirm the orphans in `judged`, or give them the state that they have now. Raises Unauthorized.

    `groups` as of Wanted; `namespaces`: the only ones that the user wants, none means all.
    """
    orphans = [finding for finding in judged.findings if finding.state == ORPHAN]
    if not orphans:
        return
    again = Inventory()
    wanted = _wanted(orphans, first, groups=groups, namespaces=namespaces)
    await Reader(cluster, wanted, again).read()
    rules = Rules(again, limits)
    judged.findings[:] = [finding for finding in judged.findings if finding.state != ORPHAN]
    for finding in orphans:
        second = _second(rules, again, first, finding)
        states = judged.states[finding.kind]
        states[ORPHAN] -= 1
        if second is not None:
            verdict, found = second
            states[verdict.state] += 1
            if found is not None:
                judged.findings.append(found)
    for kind, states in judged.states.items():
        judged.states[kind] = Counter({state: number for state, number in states.items() if number})


def key_of(finding: Finding) -> str:
    """The key of the finding's record."""
    return f"{finding.namespace}/{finding.name}" if finding.namespace else finding.name


def _second(
    rules: Rules, again: Inventory, first: Inventory, finding: Finding
) -> tuple[Verdict, Finding | None] | None:
    """The second verdict and its finding; None if the object is gone, or another one has its name."""
    kind, key = finding.kind, key_of(finding)
    record, before = records_of(again, kind).get(key), records_of(first, kind)[key]
    if record is None:
        missing = again.incomplete(_LIST_OF[kind])
        if not missing:
            return None
        verdict = Verdict(UNKNOWN, _FAILED, tuple(missing))
        return verdict, rules.finding(kind, before, verdict, confirmed=False)
    if record.uid != before.uid:
        return None
    verdict = rules.verdict(kind, record)
    confirmed = {ORPHAN: verdict.reason == finding.reason, UNKNOWN: False}.get(verdict.state)
    return verdict, rules.finding(kind, record, verdict, confirmed=confirmed)


_LIST_OF = {CLAIM: "claims", VOLUME: "volumes", SNAPSHOT: "snapshots", CONTENT: "contents"}


def _wanted(
    orphans: Iterable[Finding], first: Inventory, *, groups: Collection[str] | None, namespaces: Collection[str]
) -> Wanted:
    """What has to be read again: the orphans, and all that spoke for it that they are some."""
    names: dict[str, set[str]] = {}
    lists: set[str] = set()
    for finding in orphans:
        key = key_of(finding)
        names.setdefault(_LIST_OF[finding.kind], set()).add(key)
        if finding.kind == CLAIM:
            lists |= {"pods", "attachments", *MAKERS}
        elif finding.kind == VOLUME:
            lists.add("attachments")
            names.setdefault("claims", set()).add(first.volumes[key].claim)
        elif finding.kind == SNAPSHOT:
            snapshot = first.snapshots[key]
            names.setdefault("contents", set()).add(snapshot.content)
            names.setdefault("claims", set()).add(f"{snapshot.namespace}/{snapshot.source}")
        else:
            names.setdefault("snapshots", set()).add(first.contents[key].snapshot)
    # What was not asked for in the first look is not in the second either.
    lists = {name for name in lists | set(names) if name in first.parts}
    scopes = sorted({key.partition("/")[0] for each in ("claims", "snapshots") for key in names.get(each, ())})
    return Wanted(lists=lists, namespaces=_few(scopes, namespaces), names=names, groups=groups)


#: Up to so many namespaces are listed one by one; beyond, all at once takes less.
_FEW_NAMESPACES = 10


def _few(scopes: list[str], namespaces: Collection[str]) -> Collection[str]:
    return scopes if namespaces or len(scopes) <= _FEW_NAMESPACES else ()
