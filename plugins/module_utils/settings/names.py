# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Unknown variable names: which are typing errors, which belong to other software, and what was probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: Similarity from which a name counts as a typing error of another: one or two letters in a name of ten.
CLOSE = 0.85

#: With a prefix of ours, and not settings: which hosts the playbooks run on, and the artifacts that an AWX workflow
#: hands on to its next job as extra vars.
_FOR_USERS = frozenset(
    {
        "kubestress_hosts",
        "kubestress_summary",
        "kubestress_capacity",
        "kubestress_image",
        "kubestress_storage",
        "kubestress_storage_watch",
    }
)
#: Variables that the collection's own playbooks and roles set. An extra var of the same name would take their place.
_OWN_NAMES = frozenset(
    {
        "accelerator_run_checked",
        "accelerator_run_image",
        "accelerator_run_is_local",
        "accelerator_run_manifest",
        "accelerator_run_settled",
        "capacity_check",
        "capacity_checks",
        "capacity_is_local",
        "capacity_judged",
        "capacity_planned",
        "capacity_round",
        "capacity_search",
        "cleanup_checked",
        "cleanup_is_local",
        "cleanup_old_run",
        "cleanup_result",
        "cleanup_results",
        "cleanup_runs",
        "compare_checked",
        "compare_result",
        "run_batch",
        *(f"kubestress_accelerator_run_{name}" for name in ("alone", "builds", "image", "named", "offline", "unnamed")),
        "kubestress_accelerator_run_whole",
        "kubestress_defaults",
        "kubestress_plan",
        "kubestress_run",
        "kubestress_settings",
        "kubestress_values",
        "local_cluster_checked",
        "local_cluster_result",
        "must_gather_checked",
        "must_gather_collected",
        "must_gather_result",
        "observe_result",
        "preflight_result",
        "report_checked",
        "report_result",
        "run_result",
        "storage_checked",
        "storage_is_local",
        "storage_watch_is_local",
        "storage_result",
        "storage_watch_result",
    }
)


@dataclass(frozen=True, kw_only=True)
class Findings:
    """One line for each unknown name: `problems` refuse the run, `warnings` are only shown."""

    problems: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def is_unset(value: Any) -> bool:
    """Whether a value stands for "not given": an AWX survey sends "" for a question left open."""
    return value is None or (isinstance(value, str) and not value.strip())


def nearest(name: str, known: Iterable[str], *, cutoff: float = 0.6) -> str | None:
    """The known name that is most like `name`, if one is at all."""
    found = difflib.get_close_matches(name, known, n=1, cutoff=cutoff)
    return found[0] if found else None


def known_names_text(name: str, known: Collection[str]) -> str:
    """Names to choose from, the likeliest first: "did you mean safe? Known are danger, high, safe"."""
    guess = nearest(name, known)
    listed = f"known are {', '.join(sorted(known))}"
    return f"did you mean {guess}? {listed.capitalize()}" if guess else listed


def unknown_in_profile(values: Iterable[str], known: Collection[str], *, source: str) -> list[str]:
    """A line for each name that a profile sets and no role has."""
    return [
        f"{name}: {source} sets it, and no role has such a variable{_guess(name, known)}"
        for name in sorted(set(values) - set(known))
    ]


def unknown_names(
    present: Iterable[str],
    *,
    known: Collection[str],
    prefixes: Collection[str],
    extra_vars: Mapping[str, Any],
    refuse: bool = True,
) -> Findings:
    """Look for names that were meant for one of our roles, none of which has such a variable.

    `present`: all variables of the host, `extra_vars`: those of the command line or the AWX template, `prefixes`:
    such as "namespaces_". A name with one of these prefixes is refused if it is an extra var or almost a known name;
    otherwise it may belong to the playbook that uses our roles, and there is only a warning. What our own tasks set is
    refused as an extra var. An extra var without such
    a prefix is refused if it is almost a known name ("namespace_total"). Without `refuse` there are only warnings.
    """
    problems, warnings = [], []
    allowed = {*known, *_FOR_USERS}
    unknown = {*present, *extra_vars} - {*allowed, *_OWN_NAMES}
    unknown |= _OWN_NAMES & extra_vars.keys() - allowed
    for name in sorted(unknown):
        ours, given = name.startswith(tuple(prefixes)), name in extra_vars
        if not (ours or given):
            continue
        typing_error = nearest(name, known, cutoff=CLOSE) is not None
        line = (
            f"{name}: set by kubestress.core itself, and an extra var would take its place"
            if name in _OWN_NAMES
            else f"{name}: no role of kubestress.core has such a variable{_guess(name, known)}"
        )
        if refuse and (typing_error or (ours and given)):
            problems.append(f"{line} (run_unknown_variables=warn lets it pass if it is meant for something else)")
        elif typing_error or ours:
            warnings.append(line)
    return Findings(problems=tuple(problems), warnings=tuple(warnings))


def _guess(name: str, known: Collection[str]) -> str:
    guess = nearest(name, known, cutoff=0.7)
    return f"; did you mean {guess}?" if guess else ""
