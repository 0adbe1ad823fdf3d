"""ZFS in memory, as far as a storage driver sees it: inheritance, clones, holds, deferred destruction."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field


class ZfsError(Exception):
    """What ZFS refuses, in its words."""


@dataclass
class Node:
    """A dataset or zvol. `own` are the user properties set on it, without those that it inherits."""

    id: str
    type: str = "FILESYSTEM"
    own: dict[str, str] = field(default_factory=dict)
    used: int = 57344
    quota: int = 0
    created: int = 0
    origin: str | None = None
    mountpoint: str | None = None


@dataclass
class Snap:
    """A snapshot. `deferred`: it goes when its last clone or hold does."""

    id: str
    own: dict[str, str] = field(default_factory=dict)
    used: int = 8192
    created: int = 0
    holds: set[str] = field(default_factory=set)
    deferred: bool = False

    @property
    def dataset(self) -> str:
        """The dataset of which it is one."""
        return self.id.partition("@")[0]


class Zfs:
    """Pools with their datasets and snapshots. `clock` is what new things are dated with, seconds since 1970."""

    def __init__(self, *pools: str, size: int = 10 * 2**40) -> None:
        self.clock = int(time.time()) - 30 * 86400
        self.size = size
        self.allocated: dict[str, int] = {}
        self.status: dict[str, str] = {}
        self.nodes: dict[str, Node] = {}
        self.snaps: dict[str, Snap] = {}
        for pool in pools or ("tank",):
            self.status[pool] = "ONLINE"
            self.allocated[pool] = size // 4
            self.nodes[pool] = Node(pool, created=self.clock)

    def create(self, id: str, *, type: str = "FILESYSTEM", quota: int = 0, **own: str) -> Node:
        """Create a dataset or zvol, with its missing ancestors."""
        if id in self.nodes:
            raise ZfsError(f"cannot create '{id}': dataset already exists")
        parts = id.split("/")
        if parts[0] not in self.nodes:
            raise ZfsError(f"cannot create '{id}': no such pool '{parts[0]}'")
        for count in range(2, len(parts)):
            ancestor = "/".join(parts[:count])
            self.nodes.setdefault(ancestor, Node(ancestor, created=self.clock))
        self.nodes[id] = Node(id, type=type, quota=quota, own=dict(own), created=self.clock)
        return self.nodes[id]

    def snapshot(self, id: str, **own: str) -> Snap:
        """Take a snapshot, named DATASET@NAME."""
        if id.partition("@")[0] not in self.nodes:
            raise ZfsError(f"cannot open '{id.partition('@')[0]}': dataset does not exist")
        if id in self.snaps:
            raise ZfsError(f"cannot create snapshot '{id}': dataset already exists")
        self.snaps[id] = Snap(id, own=dict(own), created=self.clock)
        return self.snaps[id]

    def clone(self, snapshot: str, id: str, **own: str) -> Node:
        """Make a dataset of a snapshot. It inherits from its own parent, not from its origin."""
        source = self.nodes[self.snaps[snapshot].dataset]
        node = self.create(id, type=source.type, quota=source.quota)
        node.own, node.origin = dict(own), snapshot
        return node

    def clones(self, snapshot: str) -> list[str]:
        """The datasets that were made of it."""
        return [node.id for node in self.nodes.values() if node.origin == snapshot]

    def destroy_snapshot(self, id: str, *, defer: bool = False) -> None:
        """Destroy a snapshot; with `defer`, as soon as no clone and no hold needs it."""
        snap = self.snaps[id]
        if self.clones(id) or snap.holds:
            if not defer:
                raise ZfsError(f"cannot destroy '{id}': snapshot has dependent clones")
            snap.deferred = True
            return
        del self.snaps[id]

    def destroy(self, id: str) -> None:
        """Destroy a dataset with its snapshots. Refused while it has children or clones of its snapshots."""
        if any(other.startswith(f"{id}/") for other in self.nodes):
            raise ZfsError(f"cannot destroy '{id}': filesystem has children")
        own = [snap for snap in self.snaps.values() if snap.dataset == id]
        if any(self.clones(snap.id) for snap in own):
            raise ZfsError(f"cannot destroy '{id}': filesystem has dependent clones")
        for snap in own:
            del self.snaps[snap.id]
        origin = self.nodes.pop(id).origin
        if origin in self.snaps and self.snaps[origin].deferred and not self.clones(origin):
            self.destroy_snapshot(origin, defer=True)

    def release(self, id: str, tag: str) -> None:
        """Take a hold off."""
        self.snaps[id].holds.discard(tag)
        if self.snaps[id].deferred:
            self.destroy_snapshot(id, defer=True)

    def properties(self, id: str) -> dict[str, tuple[str, bool]]:
        """User property -> (value, whether it is inherited), of a dataset or a snapshot."""
        dataset, at, _name = id.partition("@")
        found: dict[str, tuple[str, bool]] = {}
        parts = dataset.split("/")
        for count in range(1, len(parts) + 1):
            above = "/".join(parts[:count])
            inherited = bool(at) or above != dataset
            found |= {name: (value, inherited) for name, value in self.nodes[above].own.items()}
        if at:
            found |= {name: (value, False) for name, value in self.snaps[id].own.items()}
        return found

    def below(self, id: str) -> Iterator[Node]:
        """The dataset itself and all below it, in the order of their names."""
        return (self.nodes[name] for name in sorted(self.nodes) if name == id or name.startswith(f"{id}/"))
