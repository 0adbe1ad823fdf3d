# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which permissions a plan needs, from its fragments and what discovery says of their kinds. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ..cluster.access import Access
from ..readiness.registry import has_predicate
from .fragment import Fragment
from .kinds import POD_MAKERS, group_of

#: (apiVersion, kind) -> plural, as the API server's discovery has it.
Plurals = Mapping[tuple[str, str], str]


def needed_access(fragments: Iterable[Fragment], plurals: Plurals, *, cleans_up: bool = False) -> list[Access]:
    """All that a run of these fragments asks of the API server, sorted.

    `get` goes with `create`, because a name that exists is looked at before it is called ours. `cleans_up`: the run
    deletes its namespaces in the end.
    """
    fragments = list(fragments)
    kinds = {kind for fragment in fragments if fragment.count for kind in fragment.kinds}
    waited_for = {kind for fragment in fragments if fragment.count and fragment.ready for kind in fragment.kinds}
    needed = {Access(group_of(kind[0]), plurals[kind], verb) for kind in kinds for verb in ("create", "get")}
    watched = {kind for kind in waited_for if has_predicate(kind[1]) or kind[1] == "Namespace"}
    needed |= {Access(group_of(kind[0]), plurals[kind], verb) for kind in watched for verb in ("list", "watch")}
    if any(kind in POD_MAKERS for _api_version, kind in waited_for):
        needed |= {Access("", "pods", verb) for verb in ("list", "watch")}
    if ("v1", "Namespace") in waited_for:
        # Pods cannot start before their namespace's default ServiceAccount is there.
        needed |= {Access("", "serviceaccounts", verb) for verb in ("list", "watch")}
    if cleans_up:
        needed.add(Access("", "namespaces", "delete"))
    return sorted(needed)
