# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a plan weighs: objects, what controllers make of them, pods with their requests, processes, time. Pure.

Everything is read from the objects as they will be sent, so a template of the user's counts like one of ours. Where
what matters is the same for all members and namespaces, one member is rendered; where it varies, all are.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .claims import ClaimKind, ClaimsMade, SnapshotKind, StorageLoad
from .errors import PlanError
from .fragment import Fragment
from .kinds import Made, changed_by, made_of
from .pods import PodShape, shape_of
from .schedule import Expected, Member, expected
from .scope import OF_THE_RUN

#: Keys of an object below which a value decides what it weighs.
_WEIGHED_KEYS = frozenset(
    [
        "affinity",
        "completions",
        "nodeSelector",
        "overhead",
        "parallelism",
        "replicas",
        "resources",
        "storageClassName",
        "suspend",
        "tolerations",
        "volumeClaimTemplates",
        "volumeSnapshotClassName",
    ]
)
#: Objects that are rendered to weigh a fragment that varies; of more, evenly chosen namespaces are weighed.
_MOST_RENDERED = 20_000


@dataclass(frozen=True, kw_only=True)
class PodGroup:
    """Pods of one role that are alike.

    `at_peak` run at once, `in_all` over the whole run; with `per_node` both are for each node that takes them.
    `in_a_namespace` run at once in the fullest namespace. `processes` are the live ones of one pod; 0 is unknown.
    `slice_pods`, `pool_label` and `queue` as in kinds.MadePods and kinds.Made.
    """

    role: str
    kind: str
    shape: PodShape
    at_peak: int = 0
    in_all: int = 0
    in_a_namespace: int = 0
    per_node: bool = False
    processes: int = 0
    slice_pods: int = 0
    pool_label: str = ""
    queue: str = ""


@dataclass(frozen=True, kw_only=True)
class ClaimGroup:
    """Claims of one role that are alike. An expansion has `number` 0 and the bytes that its claims grow by."""

    role: str
    kind: ClaimKind
    number: int
    bytes: int
    number_in_a_namespace: int
    bytes_in_a_namespace: int


@dataclass(frozen=True, kw_only=True)
class SnapshotGroup:
    """Snapshots of one role that are alike."""

    role: str
    kind: SnapshotKind
    number: int


@dataclass(frozen=True, kw_only=True)
class FragmentDemand:
    """What one fragment weighs over all namespaces.

    `objects` counts what is sent by (apiVersion, kind), `followers` by kind what controllers add beside pods; the
    fields `…_per_namespace` say the same of the fullest namespace. Of a fragment that patches, `objects` are those
    that it changes. `pods_unheld` would run at once if nothing held members back. `unknown` has a line for each kind of
    which something cannot be known. `estimated` says how, where not every namespace was weighed.
    """

    fragment: Fragment
    objects: Mapping[tuple[str, str], int]
    objects_per_namespace: Mapping[tuple[str, str], int]
    followers: Mapping[str, int]
    followers_per_namespace: Mapping[str, int]
    groups: tuple[PodGroup, ...]
    pods_unheld: int
    expected: Expected
    claims: tuple[ClaimGroup, ...] = ()
    snapshots: tuple[SnapshotGroup, ...] = ()
    unknown: tuple[str, ...] = ()
    estimated: str = ""

    @property
    def role(self) -> str:
        """The fragment's role."""
        return self.fragment.role

    @property
    def pods_at_peak(self) -> int:
        """Pods that run at once, at most."""
        return sum(group.at_peak for group in self.groups)

    @property
    def pods_in_all(self) -> int:
        """Pods over the whole run."""
        return sum(group.in_all for group in self.groups)


