# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An inventory that events keep up to date, and which of its objects have to be judged again. No I/O.

Records are replaced. Who uses a claim is told by many objects at once, so what each of them says is kept, and is taken
from the same code that reads a scan's pages: the object alone is read into an inventory of its own.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from typing import Any, TypeAlias

from ..storage.findings import CLAIM, CONTENT, SNAPSHOT, VOLUME
from ..storage.inventory import Claim, Content, Inventory, Snapshot, Volume
from ..storage.reading import LISTS, Listed

#: Lists whose objects have records that are judged.
JUDGED = {"claims": CLAIM, "volumes": VOLUME, "snapshots": SNAPSHOT, "contents": CONTENT}
#: Lists of which the inventory has a table by name.
_TABLES = {"classes": "classes", "snapshot_classes": "snapshot_classes", "nodes": "nodes"}
_ORDER = {name: number for number, name in enumerate(LISTS)}
#: What an object may say: it uses a claim, has one for as long as it lives, has templates for some, attaches a volume.
_USE, _EPHEMERAL, _TEMPLATE, _ATTACHED = "use", "ephemeral", "template", "attached"

#: What is said of what: (one of the four, key of the claim, beginning of claims' names or volume).
_Topic: TypeAlias = "tuple[str, str]"
#: Who says it: (list, key of the object).
_Source: TypeAlias = "tuple[str, str]"
_Said: TypeAlias = "tuple[tuple[_Topic, Any], ...]"


class _Index:
    """Keys of records by what they refer to; most have one, so a tuple is smaller than a set."""

    def __init__(self) -> None:
        self._keys: dict[str, tuple[str, ...]] = {}

    def of(self, value: str) -> tuple[str, ...]:
        """The keys of the records that refer to it."""
        return self._keys.get(value, ())

    def move(self, key: str, before: str, after: str) -> None:
        """The record referred to `before`, and does now to `after`; "" is nothing."""
        if before == after:
            return
        if before:
            left = tuple(each for each in self._keys.get(before, ()) if each != key)
            if left:
                self._keys[before] = left
            else:
                self._keys.pop(before, None)
        if after:
            self._keys[after] = (*self._keys.get(after, ()), key)


