# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The observer of a batch: what is read beside it, in its own event loop."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol

from ..cluster.client import Cluster
from ..cluster.scopes import Scopes
from ..measure.pods import PodBook
from ..observe.arguments import Intervals
from ..observe.events import EventPart
from ..observe.observer import ObservationFile, Observer
from ..observe.parts import standard_parts
from ..plan.fragment import Fragment
from .guarding import Guarding


class Observed(Protocol):
    """What the observer takes of a batch's settings, as load.batch.BatchSettings has it."""

    @property
    def run_id(self) -> str:
        """The run."""

    @property
    def namespaces(self) -> Iterable[str]:
        """Their names."""

    @property
    def observe(self) -> Intervals | None:
        """How often what is read; None for nothing."""

    @property
    def results_dir(self) -> Path | None:
        """Where the observation goes."""


def batch_observer(
    settings: Observed,
    fragments: Iterable[Fragment],
    cluster: Cluster,
    pods: PodBook,
    scopes: Scopes,
    guarding: Guarding,
) -> Observer:
    """The observer of a batch; without a wish for one, or a place for its file, one that asks nothing.

    The events that it counts are told to the guard as well.
    """
    name = "-".join(fragment.role for fragment in fragments)
    intervals, folder = settings.observe, settings.results_dir
    if intervals is None or folder is None:
        return Observer([], run_id=settings.run_id, name=name, intervals=Intervals(), file=None)
    namespaces = frozenset(settings.namespaces)
    parts = standard_parts(
        cluster,
        pods,
        scopes,
        intervals=intervals,
        started=time.monotonic(),
        namespaces=lambda: namespaces,
        heard=guarding.heard,
    )
    guarding.events = next(part for part in parts if isinstance(part, EventPart))
    file = ObservationFile(folder, name)
    return Observer(parts, run_id=settings.run_id, name=name, intervals=intervals, file=file)
