# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tables of the load: objects, requests as measured by the client and by the API server, and service levels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .formats import count, counted, figure, length, milliseconds, number, percent, seconds, size, things, words
from .model import BAD, DONE, FAINT, GOOD, NO_DATA, PLAIN, WARN, Cell, Section, Table, at, columns

_NOTHING_SENT = "no batch left measurements."
#: Rows of the API server's own figures; a cluster with many kinds has hundreds, most of them not from this run.
_MAX_SERVER_ROWS = 150


def levels_section(summary: Mapping[str, Any]) -> Section:
    """The service levels of Kubernetes, as far as they were measured."""
    levels = summary.get("slo") or []
    judged = [one for one in levels if one.get("met") is not None]
    broken = sum(1 for one in judged if not one["met"])
    if not judged:
        cause = at(summary, "api_server", "cause")
        lead, tone = "No data: no service level was measured" + (f" ({cause})" if cause else "") + ".", FAINT
    elif broken:
        lead, tone = f"{broken:,} of {things(len(judged), 'service level')} missed in this run.", BAD
    else:
        lead, tone = f"All {things(len(judged), 'measured service level')} met in this run.", GOOD
    rows = [_level(one) for one in sorted(levels, key=lambda one: _LEVEL_ORDER[one.get("met")])]
    table = Table(
        id="slo",
        title="Service levels of Kubernetes",
        columns=columns("Met", "Service level", "Request", "Scope", "#Measured", "#p99", "#Limit"),
        rows=rows,
        note="A service level is defined over a whole day; these figures cover this run only.",
        shown=8,
    )
    stated = [one for one in levels if one.get("statement")]
    in_words = Table(
        id="slo-words",
        title="As sentences",
        columns=columns("Met", "~Statement"),
        rows=[[_met(one), words(one["statement"])] for one in stated],
        folded=True,
    )
    return Section(id="levels", title="Service levels", tables=[table, in_words] if rows else [], lead=lead, tone=tone)


_LEVEL_ORDER = {False: 0, True: 1, None: 2}
_MET = {True: ("met", GOOD), False: ("missed", BAD), None: (NO_DATA, FAINT)}


def _met(one: Mapping[str, Any]) -> Cell:
    text, tone = _MET[one.get("met")]
    return Cell(text=text, tone=tone)


def _level(one: Mapping[str, Any]) -> list[Cell]:
    request = " ".join(str(part) for part in (one.get("verb"), one.get("resource")) if part)
    return [
        _met(one),
        words(one.get("name")),
        words(request),
        words(one.get("scope") or ""),
        figure(one.get("count")),
        figure(one.get("p99_s"), seconds, tone=BAD if one.get("met") is False else PLAIN),
        figure(one.get("limit_s"), seconds),
    ]


def load_section(summary: Mapping[str, Any]) -> Section:
    """Objects and requests by kind, and what slowed the requests down."""
    if not summary.get("objects") and not summary.get("requests"):
        return Section(id="load", title="Load", tables=[], lead=f"No data: {_NOTHING_SENT}", tone=FAINT)
    return Section(id="load", title="Load", tables=[_objects(summary), _requests(summary), _limits(summary)])


def _objects(summary: Mapping[str, Any]) -> Table:
    objects = summary.get("objects") or {}
    names = ["requested", *DONE, "failed", "ready"]
    for name in ("patched", "deleted"):
        if not any(counts.get(name) for counts in objects.values()):
            names.remove(name)
    rows = []
    for kind, counts in objects.items():
        tones = {"failed": BAD if counts.get("failed") else PLAIN, "ready": BAD if counts.get("not_ready") else PLAIN}
        rows.append([words(kind), *(figure(counts.get(name), tone=tones.get(name, PLAIN)) for name in names)])
    return Table(
        id="objects",
        title="Objects by kind",
        columns=columns("Kind", *(f"#{name.capitalize()}" for name in names)),
        rows=rows,
        empty=_NOTHING_SENT,
    )


