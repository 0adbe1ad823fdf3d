# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of states: which claim, volume, snapshot or content is an orphan, and which only looks like one. No I/O.

Somebody deletes what is called an orphan here. So whatever speaks against it wins, what could not be read makes the
verdict unknown, and an object whose age is unknown is never old enough.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeAlias

from ..text import duration_text
from .findings import CLAIM, CONTENT, ORPHAN, SNAPSHOT, UNKNOWN, VOLUME, Finding
from .inventory import (
    MAKERS,
    USED_AT_REST,
    USED_BY_ENDED,
    USED_BY_POD,
    USED_BY_TEMPLATE,
    Claim,
    Content,
    Inventory,
    Snapshot,
    Volume,
    short,
)

#: States without a finding: nothing is to be done about such an object.
IN_USE, REFERENCED, OWNED, READY, YOUNG = "in_use", "referenced", "owned", "ready", "young"
_QUIET = frozenset({IN_USE, REFERENCED, OWNED, READY, YOUNG})
#: A snapshot or a clone is being made of the claim.
_SOURCE_FINALIZERS = (
    "snapshot.storage.kubernetes.io/pvc-as-source-protection",
    "provisioner.storage.kubernetes.io/cloning-protection",
)
#: The lists that show who uses a claim, and those that show whether a volume is attached.
_USERS = ("pods", *MAKERS, "attachments")
_DELETE = "Delete"
#: The longest sentence of evidence. It may hold what somebody has written into an object.
_MAX_EVIDENCE = 600


Record: TypeAlias = "Claim | Volume | Snapshot | Content"


@dataclass(frozen=True, kw_only=True)
class Limits:
    """By what the rules judge. `now` in seconds since 1970, by the API server's clock; ages in seconds."""

    now: float
    min_age_seconds: float
    snapshot_age_seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state of one object, why, and what speaks for it. `since`: from when its age counts, as the API writes it.

    `changes_in`: seconds after which it is another one though nothing has happened; None if it stays.
    """

    state: str
    reason: str = ""
    evidence: tuple[str, ...] = ()
    since: str | None = None
    changes_in: float | None = None


#: Of most objects; making one anew takes as long as judging.
_IN_USE, _REFERENCED, _READY = Verdict(IN_USE), Verdict(REFERENCED), Verdict(READY)


@dataclass
class Judged:
    """`states` counts all objects by kind and state."""

    states: dict[str, Counter[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def seconds_of(text: str | None) -> float | None:
    """A time of the API in seconds since 1970; None for what is none."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo is not None else None


