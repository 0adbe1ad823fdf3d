# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `runs_info`: which runs have objects on a cluster, since when, how many, and what made them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from ..cluster.arguments import check_limits
from ..cluster.client import Cluster
from ..cluster.discovery import Resource, served
from ..cluster.errors import ClusterError, NotFound
from ..cluster.inventory import read_each
from ..cluster.labels import LABEL_MANAGED_BY, LABEL_ROLE, LABEL_RUN_ID, MANAGED_BY
from ..cluster.watch import METADATA_ONLY
from ..errors import KubestressError, ModuleFailed
from ..results.table import columns, shortened
from ..settings.roles.cleanup import ROLE as CLEANUP
from ..text import duration_text
from .opening import open_cluster
from .survey import is_mirror, list_deadline, plural_name

#: Namespaces named of one run; the total is returned too.
_NAMED = 20
#: Kinds in a line of the table.
_KINDS = 3
_SELECTOR = f"{LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_RUN_ID}"
#: Who asked OpenShift for a namespace.
_REQUESTER = "openshift.io/requester"


@dataclass
class Run:
    """What a cluster has of one run.

    `started` and `last_created`: when its first object was made, and the last one that has no controller; what
    controllers replace, such as pods, says nothing of the run. `made_by`: programs, as their requests called them, and
    users, where something recorded them.
    """

    run_id: str
    objects: Counter[str] = field(default_factory=Counter)
    namespaces: set[str] = field(default_factory=set)
    roles: set[str] = field(default_factory=set)
    made_by: set[str] = field(default_factory=set)
    started: str = ""
    last_created: str = ""

    def add(self, kind: str, metadata: Mapping[str, Any]) -> None:
        """Count one object."""
        self.objects[kind] += 1
        namespace = metadata["name"] if kind == "Namespace" else metadata.get("namespace")
        if namespace:
            self.namespaces.add(namespace)
        created = metadata.get("creationTimestamp") or ""
        # Times of the API server all have the same form, so they sort as text.
        self.started = min(filter(None, (self.started, created)), default="")
        if any(owner.get("controller") for owner in metadata.get("ownerReferences") or ()):
            return
        self.last_created = max(self.last_created, created)
        role = (metadata.get("labels") or {}).get(LABEL_ROLE)
        if role:
            self.roles.add(role)
        self.made_by.update(_makers(metadata))

    def merge(self, other: Run) -> None:
        """Count all of what another list has of the same run."""
        self.objects += other.objects
        self.namespaces |= other.namespaces
        self.roles |= other.roles
        self.made_by |= other.made_by
        self.started = min(filter(None, (self.started, other.started)), default="")
        self.last_created = max(self.last_created, other.last_created)

    def row(self, now: datetime) -> dict[str, Any]:
        """As the module returns it."""
        return {
            "run_id": self.run_id,
            "started": self.started or None,
            "last_created": self.last_created or None,
            "age_seconds": _age(self.started, now),
            "idle_seconds": _age(self.last_created or self.started, now),
            "objects": dict(sorted(self.objects.items(), key=lambda entry: (-entry[1], entry[0]))),
            "objects_total": self.objects.total(),
            "namespaces": sorted(self.namespaces)[:_NAMED],
            "namespaces_total": len(self.namespaces),
            "roles": sorted(self.roles),
            "made_by": sorted(self.made_by),
        }


def _makers(metadata: Mapping[str, Any]) -> list[str]:
    fields = [entry for entry in metadata.get("managedFields") or () if entry.get("manager")]
    first = min(fields, key=lambda entry: entry.get("time") or "", default=None)
    user = (metadata.get("annotations") or {}).get(_REQUESTER)
    return [name for name in (user, first and first["manager"]) if name]


def _age(time: str, now: datetime) -> int | None:
    try:
        return max(0, int((now - datetime.fromisoformat(time)).total_seconds()))
    except ValueError:
        return None