class Live:
    """The inventory, and its objects that changed since `drain` was called."""

    def __init__(self) -> None:
        self.inventory = Inventory()
        self.claim_uids: set[str] = set()
        self.snapshot_uids: set[str] = set()
        self._changed: dict[str, set[str]] = {kind: set() for kind in JUDGED.values()}
        self._beginnings: set[str] = set()
        self._said: dict[str, dict[str, _Said]] = defaultdict(dict)
        self._sources: dict[_Topic, tuple[_Source, ...]] = {}
        self._alone = Inventory()
        self._claims_of_volume, self._snapshots_of_claim, self._snapshots_of_content = _Index(), _Index(), _Index()
        self._volumes_of_claim_uid, self._contents_of_snapshot_uid = _Index(), _Index()

    # -- taking events -----------------------------------------------------------------------------------------------

    def take(self, listed: Listed, key: str, item: Any) -> tuple[Any, Any]:
        """An object that is there. Returns its record before and now, which is the same one if nothing has changed."""
        if listed.name in JUDGED:
            records: dict[str, Any] = getattr(self.inventory, listed.name)
            before = records.get(key)
            listed.take(self.inventory, [item])
            after = records[key]
            if before == after:
                records[key] = before
                return before, before
            self._record_changed(JUDGED[listed.name], key, before, after)
            return before, after
        if listed.name in _TABLES:
            table: dict[str, Any] = getattr(self.inventory, _TABLES[listed.name])
            of_class = table.get(key)
            listed.take(self.inventory, [item])
            if table.get(key) != of_class:
                self._table_changed(listed.name)
        else:
            self._say((listed.name, key), self._said_by(listed, item))
        return None, None

    def forget(self, listed: Listed, key: str) -> Any:
        """An object that is gone. Returns the record that it had, None if none."""
        if listed.name in JUDGED:
            before = getattr(self.inventory, listed.name).pop(key, None)
            if before is not None:
                self._record_changed(JUDGED[listed.name], key, before, None)
            return before
        if listed.name in _TABLES:
            if getattr(self.inventory, _TABLES[listed.name]).pop(key, None) is not None:
                self._table_changed(listed.name)
        else:
            self._say((listed.name, key), ())
        return None

    def known(self, listed: Listed) -> Collection[str]:
        """The keys of the list's objects of which anything is kept."""
        if listed.name in JUDGED or listed.name in _TABLES:
            table: Mapping[str, Any] = getattr(self.inventory, listed.name)
            return table.keys()
        return self._said[listed.name].keys()

    def touch(self, kind: str, key: str) -> None:
        """Have an object judged again."""
        self._changed[kind].add(key)

    def touch_all(self) -> None:
        """Have everything judged again."""
        for name, kind in JUDGED.items():
            self._changed[kind].update(getattr(self.inventory, name))

    def changed(self, kind: str, key: str) -> bool:
        """Whether the object has to be judged again."""
        return key in self._changed[kind]

    @property
    def is_changed(self) -> bool:
        """Whether anything has to be judged again."""
        return bool(self._beginnings) or any(self._changed.values())

    def drain(self) -> dict[str, set[str]]:
        """By kind, the keys of all objects that have to be judged again; from now on they are not."""
        if self._beginnings:
            for key in self.inventory.claims:
                beginning, _dash, ordinal = key.rpartition("-")
                if beginning in self._beginnings and ordinal.isdecimal():
                    self._changed[CLAIM].add(key)
            self._beginnings.clear()
        found, self._changed = self._changed, {kind: set() for kind in JUDGED.values()}
        return found

    # -- records: what else is judged by them ------------------------------------------------------------------------

    def _record_changed(self, kind: str, key: str, before: Any, after: Any) -> None:
        self._changed[kind].add(key)
        if kind == CLAIM:
            self._claim_changed(key, before, after)
        elif kind == VOLUME:
            self._volume_changed(key, before, after)
        elif kind == SNAPSHOT:
            self._snapshot_changed(key, before, after)
        else:
            self._content_changed(key, before, after)

    def _claim_changed(self, key: str, before: Claim | None, after: Claim | None) -> None:
        self._claims_of_volume.move(key, before.volume if before else "", after.volume if after else "")
        for uid in _moved(self.claim_uids, before, after):
            self._changed[VOLUME].update(self._volumes_of_claim_uid.of(uid))
        if before is None or after is None or before.storage_class != after.storage_class:
            self._changed[SNAPSHOT].update(self._snapshots_of_claim.of(key))
            for snapshot in self._snapshots_of_claim.of(key):
                record = self.inventory.snapshots.get(snapshot)
                self._changed[CONTENT].update(self._contents_of_snapshot_uid.of(record.uid) if record else ())

    def _volume_changed(self, key: str, before: Volume | None, after: Volume | None) -> None:
        self._volumes_of_claim_uid.move(key, before.claim_uid if before else "", after.claim_uid if after else "")
        if (before and before.driver) != (after and after.driver):
            self._changed[CLAIM].update(self._claims_of_volume.of(key))

    def _snapshot_changed(self, key: str, before: Snapshot | None, after: Snapshot | None) -> None:
        self._snapshots_of_claim.move(key, _source_of(before), _source_of(after))
        self._snapshots_of_content.move(key, before.content if before else "", after.content if after else "")
        _moved(self.snapshot_uids, before, after)
        for uid in {each.uid for each in (before, after) if each}:
            self._changed[CONTENT].update(self._contents_of_snapshot_uid.of(uid))

    def _content_changed(self, key: str, before: Content | None, after: Content | None) -> None:
        self._contents_of_snapshot_uid.move(
            key, before.snapshot_uid if before else "", after.snapshot_uid if after else ""
        )
        self._changed[SNAPSHOT].update(self._snapshots_of_content.of(key))

    def _table_changed(self, name: str) -> None:
        """Few objects, rarely changed, on which all of a kind may depend."""
        if name == "classes":
            self._changed[CLAIM].update(self.inventory.claims)
        elif name == "snapshot_classes":
            self._changed[SNAPSHOT].update(self.inventory.snapshots)

    # -- who uses what -----------------------------------------------------------------------------------------------

    def _said_by(self, listed: Listed, item: Any) -> _Said:
        """What one object says."""
        alone = self._alone
        listed.take(alone, [item])
        if not (alone.uses or alone.ephemeral or alone.set_templates or alone.attached):
            return ()
        self._alone = Inventory()
        said: list[tuple[_Topic, Any]] = [
            ((_USE, key), (how, alone.users.get(key, ""), alone.on_node.get(key))) for key, how in alone.uses.items()
        ]
        said += [((_EPHEMERAL, key), (pod, alone.on_node.get(key))) for key, pod in alone.ephemeral.items()]
        for namespace, templates in alone.set_templates.items():
            said += [((_TEMPLATE, f"{namespace}/{name}"), template) for name, template in templates.items()]
        said += [((_ATTACHED, volume), node) for volume, node in alone.attached.items()]
        return tuple(said)

    def _say(self, source: _Source, said: _Said) -> None:
        name, key = source
        of_list = self._said[name]
        before = of_list.get(key, ())
        if before == said:
            return
        if said:
            of_list[key] = said
        else:
            del of_list[key]
        topics_before, topics = {topic for topic, _value in before}, {topic for topic, _value in said}
        for topic in topics_before - topics:
            left = tuple(each for each in self._sources[topic] if each != source)
            if left:
                self._sources[topic] = left
            else:
                del self._sources[topic]
        for topic in topics - topics_before:
            self._sources[topic] = (*self._sources.get(topic, ()), source)
        for topic in topics_before | topics:
            self._conclude(topic)

    def _conclude(self, topic: _Topic) -> None:
        """Write into the inventory what all say of one topic, in the order in which a scan reads it."""
        values = [
            value
            for name, key in sorted(self._sources.get(topic, ()), key=_place_of)
            for said, value in self._said[name][key]
            if said == topic
        ]
        what, key = topic
        if what == _USE:
            self._conclude_uses(key, values)
        elif what == _EPHEMERAL:
            self._conclude_ephemeral(key, values)
        elif what == _TEMPLATE:
            namespace, _slash, beginning = key.partition("/")
            templates = self.inventory.set_templates.setdefault(namespace, {})
            _put(templates, beginning, values)
            if not templates:
                del self.inventory.set_templates[namespace]
            self._beginnings.add(key)
        else:
            _put(self.inventory.attached, key, values)
            self._changed[VOLUME].add(key)
            self._changed[CLAIM].update(self._claims_of_volume.of(key))

    def _conclude_uses(self, key: str, values: Iterable[tuple[int, str, str | None]]) -> None:
        inventory = self.inventory
        inventory.uses.pop(key, None)
        inventory.users.pop(key, None)
        nodes = []
        for how, who, node in values:
            inventory.use(key, how, who)
            nodes += [node] if node is not None else []
        _put(inventory.on_node, key, nodes)
        self._changed[CLAIM].add(key)

    def _conclude_ephemeral(self, key: str, values: Iterable[tuple[tuple[str, bool], str | None]]) -> None:
        values = list(values)
        _put(self.inventory.ephemeral, key, [pod for pod, _node in values])
        _put(self.inventory.on_node, key, [node for _pod, node in values if node is not None])
        self._changed[CLAIM].add(key)


def _place_of(source: _Source) -> tuple[int, str]:
    return _ORDER[source[0]], source[1]


def _put(table: dict[str, Any], key: str, values: list[Any]) -> None:
    """The last of the values, or nothing where there is none."""
    if values:
        table[key] = values[-1]
    else:
        table.pop(key, None)


def _source_of(snapshot: Snapshot | None) -> str:
    return f"{snapshot.namespace}/{snapshot.source}" if snapshot and snapshot.source else ""


def _moved(uids: set[str], before: Any, after: Any) -> set[str]:
    """Keep the set of uids; returns those that came or went."""
    old = {before.uid} if before is not None else set()
    new = {after.uid} if after is not None else set()
    uids -= old - new
    uids |= new
    return old ^ new