def _requests(summary: Mapping[str, Any]) -> Table:
    percentiles = ("p50_ms", "p90_ms", "p95_ms", "p99_ms", "max_ms")
    rows = [
        [
            words(verb),
            words(kind),
            figure(row.get("count")),
            figure(row.get("errors"), tone=WARN if row.get("errors") else PLAIN),
            *(figure(row.get(name), milliseconds) for name in percentiles),
        ]
        for verb, kinds in (summary.get("requests") or {}).items()
        for kind, row in kinds.items()
    ]
    return Table(
        id="requests",
        title="Requests as the client measured them",
        columns=columns("Verb", "Kind", "#Attempts", "#Failed", "#p50", "#p90", "#p95", "#p99", "#Max"),
        rows=rows,
        note="From sending to the complete response, including the network. Percentiles are accurate to 1 %.",
        empty=_NOTHING_SENT,
    )


def _limits(summary: Mapping[str, Any]) -> Table:
    rate, client = summary.get("rate") or {}, summary.get("client") or {}
    waits = rate.get("limit_wait_seconds") or {}
    rows = [
        ("Retries by cause", words(counted(rate.get("retries")) or _none_or_no_data(rate, "retries"))),
        ("Failed attempts by cause", words(counted(rate.get("errors")) or _none_or_no_data(rate, "errors"))),
        ("Peak of requests in flight", figure(rate.get("peak_in_flight"))),
        ("Limit on requests in flight", figure(rate.get("max_in_flight"))),
        ("Waited for the limit on requests in flight", figure(waits.get("in_flight"), length)),
        ("Waited for the rate limit", figure(waits.get("rate"), length)),
        ("Load generator CPU, of one core", figure(client.get("cpu_share"), percent)),
        ("CPU time used", figure(client.get("cpu_seconds"), length)),
        ("Seconds at 90 % of a core or more", figure(client.get("busy_seconds"))),
        ("Event loop delay, p99", figure(client.get("loop_lag_p99_ms"), milliseconds)),
        ("Event loop delay, max", figure(client.get("loop_lag_max_ms"), milliseconds)),
        ("Cores of the load generator", figure(client.get("cores"), number)),
    ]
    return Table(
        id="limits",
        title="What slowed the requests down",
        columns=columns("What", "#Figure"),
        rows=[[words(name), cell] for name, cell in rows],
        note="Waits are totals. Many requests wait at once, so a total can exceed the length of the run.",
    )


def _none_or_no_data(rate: Mapping[str, Any], key: str) -> str:
    return "none" if rate.get(key) is not None else NO_DATA


def server_section(summary: Mapping[str, Any]) -> Section:
    """The API server's own figures."""
    server = summary.get("api_server")
    if not server or server.get("source") == "none":
        cause = at(server, "cause") or "the API server's metrics were not read"
        return Section(id="api-server", title="API server", tables=[], lead=f"No data: {cause}.", tone=FAINT)
    scrapes, instances = server.get("scrapes"), server.get("instances") or []
    parts = [f"Read {count(scrapes)} times from {things(len(instances), 'server')}"]
    if (server.get("servers") or 0) > len(instances):
        parts.append(f"{server['servers']:,} are behind the address, so the figures cover part of the load")
    if server.get("failed_scrapes"):
        parts.append(f"failed readings: {counted(server['failed_scrapes'])}")
    if server.get("restarted"):
        parts.append("a server restarted during the run, which reset its counters")
    return Section(
        id="api-server",
        title="API server",
        tables=[_server_figures(server), _sli(server), _flow(server), _etcd(server), _stored(server)],
        lead="; ".join(parts) + ".",
        tone=WARN if server.get("restarted") else PLAIN,
    )


