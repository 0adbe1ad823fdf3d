# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch would do, as check mode tells it: what of its plan is there already, by one list of each kind."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import chain

from ..cluster.client import Cluster
from ..cluster.discovery import Resource
from ..cluster.errors import NotFound
from ..cluster.inventory import read_each
from ..cluster.labels import run_selector
from ..cluster.watch import METADATA_ONLY, key_of
from ..errors import KubestressError
from ..plan.fragment import Fragment
from ..plan.names import planned_names
from .ledger import WITH_TTL, Ledger

Key = tuple[str, str]
Resources = Mapping[tuple[str, str], Resource]

#: The result for an object to patch that is not there. The run fails on it, unless an earlier task makes it first.
MISSING = "missing"
#: What becomes of an object that is there, and of one that is not.
_RESULTS = {"present": ("unchanged", "created"), "patched": ("patched", MISSING), "absent": ("deleted", "unchanged")}
_NAMESPACE = ("v1", "Namespace")


class UnseenError(KubestressError):
    """What exists cannot be listed, so nothing can be said of what is missing."""


async def foreseen(
    cluster: Cluster,
    resources: Resources,
    fragments: Sequence[Fragment],
    *,
    unserved: Collection[tuple[str, str]] = (),
    run_id: str,
    namespaces: Sequence[tuple[int, str]],
    existing: frozenset[str],
    state: str,
    ledger: Ledger,
) -> Iterator[tuple[str, str, str, str]]:
    """For each object of the plan its kind, namespace, name and result, in the words of an Outcome, or MISSING.

    Raises ClusterError, or UnseenError where the objects of the run may not be listed.
    """
    names = [name for _index, name in namespaces]
    there: dict[tuple[str, str], dict[Key, str]] = {}
    for kind, resource in resources.items():
        # Of a kind that the plan itself defines, nothing exists before its definition does.
        there[kind] = {} if kind in unserved else await _of_run(cluster, resource, run_id=run_id, namespaces=names)
    making = [fragment for fragment in fragments if not fragment.patch]
    patching = [fragment for fragment in fragments if fragment.patch]
    results = _results(resources, there, planned_names(making, namespaces, existing=existing), state, ledger)
    # What a fragment patches, an earlier one makes: it is there by then.
    patched = ((kind, place, name, "patched") for _version, kind, place, name in planned_names(patching, namespaces))
    return chain(results, patched)


def _results(
    resources: Resources,
    there: Mapping[tuple[str, str], Mapping[Key, str]],
    planned: Iterator[tuple[str, str, str, str]],
    state: str,
    ledger: Ledger,
) -> Iterator[tuple[str, str, str, str]]:
    if_there, if_not = _RESULTS[state]
    for api_version, kind, namespace, name in planned:
        resource = resources[api_version, kind]
        found = (namespace if resource.namespaced else "", name) in there[api_version, kind]
        if not found and kind in WITH_TTL and state == "present":
            # One that its TTL has removed is not made again.
            uid = there.get(_NAMESPACE, {}).get(("", namespace), "")
            found = ledger.find(namespace=namespace, namespace_uid=uid, name=name, kind=kind) is not None
        yield kind, namespace, name, if_there if found else if_not


async def _of_run(cluster: Cluster, resource: Resource, *, run_id: str, namespaces: Sequence[str]) -> dict[Key, str]:
    """(namespace, name) and uid of the objects of one kind that carry the run's labels."""
    found: dict[Key, str] = {}

    async def read(path: str) -> str | None:
        try:
            return await read_each(
                cluster,
                path,
                lambda item: found.update({key_of(item): item["metadata"]["uid"]}),
                query={"labelSelector": run_selector(run_id)},
                accept=METADATA_ONLY,
                begin_again=found.clear,
            )
        except NotFound:
            # The server does not have the kind yet, as where the batch defines it: nothing of it exists.
            return None

    cause = await read(resource.path())
    if cause and resource.namespaced:
        # An account that has its own namespaces only.
        for namespace in namespaces:
            cause = await read(resource.path(namespace))
            if cause:
                break
    if cause:
        raise UnseenError(f"check mode has to know which {resource.plural} of the run exist: {cause}")
    return found
