# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What can go wrong with the local cluster: one family, each message one line that a user can act on."""

from __future__ import annotations

from ..errors import KubestressError


class LocalClusterError(KubestressError):
    """Root of the family; the module turns it into its one failure."""


class SettingsError(LocalClusterError):
    """An option has a value that cannot be used. Nothing was created."""


class BuildError(LocalClusterError):
    """A binary could not be found, built or put into the cache."""


class PortTakenError(LocalClusterError):
    """Another process listens where a part of the cluster has to."""


class PartCrashedError(LocalClusterError):
    """A part of the cluster ended while it was needed; the message names its log."""


class NotReadyError(LocalClusterError):
    """The cluster runs but did not become ready in time."""


class ForeignFolderError(LocalClusterError):
    """The data folder holds files that are not a local cluster's; nothing in it was touched."""
