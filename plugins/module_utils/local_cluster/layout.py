# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of one cluster in its data folder."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from .errors import ForeignFolderError

# Marks the folder as ours, so that `absent` may remove it.
MARKER = ".kubestress-local-cluster"


@dataclass(frozen=True)
class Layout:
    """The paths inside a data folder."""

    root: Path

    @property
    def key(self) -> str:
        """A short name of this cluster, the same for all paths to its folder."""
        return hashlib.sha256(os.path.realpath(self.root).encode()).hexdigest()[:16]

    @property
    def marker(self) -> Path:
        """The file that marks the folder as ours."""
        return self.root / MARKER

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig, for users."""
        return self.root / "kubeconfig"

    @property
    def state(self) -> Path:
        """What was started with which settings."""
        return self.root / "state.json"

    @property
    def pki(self) -> Path:
        """Keys, certificates, tokens and the parts' own kubeconfigs."""
        return self.root / "pki"

    @property
    def config(self) -> Path:
        """Configuration files of the parts."""
        return self.root / "config"

    @property
    def stages(self) -> Path:
        """Kwok's Stages."""
        return self.root / "stages"

    @property
    def etcd(self) -> Path:
        """Etcd's data."""
        return self.root / "etcd"

    @property
    def node(self) -> Path:
        """Files of the real node: images, volumes, scripts."""
        return self.root / "node"

    @property
    def csi(self) -> Path:
        """Volumes and snapshots, and the driver's socket."""
        return self.root / "csi"

    @property
    def csi_socket(self) -> Path:
        """The driver's socket."""
        return self.csi / "csi.sock"

    @property
    def logs(self) -> Path:
        """The parts' logs."""
        return self.root / "logs"

    def log(self, part: str) -> Path:
        """The log of one part."""
        return self.logs / f"{part}.log"

    def pid_file(self, part: str) -> Path:
        """The file with the process of one part."""
        return self.root / "run" / f"{part}.json"

    def check_ownership(self) -> None:
        """Make sure that neither start nor removal touches a user's files.

        :raises ForeignFolderError: if the folder has content but is not a cluster's.
        """
        if not self.root.exists():
            return
        if not self.root.is_dir():
            raise ForeignFolderError(f"data_dir {self.root} is not a folder; name another one")
        if self.marker.exists() or not any(self.root.iterdir()):
            return
        raise ForeignFolderError(
            f"data_dir {self.root} has files but no {MARKER}: it is not a local cluster's folder; name another one"
        )

    def create(self) -> None:
        """Create the folders, readable by this user only, because they contain keys."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.marker.touch()
        for folder in (self.pki, self.config, self.logs, self.root / "run"):
            folder.mkdir(exist_ok=True, mode=0o700)
