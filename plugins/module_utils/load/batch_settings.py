# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a batch is told to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..observe.arguments import Intervals
from .plan import Fragment


@dataclass(frozen=True, kw_only=True)
class BatchSettings:
    """What a batch is to do; the module's options, checked. Times are in seconds.

    `observe` None observes nothing beside it; without `results_dir` there is no place for an observation either.
    """

    auth: dict[str, Any]
    run_id: str
    fragments: list[Fragment]
    namespaces: list[str]
    first_index: int = 1
    existing: frozenset[str] = frozenset()
    parallel: int = 10
    state: str = "present"
    patch_type: str = "merge"
    max_concurrent: int = 50
    qps: float = 0.0
    burst: int = 0
    request_timeout_seconds: float = 60.0
    retry_deadline_seconds: float = 120.0
    wait: bool = True
    wait_timeout_seconds: float = 0.0
    observe: Intervals | None = None
    results_dir: Path | None = None
    ledger: Path | None = None
    progress: Path | None = None

    @property
    def requested(self) -> Counter[str]:
        """Objects by kind, over all namespaces. Namespaces that exist already are not made."""
        total: Counter[str] = Counter()
        for fragment in self.fragments:
            number = len(self.namespaces)
            if fragment.makes_namespace:
                number = sum(1 for name in self.namespaces if name not in self.existing)
            for (_api_version, kind), count in fragment.kinds.items():
                total[kind] += count * fragment.count * number
        return total

    @property
    def ceiling_active_pods(self) -> int:
        """Job pods that may run at once: namespaces * unfinished Jobs * parallelism."""
        return len(self.namespaces) * sum(
            (min(fragment.active, fragment.count) or fragment.count) * fragment.parallelism
            for fragment in self.fragments
        )