@dataclass(frozen=True, kw_only=True)
class Demand:
    """One run. `existing_namespaces` of its `namespaces` are there already and are not made."""

    namespaces: int
    existing_namespaces: int
    fragments: tuple[FragmentDemand, ...]

    @property
    def groups(self) -> tuple[PodGroup, ...]:
        """All pods, by what is alike."""
        return tuple(group for fragment in self.fragments for group in fragment.groups)

    @property
    def objects(self) -> dict[str, int]:
        """Kind -> how many of it the run makes."""
        return self._counted(patches=False)

    @property
    def patched(self) -> dict[str, int]:
        """Kind -> how many patches of it the run sends."""
        return self._counted(patches=True)

    def _counted(self, *, patches: bool) -> dict[str, int]:
        total: Counter[str] = Counter()
        for fragment in self.fragments:
            if bool(fragment.fragment.patch) is patches:
                for (_api_version, kind), number in fragment.objects.items():
                    total[kind] += number
        return dict(total)

    @property
    def claims(self) -> tuple[ClaimGroup, ...]:
        """All claims, and what they grow by, by what is alike."""
        return tuple(group for fragment in self.fragments for group in fragment.claims)

    @property
    def snapshots(self) -> tuple[SnapshotGroup, ...]:
        """All snapshots, by what is alike."""
        return tuple(group for fragment in self.fragments for group in fragment.snapshots)

    @property
    def api_objects(self) -> int:
        """Objects in the API server at most: ours and the controllers' (were nothing removed while it runs)."""
        followers = sum(sum(fragment.followers.values()) for fragment in self.fragments)
        return sum(self.objects.values()) + followers + self.pods_in_all

    @property
    def pods_at_peak(self) -> int:
        """Pods that run at once."""
        return sum(fragment.pods_at_peak for fragment in self.fragments)

    @property
    def pods_in_all(self) -> int:
        """Pods over the whole run."""
        return sum(fragment.pods_in_all for fragment in self.fragments)

    @property
    def pods_per_namespace(self) -> int:
        """Pods that run at once in the fullest namespace; those of DaemonSets once a node."""
        return sum(group.in_a_namespace for group in self.groups)

    @property
    def resources(self) -> list[str]:
        """Names of all resources that pods request, CPU and memory first, then extended ones by name."""
        extended = {name for group in self.groups for name in group.shape.extended}
        return ["cpu", "memory", *sorted(extended)]

    def requested(self, resource: str) -> int:
        """Requests of a resource at peak, over the whole run."""
        return sum(group.at_peak * group.shape.request(resource) for group in self.groups)

    def limits(self, resource: str) -> int:
        """Limits of a resource at peak, over the whole run."""
        return sum(group.at_peak * group.shape.limit(resource) for group in self.groups)

    def requested_in_a_namespace(self, resource: str) -> int:
        """Requests of a resource at peak in the fullest namespace."""
        return sum(group.in_a_namespace * group.shape.request(resource) for group in self.groups)

    def limits_in_a_namespace(self, resource: str) -> int:
        """Limits of a resource at peak in the fullest namespace."""
        return sum(group.in_a_namespace * group.shape.limit(resource) for group in self.groups)

    def objects_in_a_namespace(self, kind: str) -> int:
        """Objects of a kind in the fullest namespace, those that controllers add included."""
        sent = sum(
            number
            for fragment in self.fragments
            for (_api_version, name), number in fragment.objects_per_namespace.items()
            if name == kind and not fragment.fragment.patch
        )
        return sent + sum(fragment.followers_per_namespace.get(kind, 0) for fragment in self.fragments)

    def on_nodes(self, nodes_of: Callable[[PodGroup], int]) -> Demand:
        """The same with DaemonSets' pods counted on the nodes that take them; `nodes_of` tells how many do."""

        def settled(group: PodGroup) -> PodGroup:
            if not group.per_node:
                return group
            nodes = nodes_of(group)
            return replace(
                group,
                at_peak=group.at_peak * nodes,
                in_all=group.in_all * nodes,
                in_a_namespace=group.in_a_namespace * nodes,
            )

        fragments = [
            replace(fragment, groups=tuple(settled(group) for group in fragment.groups)) for fragment in self.fragments
        ]
        return replace(self, fragments=tuple(fragments))


