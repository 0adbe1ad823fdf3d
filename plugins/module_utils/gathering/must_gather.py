# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The module `must_gather`: check its parameters, decide how, collect, and say what there is and what is missing."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..cluster.arguments import auth_options
from ..cluster.client import Cluster
from ..cluster.errors import ClusterError
from ..cluster.inventory import serves_group
from ..cluster.limits import Limits
from ..cluster.retries import RetryPolicy
from ..errors import ModuleFailed
from ..machine.progress import Progress
from ..must_gather.notes import PARTIAL
from ..settings.roles.must_gather import ROLE
from ..settings.setting import SettingError
from ..syntax import DNS_LABEL_RULE, is_dns_label
from . import oc
from .bounds import MIB, Bounds
from .collection import Collection, Wanted, counts
from .folder import Folder

#: The option, and the role's variable, as messages name both.
_DEST = "dest"
_RANGES = {
    "since": "must_gather_since",
    "max_size": "must_gather_max_size",
    "max_file_size": "must_gather_max_file_size",
    "time_limit": "must_gather_time_limit",
    "file_timeout": "must_gather_file_timeout",
    "max_concurrent": "must_gather_max_concurrent",
}
#: Seconds for which a list is retried.
_LIST_SECONDS = 30.0
_OPENSHIFT = "config.openshift.io"


def run_module(params: Mapping[str, Any], *, check_mode: bool) -> dict[str, Any]:
    """Run the module. Raises ModuleFailed: bad input, no connection, or nothing that could be read."""
    _check(params)
    folder = Path(os.path.abspath(os.path.expanduser(params["dest"])))
    Folder.check_free(folder, option=_DEST)
    try:
        return asyncio.run(_run(params, folder, check_mode=check_mode))
    except ClusterError as error:
        raise ModuleFailed(str(error)) from error


def _check(params: Mapping[str, Any]) -> None:
    try:
        for option, variable in _RANGES.items():
            ROLE[variable].check(option, params[option])
    except SettingError as error:
        raise ModuleFailed(str(error)) from error
    if params["max_file_size"] > params["max_size"]:
        raise ModuleFailed(
            f"max_file_size: {params['max_file_size']} is more than max_size, which is {params['max_size']}; "
            "a file cannot be larger than the gather"
        )
    if not params["dest"].strip():
        raise ModuleFailed("dest: none is given; the path of a new folder is needed")
    for namespace in params["namespaces"]:
        if not is_dns_label(namespace):
            raise ModuleFailed(f"namespaces: {namespace!r} is no namespace's name; {DNS_LABEL_RULE}")


async def _run(params: Mapping[str, Any], root: Path, *, check_mode: bool) -> dict[str, Any]:
    limits = Limits(max_in_flight=params["max_concurrent"])
    options = auth_options(dict(params))
    began = time.monotonic()
    cluster = await Cluster.open(options, admission=lambda: limits, retry=RetryPolicy(deadline_seconds=_LIST_SECONDS))
    async with cluster:
        version = await cluster.version()
        is_openshift = await _is_openshift(cluster)
        wanted = Wanted(
            namespaces=tuple(dict.fromkeys(params["namespaces"])),
            since_seconds=params["since"],
            time_limit_seconds=params["time_limit"],
            file_seconds=params["file_timeout"],
            workers=params["max_concurrent"],
            oc=_oc(params["oc"], is_openshift=is_openshift),
            is_openshift=is_openshift,
            version=str(version.get("gitVersion", ""))[:100],
            connection=options,
        )
        if check_mode:
            return await _would(cluster, wanted, root, params)
        bounds = Bounds(total_bytes=params["max_size"] * MIB, file_bytes=params["max_file_size"] * MIB)
        about = {
            "server": cluster.connection.host,
            "version": wanted.version,
            "source": "oc and api" if wanted.oc else "api",
            "namespaces": list(wanted.namespaces),
            "bounds": {name: params[name] for name in _RANGES},
        }
        folder = Folder(root, bounds, about=about)
        folder.create(option=_DEST)
        path = params["progress_file"]
        progress = Progress(Path(path) if path else None, total=0, what="nodes and pods")
        stopped = await Collection(cluster, folder, wanted, progress).run()
    notes = folder.finish(stopped)
    return _result(notes, root, seconds=time.monotonic() - began)


async def _is_openshift(cluster: Cluster) -> bool:
    try:
        return await serves_group(cluster, _OPENSHIFT)
    except ClusterError:
        return False  # whoever may not ask for groups collects from the API


def _oc(choice: str, *, is_openshift: bool) -> str | None:
    """The path of oc, if it is to be run. Raises ModuleFailed where it must be and cannot."""
    path = oc.find()
    if choice == "always" and path is None:
        raise ModuleFailed("oc: always, but there is no oc on PATH; install it, or let oc be auto or never")
    if choice == "always" and not is_openshift:
        raise ModuleFailed(f"oc: always, but the cluster is no OpenShift: it has no API group {_OPENSHIFT}")
    return path if choice != "never" and is_openshift else None


async def _would(cluster: Cluster, wanted: Wanted, root: Path, params: Mapping[str, Any]) -> dict[str, Any]:
    """What check mode says."""
    found = await counts(cluster, wanted.namespaces)
    where = f"namespaces {', '.join(wanted.namespaces)}" if wanted.namespaces else "all namespaces"
    told = ", ".join(
        f"{what} {number:,}" if isinstance(number, int) else f"{what} cannot be counted: {number}"
        for what, number in found.items()
    )
    first = f"run {wanted.oc} adm must-gather, and " if wanted.oc else ""
    return {
        "changed": True,
        "path": str(root),
        "source": "oc and api" if wanted.oc else "api",
        "would_collect": found,
        "msg": (
            f"check mode: would {first}collect objects, Events and logs of {where} ({told}) into {root}, at most "
            f"{params['max_size']:,} MiB and {params['time_limit']:g} s"
        ),
    }


def _result(notes: Mapping[str, Any], root: Path, *, seconds: float) -> dict[str, Any]:
    """The module's result. Raises ModuleFailed if nothing was read."""
    missing = notes["missing"]
    read = sum(notes["objects"].values()) + notes["pod_logs"] + notes["node_logs"]
    by_oc = notes["source"] != "api" and bool(notes.get("namespaces_of_oc"))
    if not read and not by_oc:
        cause = notes["stopped"] or "; ".join(f"{row['what']}: {row['cause']}" for row in missing[:3])
        raise ModuleFailed(f"nothing could be read: {cause or 'there is nothing'} (see {root})")
    parts = ", ".join(f"{what} {number:,}" for what, number in notes["objects"].items())
    text = f"collected {parts or 'no objects'}, logs of pods {notes['pod_logs']:,} and of nodes {notes['node_logs']:,}"
    text += f" ({notes['bytes'] / 1e6:,.1f} MB) into {root}"
    if notes["state"] == PARTIAL:
        text += f"; partial: {notes['stopped']}"
    if missing:
        number = sum(row["number"] for row in missing)
        text += f"; missing or not whole: {number:,}, most of all {missing[0]['what']}: {missing[0]['cause']}"
    return {"changed": True, "path": str(root), "seconds": round(seconds, 3), **notes, "msg": text}
