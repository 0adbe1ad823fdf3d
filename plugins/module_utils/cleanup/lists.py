# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Lists that are complete, or an exception: what is not in them does not exist."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from ..cluster.client import Cluster
from ..cluster.errors import Gone
from ..cluster.proof import list_of
from ..cluster.watch import METADATA_ONLY, PAGE_SIZE


async def list_metadata(
    cluster: Cluster, path: str, *, query: Mapping[str, str], deadline_seconds: float | None = None
) -> list[dict[str, Any]]:
    """Metadata of all objects of a list. Complete, or an exception: ClusterError."""
    found = await _begun_anew(cluster, path, query, deadline_seconds, one_page=False)
    return [] if found is None else found


async def short_list_metadata(
    cluster: Cluster, path: str, *, query: Mapping[str, str], deadline_seconds: float | None = None
) -> list[dict[str, Any]] | None:
    """As list_metadata; None if there is more than one page."""
    return await _begun_anew(cluster, path, query, deadline_seconds, one_page=True)


async def _begun_anew(
    cluster: Cluster, path: str, query: Mapping[str, str], deadline_seconds: float | None, *, one_page: bool
) -> list[dict[str, Any]] | None:
    """The list, from its beginning each time that the server has forgotten it (410)."""
    allowed = cluster.retry.deadline_seconds if deadline_seconds is None else deadline_seconds
    attempt, spent = 0, 0.0
    while True:
        try:
            return await _pages(cluster, path, query, deadline_seconds, one_page=one_page)
        except Gone:
            attempt += 1
            pause = cluster.retry.pause_seconds(attempt, None)
            spent += pause
            if spent >= allowed:
                raise
            cluster.traffic.retry("410")
            await asyncio.sleep(pause)


async def _pages(
    cluster: Cluster, path: str, query: Mapping[str, str], deadline_seconds: float | None, *, one_page: bool
) -> list[dict[str, Any]] | None:
    found: list[dict[str, Any]] = []
    arguments = {**query, "limit": str(PAGE_SIZE)}
    fixed: dict[str, Any] = {"decode": list_of, "accept": METADATA_ONLY, "deadline_seconds": deadline_seconds}
    while True:
        page = await cluster.get(path, query=arguments, **fixed)
        found += [item["metadata"] for item in page["items"] or ()]
        token = page["metadata"].get("continue")
        if not token:
            return found
        if one_page:
            return None
        arguments["continue"] = token
