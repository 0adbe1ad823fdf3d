# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a part of a cluster is: one process, its files, its ports and how to tell that it is ready.

A tier of the cluster is a list of parts. What starts, watches and ends them (supervisor.py) knows nothing else of them,
so a further tier is a further list.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path


class Inside(Enum):
    """Which namespaces of the real node a part runs in: its network, or all of them."""

    NETWORK = "network"
    NODE = "node"


@dataclass(frozen=True, kw_only=True)
class Part:
    """One process.

    `ready_url` answers 200 when the part is ready; `ready_with_token` if it wants to know who asks. `after` are the
    parts that must be ready before this one is started. `files` are configuration files with their content, written
    before the part is started. `server` is the API server that the part is a client of. When command line, files or
    server change, a running part is outdated. `replaceable` says that it may be restarted under a running cluster,
    because nothing is lost but a moment. `ports` are by option name.

    Where there is nobody to ask, `ready_file` appears when the part is ready. `inside` are the namespaces of the part
    `node` that it is started in. `forks` says that the command only waits for a child that is the part. `before` is
    called before the part is started, and `afterwards`, with its pid, when it is ready.
    """

    name: str
    command: tuple[str, ...]
    ready_url: str = ""
    ready_file: Path | None = None
    ports: Mapping[str, int] = field(default_factory=dict)
    after: tuple[str, ...] = ()
    files: Mapping[Path, str] = field(default_factory=dict)
    server: str = ""
    ready_with_token: bool = False
    replaceable: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    inside: Inside | None = None
    forks: bool = False
    before: Callable[[], None] | None = None
    afterwards: Callable[[int], None] | None = None

    @property
    def fingerprint(self) -> str:
        """The same as long as command line and configuration are the same."""
        texts = [*self.command, self.server]
        for path, content in sorted(self.files.items()):
            texts += [str(path), content]
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()

    def write_files(self) -> None:
        """Write the configuration that the part reads."""
        for path, content in self.files.items():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(content)
