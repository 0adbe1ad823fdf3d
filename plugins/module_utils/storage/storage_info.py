# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `storage_info`: check its options, scan, write files, and say what was found."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import TYPE_CHECKING, Any

from ..cluster.arguments import auth_options
from ..cluster.client import Cluster
from ..cluster.errors import cluster_error
from ..cluster.retries import RetryPolicy
from ..errors import ModuleFailed
from ..machine.interpreter import rare_garbage_collection
from . import files, scanning
from .document import Report, document, plain, sentence
from .options import Options, checked
from .reading import uncompressed

if TYPE_CHECKING:
    from .backend import Backend

#: Seconds for which one page is retried.
_PAGE_SECONDS = 30.0
#: Requests at once. A few keep the way full, and each connection takes memory and a handshake.
_AT_ONCE = 8


def run_module(params: Mapping[str, Any], *, check_mode: bool = False) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed: bad input, no connection, or with `strict` a part that is not complete."""
    options = checked(params)
    try:
        with rare_garbage_collection():
            report = asyncio.run(scan_cluster(auth_options(dict(params)), options))
    except Exception as error:
        raise ModuleFailed(str(cluster_error(error))) from error
    whole = document(report)
    written = files.write(whole, options.dest, options.formats, only_say=check_mode) if options.dest else []
    result = returned(whole, options.top) | {"files": written}
    if options.strict and not report.complete:
        raise ModuleFailed(f"strict: {result['msg']}", result)
    return result


async def scan_cluster(connection: dict[str, Any], options: Options) -> Report:
    """Connect and scan. Raises ClusterError and ModuleFailed."""
    slots = asyncio.Semaphore(_AT_ONCE)
    cluster = await Cluster.open(connection, retry=RetryPolicy(deadline_seconds=_PAGE_SECONDS), admission=lambda: slots)
    uncompressed(cluster)
    async with cluster:
        return await scan(cluster, options)


async def scan(cluster: Cluster, options: Options) -> Report:
    """The whole scan of one cluster. Raises ClusterError if it does not answer or accept us, and ModuleFailed."""
    async with _backend_of(options) as backend:
        return await scanning.scan(cluster, options, backend)


def _backend_of(options: Options) -> AbstractAsyncContextManager[Backend | None]:
    """The box of the options, None without one. Only then is its code loaded, which is a quarter of the module's."""
    if options.box is None:
        return nullcontext()
    from .backend import backend_of

    return backend_of(options, options.box)


def returned(whole: Mapping[str, Any], top: int) -> dict[str, Any]:
    """The task's result: the document, of its long lists the first `top` rows, and one line for people."""
    result = {
        **whole,
        "findings": whole["findings"][:top],
        "usage": whole["usage"][:top],
        "totals": {name: rows[:top] for name, rows in whole["totals"].items()},
    }
    return {**plain(result), "changed": False, "msg": sentence(whole)}
