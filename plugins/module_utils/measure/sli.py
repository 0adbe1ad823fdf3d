# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Kubernetes' official SLI from an API server's histogram, and its service levels. No I/O.

The service levels are SIG Scalability's, which excludes watches and other connections that stay open.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from .exposition import Buckets, Series, add_to, bucket_of, count, grouped, quantile, rounded

MUTATING = frozenset({"POST", "PUT", "PATCH", "APPLY", "DELETE", "DELETECOLLECTION"})
_CALLS = MUTATING | {"GET", "LIST"}
#: Requests whose duration depends on the client.
_STREAMING = frozenset({"attach", "exec", "log", "portforward", "proxy"})
_KEYS = ("verb", "group", "resource", "subresource", "scope")
_MUTATING_LIMIT_SECONDS = 1.0
_READ_LIMIT_SECONDS = {"resource": 1.0, "namespace": 30.0, "cluster": 30.0}
_STARTUP_LIMIT_SECONDS = 5.0
#: Timestamps of Kubernetes are whole seconds, so that a difference of two is wrong by less than this.
_STARTUP_ERROR_SECONDS = 1.0


def sli_rows(counted: Mapping[Series, float]) -> list[dict[str, Any]]:
    """`api_server.sli` from the buckets of apiserver_request_sli_duration_seconds, the row of most calls first.

    Versions of a group are one row. What is no resource, such as /healthz, is left out.
    """
    rows = [_sli_row(key, buckets) for key, buckets in grouped(counted, _KEYS).items() if _is_call(key)]
    return sorted(rows, key=lambda row: (-row["count"], *(row[name] for name in _KEYS)))


def _is_call(key: tuple[str, ...]) -> bool:
    verb, _group, resource, subresource, _scope = key
    return verb in _CALLS and bool(resource) and subresource not in _STREAMING


def _sli_row(key: tuple[str, ...], buckets: Buckets) -> dict[str, Any]:
    bounds = bucket_of(buckets, 99)
    return {
        **dict(zip(_KEYS, key, strict=True)),
        "count": count(buckets),
        **{f"p{percent}_s": rounded(quantile(buckets, percent)) for percent in (50, 90, 99)},
        "p99_bucket_s": None if bounds is None else list(bounds),
        "buckets": {_le(bound): int(buckets[bound]) for bound in sorted(buckets)},
    }


def _le(bound: float) -> str:
    return "+Inf" if math.isinf(bound) else f"{bound:g}"


# -- service levels ---------------------------------------------------------------------------------------------------