def demand_of(
    fragments: Iterable[Fragment], *, namespaces: Sequence[tuple[int, str]], existing: Collection[str] = ()
) -> Demand:
    """Weigh fragments for namespaces, given as (index, name); those in `existing` are not made.

    Raises PlanError where a rendered object holds no Kubernetes quantity, and TemplateError.
    """
    there = sum(1 for _index, name in namespaces if name in existing)
    claims = ClaimsMade()
    weighed = [_weighed(fragment, namespaces, claims, existing=there) for fragment in fragments]
    return Demand(namespaces=len(namespaces), existing_namespaces=there, fragments=tuple(weighed))


@dataclass
class _Load:
    """What one namespace's share of a fragment weighs. `groups`: pods at once and in all, by kind of pod."""

    objects: Counter[tuple[str, str]] = field(default_factory=Counter)
    followers: Counter[str] = field(default_factory=Counter)
    #: Key of a group -> of each member: pods at once, pods in all.
    members: dict[tuple[Any, ...], list[Member]] = field(default_factory=lambda: defaultdict(list))
    #: Key of a group -> what its pods have in common.
    alike: dict[tuple[Any, ...], PodGroup] = field(default_factory=dict)
    unknown: Counter[str] = field(default_factory=Counter)
    storage: StorageLoad = field(default_factory=StorageLoad)

    def add(self, obj: Mapping[str, Any], made: Made, *, times: int) -> None:
        """Count one object, `times` over."""
        api_version, kind = obj["apiVersion"], obj["kind"]
        self.objects[api_version, kind] += times
        for follower, number in made.followers.items():
            self.followers[follower] += number * times
        if made.unknown:
            self.unknown[f"{kind} of {api_version}: {made.unknown}"] += times
        for part in made.pods:
            if part.in_all:
                shape = shape_of(part.template.get("spec") or {})
                key = (kind, part.per_node, part.slice_pods, part.pool_label, made.queue, shape.key)
                self.alike[key] = PodGroup(
                    role="",
                    kind=kind,
                    shape=shape,
                    per_node=part.per_node,
                    slice_pods=part.slice_pods,
                    pool_label=part.pool_label,
                    queue=made.queue,
                )
                self.members[key] += [(part.in_all, part.at_once)] * times


def _weighed(
    fragment: Fragment, namespaces: Sequence[tuple[int, str]], claims: ClaimsMade, *, existing: int
) -> FragmentDemand:
    if fragment.once:
        namespaces, existing = [OF_THE_RUN], 0
    number = len(namespaces) - (existing if fragment.makes_namespace else 0)
    varies = any(item.template.varies_in(_WEIGHED_KEYS) for step in fragment.steps for item in step)
    chosen, estimated = _chosen_namespaces(fragment, namespaces) if varies else (namespaces[:1], "")
    loads = [_load_of(fragment, index, name, claims, every_member=varies) for index, name in chosen]
    # All namespaces alike, or as they are on average among the chosen ones.
    share = number / len(loads) if loads else 0.0
    first = loads[0] if loads else _Load()
    objects, followers = _summed([load.objects for load in loads]), _summed([load.followers for load in loads])
    return FragmentDemand(
        fragment=fragment,
        objects={kind: round(count * share) for kind, count in objects.items()},
        objects_per_namespace={} if fragment.once else _highest([load.objects for load in loads]),
        followers={kind: round(count * share) for kind, count in followers.items()},
        followers_per_namespace={} if fragment.once else _highest([load.followers for load in loads]),
        groups=_groups(fragment, loads, share),
        claims=_claim_groups(fragment, loads, share),
        snapshots=_snapshot_groups(fragment, loads, share),
        pods_unheld=round(share * sum(at_once for load in loads for _key, _all, at_once in _members_of(load))),
        expected=expected(
            [(in_all, at_once) for _key, in_all, at_once in _members_of(first)] if fragment.pod_phases else (),
            phases=fragment.pod_phases,
            namespaces=number,
            active=fragment.active,
            wave_size=fragment.wave_size,
            wave_pause_seconds=fragment.wave_pause_seconds,
        ),
        unknown=tuple(
            f"{round(count * share):,} {text}" for text, count in _summed([load.unknown for load in loads]).items()
        ),
        estimated=estimated,
    )