def _server_figures(server: Mapping[str, Any]) -> Table:
    rows = [
        ("CPU time used", figure(server.get("cpu_seconds"), length)),
        ("Peak memory", figure(server.get("resident_bytes_max"), size)),
        ("Peak of mutating requests in flight", figure(at(server, "inflight", "mutating_max"))),
        ("Peak of read-only requests in flight", figure(at(server, "inflight", "read_only_max"))),
    ]
    return Table(
        id="server",
        title="The process",
        columns=columns("What", "#Figure"),
        rows=[[words(name), cell] for name, cell in rows],
    )


def _sli(server: Mapping[str, Any]) -> Table:
    found = sorted(server.get("sli") or (), key=lambda one: -(one.get("p99_s") or 0))
    rows = [
        [
            words(one.get("verb")),
            words("/".join(str(one[key]) for key in ("resource", "subresource") if one.get(key))),
            words(one.get("group") or ""),
            words(one.get("scope")),
            figure(one.get("count")),
            *(figure(one.get(name), seconds) for name in ("p50_s", "p90_s", "p99_s")),
            words(_bucket(one.get("p99_bucket_s"))),
        ]
        for one in found[:_MAX_SERVER_ROWS]
    ]
    note = "Requests of all clients during the run, without watches. Time in webhooks and queues is not included."
    if len(found) > len(rows):
        note += f" The {len(rows):,} slowest of {len(found):,}; all are in summary.json."
    return Table(
        id="sli",
        title="Requests as the API server measured them",
        columns=columns("Verb", "Resource", "Group", "Scope", "#Requests", "#p50", "#p90", "#p99", "p99 bucket"),
        rows=rows,
        note=note,
        empty="No requests in the measured window.",
    )


def _bucket(bounds: Any) -> str:
    if not bounds:
        return ""
    low, high = bounds
    return f"above {seconds(low)}" if high is None else f"{seconds(low)} to {seconds(high)}"


def _flow(server: Mapping[str, Any]) -> Table:
    rows = [
        [
            words(one.get("priority_level")),
            figure(one.get("rejected"), tone=WARN if one.get("rejected") else PLAIN),
            figure(one.get("queued_max")),
            figure(one.get("executing_max"), number),
            figure(one.get("wait_p99_s"), seconds),
        ]
        for one in server.get("flow_control") or ()
    ]
    return Table(
        id="flow",
        title="Priority and fairness",
        columns=columns("Priority level", "#Rejected", "#Peak queued", "#Peak executing", "#Queue wait, p99"),
        rows=rows,
        empty="The metrics have no priority levels.",
        folded=not any(one.get("rejected") for one in server.get("flow_control") or ()),
    )


def _etcd(server: Mapping[str, Any]) -> Table:
    rows = [
        [
            words(one.get("operation")),
            words(one.get("type")),
            figure(one.get("count")),
            figure(one.get("p50_s"), seconds),
            figure(one.get("p99_s"), seconds),
        ]
        for one in sorted(server.get("etcd") or (), key=lambda one: -(one.get("p99_s") or 0))[:_MAX_SERVER_ROWS]
    ]
    return Table(
        id="etcd",
        title="Requests to etcd",
        columns=columns("Operation", "Type", "#Requests", "#p50", "#p99"),
        rows=rows,
        empty="The metrics have nothing on etcd.",
        folded=True,
    )


def _stored(server: Mapping[str, Any]) -> Table:
    rows = []
    for resource, counts in (server.get("objects") or {}).items():
        before, after = counts.get("before"), counts.get("after")
        added = None if before is None or after is None else after - before
        rows.append([words(resource), figure(before), figure(after), figure(added)])
    rows.sort(key=lambda row: -abs(row[3].sort or 0))
    return Table(
        id="stored",
        title="Objects stored in the cluster",
        columns=columns("Resource", "#Before", "#After", "#Difference"),
        rows=rows[:_MAX_SERVER_ROWS],
        empty="The metrics have no object counts.",
        folded=True,
    )
