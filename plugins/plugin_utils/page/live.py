# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a page says while its subject goes on: when it was written, when it will be again, and how far a run is.

Any page can be live: give `Live` to the template (`live_of`) and to the page's data, and write the page again and again
until it is written without. An open page loads itself anew, keeps its place, and stays as it is once it is not live.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .formats import counted, date, instant, length, percent, seconds_from, things
from .model import DONE, NO_DATA, Figure, Head, at

#: Writings that a page may miss before it says that nobody writes it any more.
_MISSED = 3
#: Seconds that one writing may take on a machine that has no time for the lowest priority.
_SLACK_SECONDS = 60.0


@dataclass(frozen=True, kw_only=True)
class Live:
    """A page that is written again after `every_seconds`; `written` is RFC 3339.

    `what` goes on meanwhile, such as "run". `otherwise` is the sentence on what to do where it ended without a last
    page. `paced`: whether the page is written so often; if not, only at some event, its age says nothing.
    """

    written: str
    every_seconds: float
    what: str
    otherwise: str
    paced: bool = True

    @property
    def stale_seconds(self) -> float | None:
        """The age above which the page says that nobody writes it any more; None if its age says nothing."""
        return _MISSED * self.every_seconds + _SLACK_SECONDS if self.paced else None


def live_of(live: Live | None) -> dict[str, Any] | None:
    """What the macros `refresh` and `live_note` show."""
    if live is None:
        return None
    every = f"every {live.every_seconds:.0f} seconds" if live.paced else "as it comes forward"
    return {
        "seconds": max(1, round(live.every_seconds)),
        "note": f"Written at {date(live.written)}, and again {every} while the {live.what} goes on. "
        f"What is \u201cno data\u201d may still come.",
        "what": live.what,
        "otherwise": live.otherwise,
    }


def live_title(summary: Mapping[str, Any]) -> str:
    """The word in the browser's tab: how far the run is."""
    share = share_done(summary)
    return "running" if share is None else f"running, {percent(share)}"


def live_data(live: Live | None) -> dict[str, Any] | None:
    """What the page's script goes by: times in seconds, `written` since 1970."""
    if live is None:
        return None
    written = instant(live.written)
    return {
        "written": None if written is None else round(written.timestamp(), 1),
        "every": live.every_seconds,
        "stale": live.stale_seconds,
    }


def share_done(summary: Mapping[str, Any]) -> float | None:
    """The share of the run's objects that are ready, or have failed; of those that nobody waits for, that are stored.

    None before the first measurements. Jobs are ready when they are complete.
    """
    kinds = list((summary.get("objects") or {}).values())
    requested = sum(one.get("requested") or 0 for one in kinds)
    if not requested:
        return None
    done = sum(_stored(one) if one.get("ready") is None else one["ready"] for one in kinds)
    failed = sum(one.get("failed") or 0 for one in kinds) + (at(summary, "jobs", "failed") or 0)
    return min(1.0, (done + failed) / requested)


def _stored(counts: Mapping[str, Any]) -> int:
    return sum(counts.get(name) or 0 for name in DONE)


def so_far(figures: Sequence[Figure]) -> list[Figure]:
    """Key figures of a run that goes on: why one is missing is told in the end."""
    return [replace(one, detail="not yet") if one.value == NO_DATA else one for one in figures]


def running_head(summary: Mapping[str, Any], run: Mapping[str, Any], *, live: Live, at_work: bool) -> Head:
    """The verdict's place while there is none: how far the run is, and what went wrong until now.

    `at_work`: a batch sends or waits; otherwise the load has not begun, or has ended.
    """
    lasted = seconds_from(summary.get("started"), live.written)
    if not summary.get("objects"):
        begun = "The plan was compared with the cluster" if run.get("preflight") else "The settings were checked"
        sentence = f"{begun}; the load has not begun."
    elif at_work:
        sentence = _so_far(summary)
    else:
        sentence = f"{_so_far(summary)} The load has ended; the report is being made."
    return Head(
        verdict=summary["verdict"],
        sentence=sentence + (f" {length(lasted)} so far." if lasted is not None else ""),
        reasons=_troubles(summary),
        trust="not known before the end",
        doubts=[],
    )


def _so_far(summary: Mapping[str, Any]) -> str:
    kinds = list((summary.get("objects") or {}).values())
    requested = sum(one.get("requested") or 0 for one in kinds)
    parts = [f"{sum(_stored(one) for one in kinds):,} of {things(requested, 'object')} stored"]
    jobs = at(summary, "objects", "Job", "requested")
    if jobs and at(summary, "jobs", "complete") is not None:
        ended = summary["jobs"]["complete"] + (summary["jobs"].get("failed") or 0)
        parts.append(f"{ended:,} of {things(jobs, 'Job')} ended")
    if (succeeded := at(summary, "pods", "succeeded")) is not None and jobs:
        parts.append(f"{things(succeeded, 'build pod')} succeeded")
    return ", ".join(parts) + "."


def _troubles(summary: Mapping[str, Any]) -> list[str]:
    """What has failed until now, one line each."""
    kinds = summary.get("objects") or {}
    lines = [f"{kind}: {one['failed']:,} failed" for kind, one in kinds.items() if one.get("failed")]
    if failed := at(summary, "jobs", "failed"):
        lines.append(f"{things(failed, 'Job')} failed")
    if failed := at(summary, "pods", "failed"):
        lines.append(f"{things(failed, 'pod')} failed: {counted(at(summary, 'pods', 'causes'), most=3)}")
    outages = at(summary, "outages", "list") or ()
    if outages:
        now = "" if outages[-1].get("over") else ", and cannot be now"
        lines.append(f"the API server could not be reached {things(len(outages), 'time')}{now}")
    return lines
