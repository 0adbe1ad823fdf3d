# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which objects are a batch's own: those that its fragments make in its namespaces. No I/O.

Other load generators of a run, and earlier attempts that made more, leave objects with the same labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from ..measure.pod_status import controller_of
from ..plan.fragment import Fragment
from ..plan.jinja import TemplateError
from ..plan.scope import OF_THE_RUN

#: The label by which a ReplicaSet's pods show the end of its name; what comes before it is the Deployment's.
_TEMPLATE_HASH = "pod-template-hash"


class Planned:
    """The names of what the fragments make. `namespaces` are (index, name).

    Names are rendered only for a role and a namespace that is asked about, and then kept.
    """

    def __init__(self, fragments: Iterable[Fragment], namespaces: Iterable[tuple[int, str]]) -> None:
        self._fragments = {fragment.role: fragment for fragment in fragments}
        self._indexes = {name: index for index, name in namespaces}
        #: The batch's namespaces; "" is that of what lies in none.
        self.namespaces = frozenset({"", *self._indexes})
        self._names: dict[tuple[str, str], frozenset[tuple[str, str]] | None] = {}

    def makes_kind(self, role: str, kind: str) -> bool:
        """Whether a role makes objects of a kind itself."""
        return any(kind == made for _version, made in self._fragments[role].kinds)

    def has(self, role: str, kind: str, namespace: str, name: str) -> bool:
        """Whether a role makes this object; True also where its names cannot be rendered, which ends the batch."""
        if namespace or self._fragments[role].once:
            return self._has(role, kind, namespace or OF_THE_RUN[1], name)
        return any(self._has(role, kind, place, name) for place in self._indexes)

    def _has(self, role: str, kind: str, namespace: str, name: str) -> bool:
        if (role, namespace) not in self._names:
            self._names[role, namespace] = self._rendered(self._fragments[role], namespace)
        names = self._names[role, namespace]
        return names is None or (kind, name) in names

    def _rendered(self, fragment: Fragment, namespace: str) -> frozenset[tuple[str, str]] | None:
        names: set[tuple[str, str]] = set()
        index = OF_THE_RUN[0] if fragment.once else self._indexes[namespace]
        try:
            for member in range(1, fragment.count + 1):
                values = fragment.values(namespace=namespace, namespace_index=index, index=member)
                for step in range(len(fragment.steps)):
                    names.update((made.kind, made.name) for made in fragment.render_step(step, values))
        except TemplateError:
            return None
        return frozenset(names)

    def forget_names(self) -> None:
        """Free the memory of the names."""
        self._names.clear()


def maker_of(pod: Mapping[str, Any]) -> tuple[str, str]:
    """(kind, name) of the object that a pod was made for: its controller, of that a Deployment's, or the pod itself."""
    owner = controller_of(pod)
    if owner is None:
        return "Pod", pod["metadata"]["name"]
    end = "-" + (pod["metadata"].get("labels") or {}).get(_TEMPLATE_HASH, "-")
    if owner[0] == "ReplicaSet" and owner[1].endswith(end):
        return "Deployment", owner[1].removesuffix(end)
    return owner
