# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The recorded state of a running cluster, and the report of what a call changed."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from .binaries import Binary
from .settings import Settings

SCHEMA = 1


@dataclass
class State:
    """The content of state.json. `fingerprints` are by part; `settings` are those that only a restart changes."""

    settings: dict[str, Any] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)
    binaries: dict[str, Binary] = field(default_factory=dict)
    pinned: dict[str, str] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> State:
        """What `save` wrote; empty if there is no file, or one of another format."""
        try:
            document = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            return cls()
        if not isinstance(document, dict) or document.get("schema") != SCHEMA:
            return cls()
        binaries = {
            name: Binary(name, Path(item["path"]), item["version"], item["source"])
            for name, item in document["binaries"].items()
        }
        return cls(document["settings"], document["fingerprints"], binaries, document["pinned"])

    def save(self, path: Path) -> None:
        """Write it atomically."""
        document = {"schema": SCHEMA, **asdict(self)}
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(document, indent=2, default=str) + "\n")
        temporary.replace(path)


def fixed_settings(settings: Settings) -> dict[str, Any]:
    """The settings that only a restart changes."""
    binaries_dir = str(settings.binaries_dir) if settings.binaries_dir else None
    fixed = {**settings.ports, "binaries_dir": binaries_dir}
    fixed["real_node"] = settings.real_node
    if settings.real_node:
        # What is mounted on the node is decided when it starts, so storage is added only then.
        fixed |= {name: getattr(settings, name) for name in ("node_network", "real_node_pid_max", "storage")}
    return fixed


@dataclass
class Report:
    """What was done, or would be done in check mode."""

    changes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return bool(self.changes)
