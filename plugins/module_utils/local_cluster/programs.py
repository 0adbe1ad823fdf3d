# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs of one cluster: those it was started from, or else found, or else built."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .binaries import Binary, find_binaries, provide_binaries
from .build import GoBuilder
from .settings import Settings
from .state import State, fixed_settings
from .upstreams import CONTROL_PLANE, NODE_PROGRAMS, PARTS_OF_A_CLUSTER, STORAGE_PROGRAMS


class Programs:
    """The programs that the settings need."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.names = [
            *CONTROL_PLANE,
            *(NODE_PROGRAMS if settings.real_node else ()),
            *(STORAGE_PROGRAMS if settings.storage else ()),
            *settings.controllers,
            *(["kubectl"] if settings.kubectl else []),
        ]

    def pinned(self) -> dict[str, str]:
        """The versions in our go.mod files, by module."""
        return {upstream.module: upstream.version(self.settings.sources_dir) for upstream in PARTS_OF_A_CLUSTER}

    def recorded(self, state: State) -> dict[str, Binary]:
        """The programs the cluster was started from, unless the pinned versions or binaries_dir have changed.

        So a running cluster is not restarted because of a new program on the PATH.
        """
        binaries_dir = fixed_settings(self.settings)["binaries_dir"]
        if state.pinned != self.pinned() or state.settings.get("binaries_dir") != binaries_dir:
            return {}
        return {name: item for name, item in state.binaries.items() if item.path.exists()}

    def available(self, state: State) -> dict[str, Binary]:
        """The programs that need no build."""
        known = self.recorded(state)
        missing = [name for name in self.names if name not in known]
        if not missing:
            return known
        settings = self.settings
        return known | find_binaries(
            missing,
            sources_dir=settings.sources_dir,
            cache_dir=settings.cache_dir,
            binaries_dir=settings.binaries_dir,
        )

    def missing(self, state: State) -> list[str]:
        """The programs that have to be built."""
        available = self.available(state)
        return [name for name in self.names if name not in available]

    def all(self, state: State) -> dict[str, Binary]:
        """Every program; missing ones are built.

        :raises BuildError: if that fails.
        """
        known = self.recorded(state)
        missing = [name for name in self.names if name not in known]
        return known | (self._provide(missing) if missing else {})

    def _provide(self, names: Sequence[str]) -> dict[str, Binary]:
        settings = self.settings
        builder = GoBuilder(
            cache_dir=settings.cache_dir, sources_dir=settings.sources_dir, timeout_seconds=settings.build_timeout
        )
        return provide_binaries(
            names,
            sources_dir=settings.sources_dir,
            cache_dir=settings.cache_dir,
            binaries_dir=settings.binaries_dir,
            builder=builder,
        )


def describe(binaries: Mapping[str, Binary]) -> dict[str, dict[str, Any]]:
    """As the module returns them."""
    return {
        name: {"path": str(item.path), "version": item.version, "source": item.source}
        for name, item in sorted(binaries.items())
    }
