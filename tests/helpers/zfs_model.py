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

    def create(self, name: str, *, kind: str = "FILESYSTEM", quota: int = 0, **own: str) -> Node:
        """Create a dataset or zvol, with its missing ancestors."""
        if name in self.nodes:
            raise ZfsError(f"cannot create '{name}': dataset already exists")
        parts = name.split("/")
        if parts[0] not in self.nodes:
            raise ZfsError(f"cannot create '{name}': no such pool '{parts[0]}'")
        for count in range(2, len(parts)):
            ancestor = "/".join(parts[:count])
            self.nodes.setdefault(ancestor, Node(ancestor, created=self.clock))
        self.nodes[name] = Node(name, type=kind, quota=quota, own=dict(own), created=self.clock)
        return self.nodes[name]

    def snapshot(self, name: str, **own: str) -> Snap:
        """Take a snapshot, named DATASET@NAME."""
        if name.partition("@")[0] not in self.nodes:
            raise ZfsError(f"cannot open '{name.partition('@')[0]}': dataset does not exist")
        if name in self.snaps:
            raise ZfsError(f"cannot create snapshot '{name}': dataset already exists")
        self.snaps[name] = Snap(name, own=dict(own), created=self.clock)
        return self.snaps[name]

    def clone(self, snapshot: str, name: str, **own: str) -> Node:
        """Make a dataset of a snapshot. It inherits from its own parent, not from its origin."""
        source = self.nodes[self.snaps[snapshot].dataset]
        node = self.create(name, kind=source.type, quota=source.quota)
        node.own, node.origin = dict(own), snapshot
        return node

    def clones(self, snapshot: str) -> list[str]:
        """The datasets that were made of it."""
        return [node.id for node in self.nodes.values() if node.origin == snapshot]

    def destroy_snapshot(self, name: str, *, defer: bool = False) -> None:
        """Destroy a snapshot; with `defer`, as soon as no clone and no hold needs it."""
        snap = self.snaps[name]
        if self.clones(name) or snap.holds:
            if not defer:
                raise ZfsError(f"cannot destroy '{name}': snapshot has dependent clones")
            snap.deferred = True
            return
        del self.snaps[name]

    def destroy(self, name: str) -> None:
        """Destroy a dataset with its snapshots. Refused while it has children or clones of its snapshots."""
        if any(other.startswith(f"{name}/") for other in self.nodes):
            raise ZfsError(f"cannot destroy '{name}': filesystem has children")
        own = [snap for snap in self.snaps.values() if snap.dataset == name]
        if any(self.clones(snap.id) for snap in own):
            raise ZfsError(f"cannot destroy '{name}': filesystem has dependent clones")
        for snap in own:
            del self.snaps[snap.id]
        origin = self.nodes.pop(name).origin
        if origin in self.snaps and self.snaps[origin].deferred and not self.clones(origin):
            self.destroy_snapshot(origin, defer=True)

    def release(self, name: str, tag: str) -> None:
        """Take a hold off."""
        self.snaps[name].holds.discard(tag)
        if self.snaps[name].deferred:
            self.destroy_snapshot(name, defer=True)

    def properties(self, name: str) -> dict[str, tuple[str, bool]]:
        """User property -> (value, whether it is inherited), of a dataset or a snapshot."""
        dataset, at, _name = name.partition("@")
        found: dict[str, tuple[str, bool]] = {}
        parts = dataset.split("/")
        for count in range(1, len(parts) + 1):
            above = "/".join(parts[:count])
            inherited = bool(at) or above != dataset
            found |= {key: (value, inherited) for key, value in self.nodes[above].own.items()}
        if at:
            found |= {key: (value, False) for key, value in self.snaps[name].own.items()}
        return found

    def below(self, name: str) -> Iterator[Node]:
        """The dataset itself and all below it, in the order of their names."""
        return (self.nodes[one] for one in sorted(self.nodes) if one == name or one.startswith(f"{name}/"))