def _chosen_namespaces(
    fragment: Fragment, namespaces: Sequence[tuple[int, str]]
) -> tuple[Sequence[tuple[int, str]], str]:
    per_namespace = max(1, fragment.count * fragment.kinds.total())
    most = max(1, _MOST_RENDERED // per_namespace)
    if len(namespaces) <= most:
        return namespaces, ""
    step = len(namespaces) / most
    chosen = [namespaces[int(number * step)] for number in range(most)]
    return chosen, f"estimated from {most:,} of {len(namespaces):,} namespaces, because the template varies"


def _load_of(fragment: Fragment, index: int, namespace: str, claims: ClaimsMade, *, every_member: bool) -> _Load:
    load = _Load()
    members = range(1, fragment.count + 1) if every_member else range(1, min(1, fragment.count) + 1)
    for member in members:
        values = fragment.values(namespace=namespace, namespace_index=index, index=member)
        for step in range(len(fragment.steps)):
            for rendered in fragment.render_step(step, values):
                obj, times = json.loads(rendered.body), 1 if every_member else fragment.count
                made = changed_by(obj) if fragment.patch else made_of(obj)
                try:
                    load.add(obj, made, times=times)
                    claims.take(load.storage, obj, made, namespace=namespace, times=times, patches=bool(fragment.patch))
                except ValueError as error:
                    where = f"{rendered.kind} {rendered.name} of role {fragment.role}"
                    raise PlanError(f"{where}: {error}") from error
    return load


def _members_of(load: _Load) -> list[tuple[tuple[Any, ...], int, int]]:
    return [(key, in_all, at_once) for key, members in load.members.items() for in_all, at_once in members]


def _groups(fragment: Fragment, loads: Sequence[_Load], share: float) -> tuple[PodGroup, ...]:
    alike = {key: group for load in loads for key, group in load.alike.items()}
    groups = []
    for key, group in alike.items():
        at_once = [_held(load.members.get(key, ()), active=fragment.active) for load in loads]
        in_all = sum(in_all for load in loads for in_all, _at_once in load.members.get(key, ()))
        groups.append(
            replace(
                group,
                role=fragment.role,
                at_peak=round(share * sum(at_once)),
                in_all=round(share * in_all),
                in_a_namespace=max(at_once),
                processes=fragment.processes,
            )
        )
    return tuple(groups)


def _claim_groups(fragment: Fragment, loads: Sequence[_Load], share: float) -> tuple[ClaimGroup, ...]:
    groups = []
    for kind in dict.fromkeys(kind for load in loads for kind in load.storage.claims):
        counted = [load.storage.claims.get(kind, (0, 0)) for load in loads]
        groups.append(
            ClaimGroup(
                role=fragment.role,
                kind=kind,
                number=round(share * sum(number for number, _bytes in counted)),
                bytes=round(share * sum(size for _number, size in counted)),
                number_in_a_namespace=max(number for number, _bytes in counted),
                bytes_in_a_namespace=max(size for _number, size in counted),
            )
        )
    return tuple(groups)


def _snapshot_groups(fragment: Fragment, loads: Sequence[_Load], share: float) -> tuple[SnapshotGroup, ...]:
    counted: Counter[SnapshotKind] = Counter()
    for load in loads:
        counted.update(load.storage.snapshots)
    return tuple(
        SnapshotGroup(role=fragment.role, kind=kind, number=round(share * number)) for kind, number in counted.items()
    )


def _held(members: Iterable[Member], *, active: int) -> int:
    """Pods at once of a namespace's members when `active` of them may be unfinished; 0 is all."""
    at_once = sorted((one for _in_all, one in members), reverse=True)
    return sum(at_once[:active] if active else at_once)


def _summed(counters: Iterable[Counter[Any]]) -> Counter[Any]:
    total: Counter[Any] = Counter()
    for counter in counters:
        total.update(counter)
    return total


def _highest(counters: Iterable[Counter[Any]]) -> dict[Any, int]:
    highest: Counter[Any] = Counter()
    for counter in counters:
        highest |= counter
    return dict(highest)
