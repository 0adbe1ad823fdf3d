# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A part of a cluster: one process, its files, its ports, and how to find out that it is ready.

A tier of the cluster is a list of parts. The supervisor, which starts, watches and ends them, needs to know no more.
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

    `ready_url` answers 200 when the part is ready; `ready_with_token` if that needs a token. Parts without a URL create
    `ready_file` when they are ready. `after` are the parts that must be ready before this one is started. `files` are
    configuration files with their content, written before the start. `server` is the API server whose client it is. A
    running part is outdated when its command line, files or server change. `replaceable`: it may be restarted in a
    running cluster without loss. `ports` are by option name.

    `inside` are the namespaces of the part `node` in which it is started. `forks`: the command only waits for a child,
    which is the part. `before` is called before the start, and `afterwards`, with the pid, when the part is ready.
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
        """A hash of command line and configuration."""
        texts = [*self.command, self.server]
        for path, content in sorted(self.files.items()):
            texts += [str(path), content]
        return hashlib.sha256("\0".join(texts).encode()).hexdigest()

    def write_files(self) -> None:
        """Write the part's configuration files."""
        for path, content in self.files.items():
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            path.write_text(content)
