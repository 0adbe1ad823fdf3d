# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which permissions a plan needs, from its fragments and what discovery says of their kinds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Protocol

from ..cluster.access import Access
from ..readiness.registry import finishes, has_predicate
from .fragment import Fragment
from .kinds import POD_MAKERS, group_of


class Served(Protocol):
    """A kind as the API server's discovery has it."""

    @property
    def plural(self) -> str:
        """Its name in paths and in rules."""

    @property
    def namespaced(self) -> bool:
        """Whether its objects lie in namespaces."""

    @property
    def has_status(self) -> bool:
        """Whether its objects have a status of their own."""

    @property
    def verbs(self) -> Set[str]:
        """What the API server can do with it."""


Kind = tuple[str, str]
_NAMESPACE = ("v1", "Namespace")


def needed_access(
    fragments: Iterable[Fragment],
    served: Mapping[Kind, Served],
    *,
    cleans_up: bool = False,
    makes_namespaces: bool = True,
) -> list[Access]:
    """All that a run of these fragments asks of the API server, sorted. `served`: each kind of theirs.

    `get` goes with `create`, because a name that exists is looked at before it is called ours; `list`, because what was
    stored is counted at the end. `cleans_up`: the run removes what it made in the end. Without `makes_namespaces` all
    its namespaces are there.
    """
    fragments = list(fragments)
    kinds = _kinds_of(fragments, makes_namespaces=makes_namespaces)
    waited_for = _kinds_of((one for one in fragments if one.ready), makes_namespaces=makes_namespaces)
    patched = _kinds_of((one for one in fragments if one.patch), makes_namespaces=makes_namespaces)
    made = _kinds_of((one for one in fragments if not one.patch), makes_namespaces=makes_namespaces)
    needed = {_access(kind, served[kind], verb) for kind in made for verb in ("create", "get")}
    needed |= {_access(kind, served[kind], verb) for kind in patched for verb in ("patch", "get")}
    watched = {kind for kind in waited_for if has_predicate(*kind, has_status=served[kind].has_status)}
    needed |= {_access(kind, served[kind], verb) for kind in watched for verb in ("list", "watch")}
    # What nobody watches is counted at the end, unless it ends by itself.
    needed |= {_access(kind, served[kind], "list") for kind in kinds if not finishes(*kind)}
    if _makes_pods(waited_for):
        needed |= {Access("", "pods", verb) for verb in ("list", "watch")}
    if _NAMESPACE in waited_for:
        # Pods cannot start before their namespace's default ServiceAccount is there.
        needed |= {Access("", "serviceaccounts", verb) for verb in ("list", "watch")}
    if cleans_up:
        needed.update(cleanup_access(fragments, served, makes_namespaces=makes_namespaces))
    return sorted(needed)


def cleanup_access(
    fragments: Iterable[Fragment], served: Mapping[Kind, Served], *, makes_namespaces: bool = True
) -> list[Access]:
    """What removing a run of these fragments, and seeing that it is gone, asks of the API server; sorted.

    Before a namespace of the run is deleted, every kind in it is listed as well; see `lists_of`.
    """
    kinds = _kinds_of(fragments, makes_namespaces=makes_namespaces)
    needed = set()
    for kind in kinds:
        each = served[kind]
        at_once = each.namespaced and "deletecollection" in each.verbs
        needed |= {_access(kind, each, verb) for verb in ("list", "watch", "deletecollection" if at_once else "delete")}
    if _makes_pods(kinds):
        needed |= {Access("", "pods", verb) for verb in ("list", "watch")}
        needed |= {Access("", "pods", "deletecollection")} if makes_namespaces else set()
    return sorted(needed)


def lists_of(kinds: Iterable[tuple[str, Served]]) -> list[Access]:
    """The rights to list these kinds, given with their apiVersions; sorted."""
    return sorted(
        {
            Access(group_of(version), kind.plural, "list", kind.namespaced)
            for version, kind in kinds
            if "list" in kind.verbs
        }
    )


def _kinds_of(fragments: Iterable[Fragment], *, makes_namespaces: bool) -> set[Kind]:
    kinds = {kind for fragment in fragments if fragment.count for kind in fragment.kinds}
    return kinds if makes_namespaces else kinds - {_NAMESPACE}


def _makes_pods(kinds: Iterable[Kind]) -> bool:
    return any(kind in POD_MAKERS for _api_version, kind in kinds)


def _access(kind: Kind, served: Served, verb: str) -> Access:
    return Access(group_of(kind[0]), served.plural, verb, served.namespaced)
