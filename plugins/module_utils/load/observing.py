# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who reads the cluster beside a batch, in the batch's own process and within its limits."""

from __future__ import annotations

import time

from ..cluster.client import Cluster
from ..measure.pods import PodBook
from ..observe.arguments import Intervals
from ..observe.observation import ObservationFile
from ..observe.observer import Observer
from ..observe.parts import standard_parts
from .batch_settings import BatchSettings


def batch_observer(settings: BatchSettings, cluster: Cluster, pods: PodBook) -> Observer:
    """The observer of a batch; one that asks nothing if that is not wanted or has no place to be written to."""
    name = "-".join(fragment.role for fragment in settings.fragments)
    intervals, folder = settings.observe, settings.results_dir
    if intervals is None or folder is None:
        return Observer([], run_id=settings.run_id, name=name, intervals=Intervals(), file=None)
    namespaces = frozenset(settings.namespaces)
    parts = standard_parts(cluster, pods, intervals=intervals, started=time.monotonic(), namespaces=lambda: namespaces)
    file = ObservationFile(folder, name)
    return Observer(parts, run_id=settings.run_id, name=name, intervals=intervals, file=file)