class Rules:
    """The table, for one inventory.

    `claim_uids` and `snapshot_uids`: those of the inventory, where somebody keeps them up to date.
    """

    def __init__(
        self,
        inventory: Inventory,
        limits: Limits,
        *,
        claim_uids: Container[str] | None = None,
        snapshot_uids: Container[str] | None = None,
    ) -> None:
        self._all = inventory
        self._limits = limits
        if claim_uids is None:
            claim_uids = {claim.uid for claim in inventory.claims.values()}
        if snapshot_uids is None:
            snapshot_uids = {snapshot.uid for snapshot in inventory.snapshots.values()}
        self._claim_uids, self._snapshot_uids = claim_uids, snapshot_uids

    # -- claims ------------------------------------------------------------------------------------------------------

    def claim(self, claim: Claim) -> Verdict:
        """The state of a PersistentVolumeClaim."""
        if claim.deleted:
            return self._terminating(claim.deleted, claim.finalizers)
        if claim.phase == "Lost":
            return Verdict("lost", "volume_lost", (f"its volume {claim.volume or '(none)'} is gone",))
        uses = self._uses(claim)
        if claim.phase != "Bound":
            return self._unbound(claim, uses)
        return self._needed(claim, uses) or self._at_rest(claim, uses) or self._unused(claim)

    def _uses(self, claim: Claim) -> int:
        key = f"{claim.namespace}/{claim.name}"
        uses = self._all.uses.get(key, 0)
        pod = self._all.ephemeral.get(key)
        # A pod does not use a claim that only happens to have the name of its ephemeral one.
        if pod is not None and pod[0] in claim.owner_uids:
            uses |= USED_BY_ENDED if pod[1] else USED_BY_POD
        return uses

    def _unbound(self, claim: Claim, uses: int) -> Verdict:
        found = self._all.classes.get(claim.storage_class or "")
        if found is not None and found.waits and not uses & USED_BY_POD:
            return Verdict("waiting", "wait_for_first_consumer", ("its class waits for the first pod that names it",))
        return Verdict("pending", "not_bound", (f"phase {claim.phase or 'unknown'}",))

    def _needed(self, claim: Claim, uses: int) -> Verdict | None:
        """Why somebody needs the claim now."""
        if uses & USED_BY_POD:
            return _IN_USE
        if any(finalizer in claim.finalizers for finalizer in _SOURCE_FINALIZERS):
            return Verdict(IN_USE, "source_of_copy")
        if claim.unused is not None and claim.unused[0] == "False":
            return Verdict(IN_USE, "condition_unused_false")
        if uses & USED_BY_TEMPLATE:
            return _REFERENCED
        node = self._all.attached.get(claim.volume) if claim.volume else None
        if node is not None:
            return Verdict("attached", "volume_attached", (f"its volume is attached to node {node}",))
        return None

    def _at_rest(self, claim: Claim, uses: int) -> Verdict | None:
        """Who will need the claim again, or may."""
        made_by = self._all.template_of(claim)
        if made_by is not None:
            told = f"StatefulSet {made_by.set_name} has {made_by.replicas} replicas and keeps the claims of the others"
            return Verdict("retained", "stateful_set", (told,))
        who = self._all.users.get(f"{claim.namespace}/{claim.name}", "")
        if uses & USED_AT_REST:
            return Verdict("scaled_to_zero", "template_at_rest", (f"{who} names it and makes no pods now",))
        if uses & USED_BY_ENDED:
            return Verdict("completed_only", "ended_pods", (f"only what has ended names it: {who or 'its own pod'}",))
        if claim.owners:
            return Verdict(OWNED, "owner")
        return None

    def _unused(self, claim: Claim) -> Verdict:
        evidence = ["no pod and no template names it, and it has no owner"]
        since = claim.created
        if claim.unused is not None:
            evidence.append(f"condition Unused is {claim.unused[0]} since {claim.unused[1] or 'an unknown time'}")
            since = _later(claim.created, claim.unused[1])
        evidence += self._unasked()
        return self._orphan("unused", evidence, since=since, needs=_USERS)

    def _unasked(self) -> list[str]:
        """What a verdict would have needed that was not asked for."""
        return [] if "attachments" in self._all.parts else ["whether its volume is attached was not asked for"]

    # -- volumes -----------------------------------------------------------------------------------------------------

    def volume(self, volume: Volume) -> Verdict:
        """The state of a PersistentVolume."""
        if volume.deleted:
            return self._terminating(volume.deleted, volume.finalizers)
        if volume.phase == "Failed":
            return Verdict("failed", "reclaim_failed", (volume.message or "its reclaim failed",), volume.changed)
        if volume.claim_uid and volume.claim_uid in self._claim_uids:
            return _IN_USE
        if not volume.claim_uid:
            reserved = f"reserved for claim {volume.claim}" if volume.claim else "no claim has it"
            state = "pending" if volume.phase == "Pending" else "available"
            return Verdict(state, "never_bound", (reserved,))
        if volume.policy != _DELETE:
            told = f"its claim {volume.claim} is gone, and its policy is {volume.policy or 'unknown'}"
            missing = self._all.incomplete("claims") if volume.phase != "Released" else []
            if missing:
                return Verdict(UNKNOWN, "not_read", tuple(missing))
            return Verdict("retained", "policy_retain", (told,), _later(volume.created, volume.changed))
        node = self._all.attached.get(volume.name)
        if node is not None:
            return Verdict("attached", "volume_attached", (f"it is attached to node {node}",))
        evidence = [f"claim {volume.claim} with uid {volume.claim_uid} is gone", f"policy {volume.policy}"]
        if volume.phase != "Released":
            # The controller that releases volumes has not seen it yet, and so has not begun the reclaim either.
            missing = self._all.incomplete("claims")
            evidence.append(f"phase {volume.phase or 'unknown'}, not Released")
            reason = "not_read" if missing else "not_released"
            return Verdict(UNKNOWN, reason, tuple(missing or evidence), volume.changed)
        evidence.append(f"phase {volume.phase} since {volume.changed or 'an unknown time'}")
        if volume.message:
            evidence.append(volume.message)
        evidence += self._unasked()
        # Not since it was made: it became one when its claim went, and its reclaim may just be going on.
        since = _later(volume.created, volume.changed)
        return self._orphan("stuck_reclaim", evidence, since=since, needs=("claims", "attachments"))

    # -- snapshots ---------------------------------------------------------------------------------------------------

    def snapshot(self, snapshot: Snapshot) -> Verdict:
        """The state of a VolumeSnapshot."""
        if snapshot.deleted:
            return self._terminating(snapshot.deleted, snapshot.finalizers)
        content = self._all.contents.get(snapshot.content) if snapshot.content else None
        told = [f"error: {snapshot.error}"] if snapshot.error else []
        if snapshot.content and content is None:
            evidence = [f"its content {snapshot.content} does not exist", *told]
            return self._orphan("content_missing", evidence, since=snapshot.created, needs=("contents",))
        if content is not None and content.snapshot_uid not in ("", snapshot.uid):
            evidence = [f"its content {snapshot.content} belongs to {content.snapshot}, uid {content.snapshot_uid}"]
            return self._orphan("content_of_another", [*evidence, *told], since=snapshot.created, needs=("contents",))
        if snapshot.error:
            return Verdict("error", "snapshot_error", tuple(told))
        if not snapshot.ready:
            return Verdict("not_ready", "not_ready", ("it is not ready to use",))
        return self._kept(snapshot)

    def _kept(self, snapshot: Snapshot) -> Verdict:
        """Of a snapshot that is whole: nothing of it is ever an orphan."""
        claims_known = "claims" in self._all.parts and not self._all.incomplete("claims")
        gone = claims_known and snapshot.source and f"{snapshot.namespace}/{snapshot.source}" not in self._all.claims
        evidence = (f"its claim {snapshot.source} is gone: it may be the only copy",) if gone else ()
        age = self.age(snapshot.taken or snapshot.created)
        if age is not None and age >= self._limits.snapshot_age_seconds:
            limit = duration_text(self._limits.snapshot_age_seconds)
            return Verdict("old", "snapshot_age", (f"older than {limit}", *evidence), snapshot.taken)
        left = None if age is None else self._limits.snapshot_age_seconds - age
        if gone:
            return Verdict("source_gone", "backup", evidence, changes_in=left)
        return Verdict(READY, changes_in=left)

    def content(self, content: Content) -> Verdict:
        """The state of a VolumeSnapshotContent."""
        if content.deleted:
            return self._terminating(content.deleted, content.finalizers)
        if not content.snapshot_uid:
            return Verdict("pre_provisioned", "no_uid", (f"it waits for VolumeSnapshot {content.snapshot}",))
        if content.snapshot_uid not in self._snapshot_uids:
            evidence = [f"VolumeSnapshot {content.snapshot} with uid {content.snapshot_uid} is gone"]
            if content.policy == _DELETE:
                evidence.append(f"policy {content.policy}")
                return self._orphan("snapshot_gone", evidence, since=content.created, needs=("snapshots",))
            missing = self._all.incomplete("snapshots")
            if missing:
                return Verdict(UNKNOWN, "not_read", tuple(missing))
            return Verdict("retained", "policy_retain", (*evidence, f"policy {content.policy or 'unknown'}"))
        if content.error:
            return Verdict("error", "snapshot_error", (f"error: {content.error}",))
        return _READY if content.ready else Verdict("not_ready", "not_ready", ("it is not ready to use",))

    # -- for all -----------------------------------------------------------------------------------------------------

    def verdict(self, kind: str, record: Record) -> Verdict:
        """The state of an object of any kind."""
        return self.judge_of(kind)(record)

    def judge_of(self, kind: str) -> Callable[[Any], Verdict]:
        """What tells the state of the objects of a kind."""
        judges: dict[str, Callable[[Any], Verdict]] = {
            CLAIM: self.claim,
            VOLUME: self.volume,
            SNAPSHOT: self.snapshot,
            CONTENT: self.content,
        }
        return judges[kind]

    def finding(self, kind: str, record: Record, verdict: Verdict, *, confirmed: bool | None = None) -> Finding | None:
        """The finding of a verdict; None for an object that is as it should be."""
        if verdict.state in _QUIET:
            return None
        return Finding(
            kind=kind,
            namespace=getattr(record, "namespace", None),
            name=record.name,
            state=verdict.state,
            reason=verdict.reason,
            age_seconds=self.age(verdict.since or record.created),
            bytes=record.bytes,
            evidence=tuple(short(each, _MAX_EVIDENCE) for each in verdict.evidence),
            confirmed=confirmed,
        )

    def age(self, since: str | None) -> float | None:
        """Seconds since a time of the API; None if it is none."""
        found = seconds_of(since)
        return None if found is None else max(0.0, self._limits.now - found)

    def _orphan(self, reason: str, evidence: Sequence[str], *, since: str | None, needs: Iterable[str]) -> Verdict:
        """An orphan, if it is old enough and everything was read that could speak against it."""
        age = self.age(since)
        if age is None:
            return Verdict(UNKNOWN, "no_age", ("its age is unknown", *evidence), since)
        if age < self._limits.min_age_seconds:
            return Verdict(YOUNG, reason, tuple(evidence), since, self._limits.min_age_seconds - age)
        missing = self._all.incomplete(*needs)
        if missing:
            return Verdict(UNKNOWN, "not_read", tuple(missing), since)
        return Verdict(ORPHAN, reason, tuple(evidence), since)

    def _terminating(self, deleted: str, finalizers: Iterable[str]) -> Verdict:
        held = ", ".join(finalizers)
        told = (f"deletion asked for at {deleted}", f"finalizers {held}" if held else "without finalizers")
        return Verdict("terminating", "deletion_timestamp", told, deleted)


def _later(one: str | None, other: str | None) -> str | None:
    """The later of two times of the API, of which the second may be missing. What is no time makes no age."""
    if other is None:
        return one
    first, second = seconds_of(one), seconds_of(other)
    if first is None or second is None:
        return None
    return other if second > first else one


def records_of(inventory: Inventory, kind: str) -> Mapping[str, Record]:
    """The records of one kind by their keys."""
    found: dict[str, Mapping[str, Record]] = {
        CLAIM: inventory.claims,
        VOLUME: inventory.volumes,
        SNAPSHOT: inventory.snapshots,
        CONTENT: inventory.contents,
    }
    return found[kind]


def judge(rules: Rules, records: Mapping[str, Mapping[str, Record]]) -> Judged:
    """The states of the given records, by kind and key, and findings for those that are worth a look."""
    judged = Judged()
    for kind, of_kind in records.items():
        states = judged.states[kind] = Counter()
        verdict_of = rules.judge_of(kind)
        for record in of_kind.values():
            verdict = verdict_of(record)
            states[verdict.state] += 1
            if verdict.state not in _QUIET:
                finding = rules.finding(kind, record, verdict)
                if finding is not None:
                    judged.findings.append(finding)
    return judged
