# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a plan makes each of its objects once. Pure.

A name that is made twice is stored once: the second create finds it and counts it as unchanged, and the load is
smaller than was asked for.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import PlanError
from .fragment import Fragment, Item
from .kinds import group_of
from .scope import CLUSTER_SCOPED, OF_NAMESPACE, OF_THE_RUN, is_cluster_scoped


@dataclass(frozen=True, slots=True)
class _Maker:
    """The member of a fragment that makes an object, for messages."""

    role: str
    index: int
    item: int
    items: int
    namespace: str
    template: str

    def shown(self, *, with_namespace: bool) -> str:
        item = f", item {self.item}" if self.items > 1 else ""
        place = f" in namespace {self.namespace}" if with_namespace else ""
        return f"member {self.index}{item} of role {self.role}{place} (template {self.template})"


_Key = tuple[str, str, str]


def check_names(fragments: Sequence[Fragment], namespaces: Sequence[tuple[int, str]]) -> None:
    """Check that no two objects of a kind have the same name in a namespace, or in the cluster if the kind lies there.

    Raises PlanError for the first that do, and TemplateError. Members are compared within the first namespace, and
    cluster-scoped objects of known kinds over all namespaces.
    """
    made: dict[_Key, _Maker] = {}
    fragments = [fragment for fragment in fragments if not fragment.patch]
    for fragment in fragments:
        for namespace in (OF_THE_RUN,) if fragment.once else namespaces[:1]:
            for key, maker in _made_by(fragment, namespace):
                _add(made, key, maker)
    for fragment in fragments:
        if fragment.count and not fragment.once and any(is_cluster_scoped(*kind) for kind in fragment.kinds):
            _check_over_namespaces(made, fragment, namespaces)


def planned_names(
    fragments: Sequence[Fragment], namespaces: Sequence[tuple[int, str]], *, existing: Collection[str] = ()
) -> Iterator[tuple[str, str, str, str]]:
    """apiVersion, kind, namespace and name of all that the fragments make or patch; not the `existing` namespaces.

    Raises TemplateError.
    """
    for index, namespace in (OF_THE_RUN, *namespaces):
        for fragment in fragments:
            if fragment.once is not ((index, namespace) == OF_THE_RUN):
                continue
            if fragment.makes_namespace and namespace in existing:
                continue
            for item, values in _items(fragment, (index, namespace)):
                for api_version, kind, name in item.template.names(values):
                    yield api_version, kind, namespace, name


def _check_over_namespaces(made: dict[_Key, _Maker], fragment: Fragment, namespaces: Sequence[tuple[int, str]]) -> None:
    items = [item for step in fragment.steps for item in step]
    # Where no name depends on the namespace, the second one repeats the first.
    differ = any(item.template.names_use(OF_NAMESPACE) for item in items)
    for namespace in namespaces[1:] if differ else namespaces[1:2]:
        for key, maker in _made_by(fragment, namespace):
            if (key[0], key[1]) in CLUSTER_SCOPED:
                _add(made, key, maker)


def _made_by(fragment: Fragment, namespace: tuple[int, str]) -> Iterator[tuple[_Key, _Maker]]:
    """The objects of a fragment in one namespace."""
    for item, values in _items(fragment, namespace):
        place, name = values["item"], namespace[1]
        maker = _Maker(fragment.role, values["index"], place, item.count, name, item.template.name)
        for api_version, kind, object_name in item.template.names(values):
            yield (group_of(api_version), kind, object_name), maker


def _items(fragment: Fragment, namespace: tuple[int, str]) -> Iterator[tuple[Item, dict[str, Any]]]:
    """Each template of each member of a fragment in one namespace, with the values to render it with."""
    items: list[Item] = [item for step in fragment.steps for item in step]
    for index in range(1, fragment.count + 1):
        values = fragment.values(namespace=namespace[1], namespace_index=namespace[0], index=index)
        for item in items:
            for place in range(1, item.count + 1):
                values["item"] = place
                yield item, values


def _add(made: dict[_Key, _Maker], key: _Key, maker: _Maker) -> None:
    first = made.get(key)
    if first is None:
        made[key] = maker
        return
    _group, kind, name = key
    apart = first.namespace != maker.namespace
    if apart:
        cure = ", such as with {{ namespace }}"
    elif first.role == maker.role and first.index != maker.index:
        cure = ", such as with {{ index }}"
    else:
        cure = ", such as with {{ item }}" if first.item != maker.item else ""
    raise PlanError(
        f"fragments: {kind} {name!r} comes twice, from {first.shown(with_namespace=apart)} and from "
        f"{maker.shown(with_namespace=apart)}, so it would be made once; give each a name of its own{cure}"
    )
