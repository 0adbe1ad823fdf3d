# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a watch: a scan's, and its own. Bad input is one line, before anything is begun."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ModuleFailed
from ..settings.roles.storage import ROLE
from ..storage.options import Options, checked

#: Files in the folder `dest`.
EVENTS, METRICS, DOCUMENT, PROCESS = "events.jsonl", "metrics.prom", "storage.json", ".storage_watch.process"
STARTED, STOPPED, FOREGROUND = "started", "stopped", "foreground"
_RANGES = ("max_seconds", "max_events", "resync_interval", "metrics_interval", "http_port")


@dataclass(frozen=True, kw_only=True)
class WatchOptions:
    """Checked options. `scan` chooses what is watched, and how it is judged; a limit of 0 is none."""

    scan: Options
    dest: Path
    metrics_file: Path
    metrics_per_object: bool
    max_seconds: float
    max_events: int
    resync_seconds: float
    metrics_seconds: float
    http_address: str
    http_port: int

    @property
    def events_file(self) -> Path:
        """The JSON lines."""
        return self.dest / EVENTS

    @property
    def document_file(self) -> Path:
        """The whole, as of the newest list of everything and of the end."""
        return self.dest / DOCUMENT

    @property
    def state_file(self) -> Path:
        """What identifies the process."""
        return self.dest / PROCESS

    @property
    def files(self) -> list[str]:
        """All that is written for users."""
        return [str(path) for path in (self.events_file, self.metrics_file, self.document_file)]

    def told(self) -> dict[str, Any]:
        """For the first line, and to tell one watch from another; has no secrets."""
        return {
            **self.scan.told(),
            "metrics_file": str(self.metrics_file),
            "metrics_per_object": self.metrics_per_object,
            "max_seconds": self.max_seconds,
            "max_events": self.max_events,
            "resync_interval": self.resync_seconds,
            "metrics_interval": self.metrics_seconds,
            "http_address": self.http_address,
            "http_port": self.http_port,
        }


def checked_watch(params: Mapping[str, Any]) -> WatchOptions:
    """The options of the module. Raises ModuleFailed, and SettingError for a number out of its range."""
    if not params["dest"]:
        raise ModuleFailed("dest: is empty; name a folder for the files")
    dest = _path(params["dest"])
    metrics_file = _path(params["metrics_file"]) if params["metrics_file"] else dest / METRICS
    if metrics_file.suffix != ".prom":
        raise ModuleFailed(
            f"metrics_file: {str(metrics_file)!r}; allowed are names that end with .prom, because node exporter reads "
            "no others"
        )
    for option in _RANGES:
        ROLE[f"storage_watch_{option}"].check(option, params[option])
    if params["state"] == FOREGROUND and not (params["max_seconds"] or params["max_events"]):
        raise ModuleFailed("max_seconds: 0 and max_events: 0; in the foreground, one of them has to end the watch")
    return WatchOptions(
        scan=checked({**params, "strict": False, "formats": []}),
        dest=dest,
        metrics_file=metrics_file,
        metrics_per_object=params["metrics_per_object"],
        max_seconds=params["max_seconds"],
        max_events=params["max_events"],
        resync_seconds=params["resync_interval"],
        metrics_seconds=params["metrics_interval"],
        http_address=_address(params["http_address"]),
        http_port=params["http_port"],
    )


def _path(text: str) -> Path:
    return Path(os.path.abspath(os.path.expanduser(text)))


def _address(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError as error:
        raise ModuleFailed(
            f"http_address: {text!r}; allowed are IP addresses, such as 127.0.0.1, or 0.0.0.0 for all of this host"
        ) from error


def is_loopback(address: str) -> bool:
    """Whether only this host can reach it."""
    return ipaddress.ip_address(address).is_loopback
