# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which permissions a run needs, from its settings. Pure: somebody else asks the API server for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..cluster.inventory import Access
from .demand import Demand

#: Kind -> (API group, plural) of what the roles create.
_RESOURCES = {
    "Namespace": ("", "namespaces"),
    "ConfigMap": ("", "configmaps"),
    "Secret": ("", "secrets"),
    "Service": ("", "services"),
    "Pod": ("", "pods"),
    "Deployment": ("apps", "deployments"),
    "StatefulSet": ("apps", "statefulsets"),
    "Job": ("batch", "jobs"),
}
#: What is waited for; the others are ready once they are stored.
_WATCHED = ("Namespace", "Pod", "Deployment", "StatefulSet", "Job")


def needed_access(demand: Demand, settings: Mapping[str, Any]) -> list[Access]:
    """All that the run will ask of the API server, sorted.

    `get` goes with `create`, because a name that exists is looked at before it is called ours.
    """
    created = {kind for kind, number in demand.objects_in_all().items() if number}
    needed = {Access(*_RESOURCES[kind], verb) for kind in created for verb in ("create", "get")}
    watched = {kind for kind in created if kind in _WATCHED} | {"Namespace"} | ({"Pod"} if demand.groups else set())
    needed |= {Access(*_RESOURCES[kind], verb) for kind in watched for verb in ("list", "watch")}
    if demand.groups:
        # Pods cannot start before their namespace's default ServiceAccount is there.
        needed |= {Access("", "serviceaccounts", verb) for verb in ("list", "watch")}
    if settings.get("cleanup_on_completion"):
        needed.add(Access("", "namespaces", "delete"))
    return sorted(needed)
