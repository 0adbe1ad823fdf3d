# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The exceptions of the local cluster; each message is one line that a user can act on."""

from __future__ import annotations

from ..errors import KubestressError


class LocalClusterError(KubestressError):
    """Base class; the module fails with its message."""


class SettingsError(LocalClusterError):
    """An option has a value that cannot be used. Nothing was created."""


class BuildError(LocalClusterError):
    """A program could not be found, built or written to the cache."""


class PortTakenError(LocalClusterError):
    """Another process listens on a port of the cluster."""


class PartCrashedError(LocalClusterError):
    """A part of the cluster ended while it was needed; the message names its log."""


class NotReadyError(LocalClusterError):
    """The cluster runs but did not become ready in time."""


class ForeignFolderError(LocalClusterError):
    """The data folder has files that do not belong to a local cluster; nothing was changed."""
