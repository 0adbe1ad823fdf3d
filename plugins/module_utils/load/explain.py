# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why objects are not ready: their own status and that of their pods, looked up once the waiting is over."""

from __future__ import annotations

import contextlib
import time

from ..cluster.client import Cluster
from ..cluster.discovery import Discovery
from ..cluster.errors import ClusterError
from ..readiness.registry import cause_of
from .labels import run_selector
from .plan import Fragment
from .standing import Key

#: Objects that are looked up; each costs two requests. The rest keep the cause that the watch has seen.
EXPLAINED_OBJECTS = 20
#: Seconds for all of them: where the API server is gone, nothing is to be learnt by asking on.
_EXPLAINING_SECONDS = 20.0


async def explained(
    rows: list[tuple[str, Key, str]],
    *,
    cluster: Cluster,
    discovery: Discovery,
    fragments: list[Fragment],
    run_id: str,
) -> list[dict[str, str]]:
    """Turn (kind, key, cause) into rows of kind, namespace, name and cause, with causes as good as can be had."""
    versions = {kind: version for fragment in fragments for version, kind in fragment.kinds}
    answer = []
    until = time.monotonic() + _EXPLAINING_SECONDS
    for number, (kind, key, seen) in enumerate(rows):
        cause = seen
        seconds = until - time.monotonic()
        if number < EXPLAINED_OBJECTS and kind != "Namespace" and seconds > 0:
            # Reading more is a courtesy: where it fails, the cause known from the watch stands.
            with contextlib.suppress(ClusterError):
                resource = await discovery.resource(versions[kind], kind)
                found = await cluster.get(resource.path(*key), deadline_seconds=seconds)
                pods = await cluster.get(
                    f"/api/v1/namespaces/{key[0]}/pods",
                    query={"labelSelector": run_selector(run_id), "limit": "200"},
                    deadline_seconds=seconds,
                )
                cause = cause_of(found, pods["items"]) or seen
        answer.append({"kind": kind, "namespace": key[0], "name": key[1], "cause": cause})
    return answer
