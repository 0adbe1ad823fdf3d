# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects a scan tells of. The rules see all: a claim with another label is a claim that a volume may have."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from ..cluster.client import Cluster
from ..cluster.decoding import keys_decoder
from ..cluster.errors import ClusterError, Unauthorized
from ..cluster.watch import METADATA_ONLY, list_pages
from ..errors import ModuleFailed
from .findings import CLAIM, CONTENT, SNAPSHOT, VOLUME
from .inventory import MAKERS, Claim, Content, Inventory, Snapshot, Volume
from .options import CLAIMS, SNAPSHOTS, USAGE, VOLUMES, Options
from .reading import LISTS, MAX_NAMESPACES, cause_of
from .rules import Record, records_of

#: Part of a scan -> the lists that it needs.
_LISTS: dict[str, tuple[str, ...]] = {
    "claims": ("claims", "classes", "pods", *MAKERS),
    "volumes": ("volumes", "claims"),
    "snapshots": ("snapshots", "contents", "snapshot_classes", "claims"),
    "attachments": ("attachments", "drivers"),
    "usage": ("claims", "classes", "pods", "nodes"),
    "backend": ("volumes", "contents"),
}
_KINDS: dict[str, tuple[str, ...]] = {CLAIMS: (CLAIM,), VOLUMES: (VOLUME,), SNAPSHOTS: (SNAPSHOT, CONTENT)}
_LIST_OF = {CLAIM: "claims", VOLUME: "volumes", SNAPSHOT: "snapshots", CONTENT: "contents"}


def lists_of(options: Options) -> set[str]:
    """The names of the lists that have to be read."""
    found = {name for part in options.parts for name in _LISTS[part]}
    # A claim's driver is also that of its class, but for those that somebody has provisioned by hand.
    return found | {"volumes"} if options.drivers else found


async def labelled(cluster: Cluster, options: Options, inventory: Inventory) -> dict[str, set[str]] | None:
    """By kind, the keys of the objects that the label selector selects; None without one.

    The API server judges the selector. A list that cannot be read is named in the inventory's parts. Raises
    ModuleFailed for a selector that is none, and Unauthorized.
    """
    if not options.label_selector:
        return None
    kinds = [kind for part, kinds in _KINDS.items() if part in options.parts for kind in kinds]
    kinds += [CLAIM] if USAGE in options.parts and CLAIM not in kinds else []
    found: dict[str, set[str]] = {kind: set() for kind in kinds}
    for kind in kinds:
        listed = LISTS[_LIST_OF[kind]]
        if not inventory.parts[listed.name].complete:
            continue
        namespaces = options.namespaces if listed.namespaced and len(options.namespaces) <= MAX_NAMESPACES else ()
        try:
            for namespace in namespaces or ("",):
                found[kind] |= await _keys(cluster, listed.path(namespace), options.label_selector)
        except Unauthorized:
            raise
        except ClusterError as error:
            if error.status == 400:
                raise ModuleFailed(f"label_selector: {options.label_selector!r}: {error}") from error
            part = inventory.parts[listed.name]
            part.complete, part.cause = False, cause_of(listed, error)
    return found


async def _keys(cluster: Cluster, path: str, selector: str) -> set[str]:
    found = set()
    query = {"labelSelector": selector}
    async for page in list_pages(cluster, path, query=query, decode=keys_decoder(), accept=METADATA_ONLY):
        for item in page["items"] or ():
            meta = item["metadata"]
            found.add(f"{meta['namespace']}/{meta['name']}" if "namespace" in meta else meta["name"])
    return found


class Selection:
    """Judges by the options that name namespaces, labels, classes and drivers."""

    def __init__(self, options: Options, inventory: Inventory, keys: Mapping[str, Collection[str]] | None) -> None:
        self._options = options
        self._all = inventory
        self._keys = keys

    @property
    def takes_all(self) -> bool:
        """Whether nothing is left out."""
        options = self._options
        return self._keys is None and not (
            options.namespaces or options.exclude_namespaces or options.storage_classes or options.drivers
        )

    @property
    def takes_box(self) -> bool:
        """Whether what is only on a storage box is reported: it has no namespace, label, class or driver."""
        options = self._options
        return self._keys is None and not (options.namespaces or options.storage_classes or options.drivers)

    def records(self, kind: str) -> Mapping[str, Record]:
        """Those of the kind's records that the scan tells of."""
        records = records_of(self._all, kind)
        if self.takes_all:
            return records
        return {key: record for key, record in records.items() if self.takes(kind, key, record)}

    def takes(self, kind: str, key: str, record: Record) -> bool:
        """Whether the scan tells of this object."""
        options = self._options
        if self._keys is not None and key not in self._keys.get(kind, ()):
            return False
        namespace, storage_class, driver = self.described(record)
        if options.namespaces and namespace not in options.namespaces:
            return False
        if namespace in options.exclude_namespaces:
            return False
        if options.storage_classes and storage_class not in options.storage_classes:
            return False
        return not options.drivers or driver in options.drivers

    def described(self, record: Record) -> tuple[str | None, str | None, str | None]:
        """(namespace, class, driver) of an object; of a volume and a content, those of what it belongs to."""
        if isinstance(record, Claim):
            return record.namespace, record.storage_class, self._all.driver_of(record)
        if isinstance(record, Volume):
            return record.claim.partition("/")[0] or None, record.storage_class, record.driver
        if isinstance(record, Content):
            snapshot = self._all.snapshots.get(record.snapshot)
            source = self._class_of(snapshot) if snapshot is not None and snapshot.uid == record.snapshot_uid else None
            return record.snapshot.partition("/")[0] or None, source, record.driver or None
        content = self._all.contents.get(record.content)
        driver = content.driver if content is not None else self._all.snapshot_classes.get(record.snapshot_class or "")
        return record.namespace, self._class_of(record), driver or None

    def _class_of(self, snapshot: Snapshot) -> str | None:
        """The class of the claim that a snapshot was made of, if that is still there."""
        claim = self._all.claims.get(f"{snapshot.namespace}/{snapshot.source}")
        return claim.storage_class if claim is not None else None

    def warnings(self) -> list[str]:
        """Names of classes that the cluster has not: probably mistyped."""
        part = self._all.parts.get("classes")
        if part is None or not part.complete:
            return []
        unknown = sorted(self._options.storage_classes - set(self._all.classes))
        return [f"storage_classes: the cluster has no StorageClass {', '.join(unknown)}"] if unknown else []