class RunsReader:
    """Lists metadata of all kinds that can be deleted. `namespaces` are listed one by one where all may not be."""

    def __init__(self, cluster: Cluster, *, namespaces: Sequence[str]) -> None:
        self._cluster = cluster
        self._namespaces = namespaces
        #: "plural.group" or group/version -> why it could not be listed.
        self.unlisted: dict[str, str] = {}
        self._runs: dict[str, Run] = {}

    async def read(self) -> list[Run]:
        """The runs, those that were started last first. Raises ClusterError if nothing can be read."""
        catalog = await served(self._cluster)
        self.unlisted = dict(catalog.unavailable)
        wanted = [resource for resource in catalog.with_verbs("list", "delete") if not is_mirror(resource)]
        await asyncio.gather(*(self._read_kind(resource) for resource in wanted))
        return sorted(self._runs.values(), key=lambda run: (run.started, run.run_id), reverse=True)

    async def _read_kind(self, resource: Resource) -> None:
        parts = [await self._read_list(resource, "")]
        if parts[0][1] is not None and resource.namespaced and self._namespaces:
            # Instead of what could be read of all: nothing must count twice.
            parts = [await self._read_list(resource, namespace) for namespace in self._namespaces]
        for found, cause in parts:
            for run_id, part in found.items():
                self._runs.setdefault(run_id, Run(run_id)).merge(part)
            if cause is not None:
                self.unlisted[plural_name(resource)] = cause

    async def _read_list(self, resource: Resource, namespace: str) -> tuple[dict[str, Run], str | None]:
        """The runs of a list, and why it is not complete; None if it is."""
        found: dict[str, Run] = {}

        def take(item: Mapping[str, Any]) -> None:
            run_id = item["metadata"]["labels"][LABEL_RUN_ID]
            found.setdefault(run_id, Run(run_id)).add(resource.kind, item["metadata"])

        try:
            cause = await read_each(
                self._cluster,
                resource.path(namespace),
                take,
                query={"labelSelector": _SELECTOR},
                budget_seconds=list_deadline(resource),
                accept=METADATA_ONLY,
                begin_again=found.clear,
            )
        except NotFound:
            return {}, None
        except ClusterError as error:
            return found, str(error)
        return found, cause


def run_module(params: Mapping[str, Any]) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed."""
    try:
        check_limits(params)
        CLEANUP["cleanup_older_than"].check("older_than", params["older_than"])
        return asyncio.run(_run(params))
    except ModuleFailed:
        raise
    except KubestressError as error:
        raise ModuleFailed(str(error)) from error


async def _run(params: Mapping[str, Any]) -> dict[str, Any]:
    async with await open_cluster(params) as cluster:
        await cluster.version()
        now = _clock((await cluster.request("GET", "/version")).date)
        reader = RunsReader(cluster, namespaces=params["namespaces"])
        rows = [run.row(now) for run in await reader.read()]
    older_than, number = params["older_than"], len(rows)
    if older_than is not None:
        if reader.unlisted and not params["accept_unseen"]:
            raise ModuleFailed(_unseen(reader.unlisted), {"unlisted": reader.unlisted})
        rows = [row for row in rows if row["idle_seconds"] is not None and row["idle_seconds"] >= older_than]
    table = runs_table(rows, all_seen=not reader.unlisted)
    if number and not rows:
        table = [_none_so_old(number, older_than)]
    return {"changed": False, "runs": rows, "unlisted": reader.unlisted, "table": table}


def _none_so_old(number: int, older_than: int) -> str:
    """No run was chosen, but that is not to say that there is none."""
    found = "1 run has" if number == 1 else f"{number:,} runs have"
    return f"no run is old enough: {found} objects here, but nothing that was idle for {duration_text(older_than)}"


def _clock(date: str | None) -> datetime:
    """The server's time, by which it dates objects."""
    return parsedate_to_datetime(date) if date else datetime.now(UTC)


def _unseen(unlisted: Mapping[str, str]) -> str:
    kind, cause = next(iter(unlisted.items()))
    more = f", and {len(unlisted) - 1} more kinds" if len(unlisted) > 1 else ""
    return (
        f"it is not known how old the runs are, because {kind} could not be listed ({shortened(cause, 150)}){more}; "
        "accept_unseen: true goes by what could be"
    )


def runs_table(rows: Sequence[Mapping[str, Any]], *, all_seen: bool = True) -> list[str]:
    """The runs as lines for people; with not `all_seen`, there may be more than these."""
    if not rows:
        return ["no run has objects here" if all_seen else "no run is seen here; not every kind could be listed"]
    cells = [("run", "started", "age", "last object", "namespaces", "objects"), *(_cells(row) for row in rows)]
    texts = columns(cells, align="lrrrrr", indent=0)
    lines = [texts[0]]
    for row, text in zip(rows, texts[1:], strict=True):
        kinds = [f"{number:,} {kind}" for kind, number in list(row["objects"].items())[:_KINDS]]
        kinds += [f"{len(row['objects']) - _KINDS} more kinds"] if len(row["objects"]) > _KINDS else []
        by = f"; made by {', '.join(row['made_by'])}" if row["made_by"] else ""
        roles = f"; roles {', '.join(row['roles'])}" if row["roles"] else ""
        lines += [text, shortened(f"    {', '.join(kinds)}{roles}{by}", 200)]
    return lines


def _cells(row: Mapping[str, Any]) -> tuple[str, ...]:
    ages = (_ago(row["age_seconds"]), f"{_ago(row['idle_seconds'])} ago")
    return row["run_id"], row["started"] or "-", *ages, f"{row['namespaces_total']:,}", f"{row['objects_total']:,}"


def _ago(seconds: int | None) -> str:
    return "?" if seconds is None else duration_text(seconds)
