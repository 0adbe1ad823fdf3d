# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Builds: which pods are some, and their timeline. No I/O."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from .tally import Build
from .times import rfc3339

_SUFFIX = "-build"
#: Labels of OpenShift's builds, and of this collection's.
_LABELS = {"openshift.io/build.name": None, "type": "build-job"}
#: Builds that the timeline lists.
MAX_LISTED = 1_000


def is_build(name: str, labels: Mapping[str, Any] | None = None) -> bool:
    """Whether a pod or Job is a build, by its name ({service}-{component}-{version}-s-1-build) or its labels."""
    if name.endswith(_SUFFIX):
        return True
    found = labels or {}
    return any(key in found and value in (None, found[key]) for key, value in _LABELS.items())


def timeline(builds: Mapping[tuple[str, str], Build], jobs: Mapping[str, str], *, newest: int) -> dict[str, Any]:
    """Counts, how many ran at once, intervals between starts and lengths in seconds; a figure is None without data.

    A build that nothing ends runs until `newest`, the last that the gather tells.
    """
    spans = {key: (_begin(one), one) for key, one in builds.items()}
    starts: dict[str, list[int]] = defaultdict(list)
    for (namespace, _name), (begin, _build) in spans.items():
        if begin is not None:
            starts[namespace].append(begin)
    gaps = [
        later - earlier
        for times in starts.values()
        for earlier, later in zip(sorted(times), sorted(times)[1:], strict=False)
    ]
    lengths = [
        one.finished - begin
        for begin, one in spans.values()
        if begin is not None and one.finished is not None and one.finished >= begin
    ]
    peak, peak_at = _peak(spans.values(), newest)
    listed = sorted(builds.items(), key=lambda item: (_begin(item[1]) or 0, item[0]))
    return {
        **_counts(builds.values()),
        "peak_at_once": peak,
        "peak_at": _time(peak_at),
        "first": _time(
            min((first for one in builds.values() if (first := _known_first(one)) is not None), default=None)
        ),
        "by_namespace": {
            namespace: _counts(one for (where, _name), one in builds.items() if where == namespace)
            for namespace in sorted({namespace for namespace, _name in builds})
        },
        "intervals_s": spread(gaps),
        "lengths_s": spread(lengths),
        "causes": dict(Counter(one.cause for one in builds.values() if one.cause).most_common()),
        "jobs": dict(Counter(jobs.values()).most_common()),
        "timeline": [
            {
                "namespace": namespace,
                "name": name,
                "created": _time(one.created),
                "started": _time(one.started),
                "finished": _time(one.finished),
                "failed": one.failed,
                "cause": one.cause or None,
            }
            for (namespace, name), one in listed[:MAX_LISTED]
        ],
    }


def _counts(builds: Iterable[Build]) -> dict[str, int]:
    known = list(builds)
    return {
        "created": len(known),
        "started": sum(one.started is not None for one in known),
        "finished": sum(one.finished is not None for one in known),
        "failed": sum(one.failed for one in known),
    }


def _begin(build: Build) -> int | None:
    return build.started if build.started is not None else build.created


def _known_first(build: Build) -> int | None:
    return build.created if build.created is not None else build.started


def _peak(spans: Iterable[tuple[int | None, Build]], newest: int) -> tuple[int | None, int | None]:
    """The most that ran at once, and since when; None if no build has a time."""
    changes: Counter[int] = Counter()
    for begin, one in spans:
        if begin is not None:
            changes[begin] += 1
            changes[max(begin, one.finished if one.finished is not None else newest) + 1] -= 1
    now, peak, since = 0, None, None
    for stamp in sorted(changes):
        now += changes[stamp]
        if peak is None or now > peak:
            peak, since = now, stamp
    return peak, since


def spread(values: list[int]) -> dict[str, float] | None:
    """`min`, `median` and `max`; None of nothing."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)} if values else None


def _time(stamp: int | None) -> str | None:
    return None if stamp is None else rfc3339(stamp)