def service_levels(api_server: Mapping[str, Any] | None, startup: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """`slo` of the summary, from its `api_server` and the `startup` of its `pods`; what was missed comes first.

    One row for each resource and verb that was changed and each resource and scope that was read, and one for pods.
    `met` None means that the figures do not tell, and the statement why.
    """
    rows = [*_of_calls(api_server or {}), _of_startup(startup or {})]
    return sorted(rows, key=lambda row: (row["met"] is not False, row["met"] is None, -(row["p99_s"] or 0)))


def _of_calls(api_server: Mapping[str, Any]) -> list[dict[str, Any]]:
    mutating: dict[tuple[str, str, str], Buckets] = {}
    reading: dict[tuple[str, str, str], Buckets] = {}
    scopes: dict[tuple[str, str, str], set[str]] = defaultdict(set)
    for row in api_server.get("sli") or ():
        is_change = row["verb"] in MUTATING
        key = ("" if is_change else row["scope"], row["verb"] if is_change else "", resource_name(row))
        scopes[key].add(row["scope"])
        for le, value in row["buckets"].items():
            add_to((mutating if is_change else reading).setdefault(key, {}), le, value)
    where = _window_words(api_server)
    rows = []
    for (_scope, verb, resource), buckets in mutating.items():
        scope = "/".join(sorted(scopes["", verb, resource]))
        rows.append(_call_row("mutating API calls", verb, resource, scope, buckets, _MUTATING_LIMIT_SECONDS, where))
    for (scope, _verb, resource), buckets in reading.items():
        limit = _READ_LIMIT_SECONDS.get(scope, max(_READ_LIMIT_SECONDS.values()))
        rows.append(_call_row("read-only API calls", None, resource, scope, buckets, limit, where))
    for name, there in (("mutating API calls", mutating), ("read-only API calls", reading)):
        if not there:
            rows.append(_no_data(name, _why_no_calls(api_server)))
    return rows


def resource_name(row: Mapping[str, Any]) -> str:
    """Such as "deployments.apps/scale", from the group, resource and subresource of a row."""
    name = f"{row['resource']}.{row['group']}" if row["group"] else str(row["resource"])
    return f"{name}/{row['subresource']}" if row["subresource"] else name


def _call_row(
    name: str, verb: str | None, resource: str, scope: str, buckets: Buckets, limit: float, where: str
) -> dict[str, Any]:
    bounds = bucket_of(buckets, 99) or (0.0, None)
    low, high = bounds
    if high is not None and high <= limit:
        met: bool | None = True
    else:
        met = False if low >= limit else None
    calls = count(buckets)
    spoken = f"{verb or 'reading'} {resource} ({scope or 'no scope'})"
    text = f"p99 of {spoken} was {_between(low, high)} over {calls:,} call{'s' * (calls != 1)} {where}"
    doubt = ", which lies inside that bucket, so these figures do not tell" if met is None else ""
    return {
        "name": name,
        "verb": verb,
        "resource": resource,
        "scope": scope,
        "count": calls,
        "p99_s": rounded(quantile(buckets, 99)),
        "limit_s": limit,
        "met": met,
        "statement": f"{text}; the service level allows {limit:g} s{doubt}",
    }


def _between(low: float, high: float | None) -> str:
    if high is None:
        return f"more than {low:g} s"
    return f"between {low:g} and {high:g} s" if low else f"at most {high:g} s"


def _window_words(api_server: Mapping[str, Any]) -> str:
    """Of which time and which servers a figure is."""
    window = api_server.get("window") or {}
    try:
        seconds = (datetime.fromisoformat(window["to"]) - datetime.fromisoformat(window["from"])).total_seconds()
        words = f"in this run's {seconds:,.0f} s"
    except (KeyError, TypeError, ValueError):
        words = "in this run"
    servers = api_server.get("servers")
    counted = sum(bool(each.get("counted", True)) for each in api_server.get("instances") or ())
    return f"{words}, on {counted} of {servers} API servers" if servers and counted < servers else words


def _why_no_calls(api_server: Mapping[str, Any]) -> str:
    if not api_server:
        return "the API server was not observed"
    return api_server.get("cause") or "the API server counted no such calls"


def _no_data(name: str, cause: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("verb", "resource", "scope", "count", "p99_s"))
    limit = _STARTUP_LIMIT_SECONDS if name == "pod start-up" else _MUTATING_LIMIT_SECONDS
    return {"name": name, **nothing, "limit_s": limit, "met": None, "statement": f"no data: {cause}"}


def _of_startup(startup: Mapping[str, Any]) -> dict[str, Any]:
    total = (startup.get("stateless") or {}).get("total") or {}
    p99 = total.get("p99_s")
    if p99 is None:
        return _no_data("pod start-up", "no stateless pod was seen to become ready")
    limit, error = _STARTUP_LIMIT_SECONDS, _STARTUP_ERROR_SECONDS
    pods = total["count"]
    text = (
        f"p99 from created to ready of stateless pods was {p99:g} s, give or take {error:g} s, over {pods:,} "
        f"pod{'s' * (pods != 1)} in this run; the service level allows {limit:g} s"
    )
    if p99 + error <= limit:
        met: bool | None = True
    elif p99 - error >= limit:
        met = False
        text += ", and leaves out image pulls and init containers, which are in this figure"
    else:
        met = None
        text += ", and Kubernetes' whole seconds do not tell on which side this is"
    row = _no_data("pod start-up", "")
    return row | {"resource": "pods", "count": pods, "p99_s": p99, "met": met, "statement": text}
