# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What identifies a run: its id, and the hash of its settings, which is the same for the same load."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Any

#: Letters and digits that nobody mistakes for one another.
_SUFFIX_LETTERS = "bcdfghjkmnpqrstvwxz23456789"
_SUFFIX_LENGTH = 5

#: Settings of where a run writes and what it is allowed, not of what it does: the same load has the same hash.
_NOT_HASHED = frozenset(
    {
        "run_environment",
        "run_id",
        "run_log_file",
        "run_log_level",
        "run_profile_fixed",
        "run_profile_required",
        "run_results_dir",
        "run_unknown_variables",
    }
)
_NOT_HASHED_PREFIXES = ("accelerator_run_", "cleanup_", "observe_", "preflight_", "report_")


def new_run_id(now: datetime) -> str:
    """An id such as 20261121-043642-k3fzq: sorted by time, unique among those of one second (1 in 14 million)."""
    suffix = "".join(secrets.choice(_SUFFIX_LETTERS) for _letter in range(_SUFFIX_LENGTH))
    return f"{now:%Y%m%d-%H%M%S}-{suffix}"


def is_of_load(name: str) -> bool:
    """Whether the setting says what a run does, not where its files are or what it was allowed."""
    return name not in _NOT_HASHED and not name.startswith(_NOT_HASHED_PREFIXES)


def settings_hash(settings: Mapping[str, Any]) -> str:
    """SHA-256, in hexadecimal, of the effective settings as JSON with sorted names.

    It leaves out settings of where the run's files are and what it was allowed. The cluster is not a setting. Nor does
    it matter that namespaces are called like their run, which is another one each time.
    """
    counted = {name: value for name, value in settings.items() if is_of_load(name)}
    if settings.get("run_id") and counted.get("namespaces_prefix") == settings["run_id"]:
        del counted["namespaces_prefix"]
    text = json.dumps(counted, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
