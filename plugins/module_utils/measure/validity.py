# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a run's figures can be trusted: one sentence for each thing that may have distorted them. No I/O.

Each statement has a state: `good`; `limited`, valid with the restriction it describes; `poor`, unreliable; `no data`.
The trust in the run is the worst of the first three, because a figure that is missing makes no other figure wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

GOOD, LIMITED, POOR, NO_DATA = "good", "limited", "poor", "no data"
_ORDER = (GOOD, LIMITED, POOR)

#: Parts of all scrapes of an API server that may fail, of all requests that may be retries.
_FEW_SCRAPES, _MANY_SCRAPES = 0.1, 0.5
_MANY_RETRIES = 0.05
#: Of one core: a generator above this has no time left; and the part of all seconds that may be so.
_SATURATED_SHARE, _BUSY_PART = 0.9, 0.05
#: Milliseconds by which the generator may be late at its work, in 99 of 100 cases.
_LAG_NOTICED_MS, _LAG_LARGE_MS = 50, 500
#: Seconds of load: in less, rates and percentiles rest on little, and nodes and API server are read once or never.
_SHORT_SECONDS = 5.0
#: Kinds that run pods.
_RUN_PODS = frozenset({"Pod", "ReplicaSet", "Deployment", "StatefulSet", "DaemonSet", "Job", "ReplicationController"})
#: Part of the run's time that its requests, one after the other, waited for the rate that the settings allow.
_HELD_BACK = 0.1
#: Milliseconds: pods' own times have whole seconds, so less skew than that is not seen in them.
_SKEW_SEEN_MS, _SKEW_LARGE_MS = 1_000, 10_000

Statement = dict[str, str]
Part = Mapping[str, Any] | None  # pylint: disable=unsupported-binary-operation
_NOT_REAL = "ran nothing, nothing was really killed, and what they show of processes and memory is no evidence"


def validity_of(
    summary: Mapping[str, Any],
    *,
    broken: Sequence[str] = (),
    warnings: Sequence[str] = (),
    kinds: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """`trust` and `statements` about a summary.

    `broken` are lines on measurements that are lost or half, `warnings` those of the measuring parts; `kinds` are the
    cluster's nodes as preflight counted them, each with `simulated` and `count`.
    """
    server, nodes = summary.get("api_server"), summary.get("nodes")
    statements = [
        _measurements(summary, broken),
        *_length(summary.get("client")),
        _client(summary.get("client")),
        _own_limits(summary["rate"], summary.get("client")),
        _retries(summary),
        _watches(summary),
        *_outages(summary.get("outages")),
        *_controllers(summary.get("controllers")),
        *_server(server),
        _etcd(summary["rate"]),
        _kubelets(nodes),
        _events(summary.get("events")),
        _skew(summary.get("skew")),
        *_nodes_clocks(summary["pods"].get("clock_backwards")),
        *_service_checks(summary.get("connectivity")),
        *simulated_statement(summary, kinds=kinds),
        *(_said("warning", LIMITED, text) for text in warnings),
    ]
    return {"trust": trust_of(one["state"] for one in statements), "statements": statements}


def trust_of(states: Iterable[str]) -> str:
    """The worst of the states that say something."""
    return max((state for state in states if state in _ORDER), key=_ORDER.index, default=GOOD)


def _said(about: str, state: str, text: str) -> Statement:
    sentence = " ".join(text.split())
    return {"about": about, "state": state, "text": sentence if sentence.endswith(".") else f"{sentence}."}


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number:,} x {cause}" for cause, number in counts.items() if number)


def _measurements(summary: Mapping[str, Any], broken: Sequence[str]) -> Statement:
    about = "measurements"
    if broken:
        return _said(about, POOR, "Measurements are missing or half: " + "; ".join(broken))
    if not summary["objects"] and not summary.get("api_server") and not summary.get("nodes"):
        return _said(about, POOR, "Nothing was measured")
    return _said(about, GOOD, "All that measured came to its end, and all of it was read")


def _length(client: Part) -> Iterator[Statement]:
    """How long the load took, where that is known."""
    seconds = (client or {}).get("wall_seconds")
    if seconds is None:
        return
    text = f"The load took {seconds:,.1f} s"
    if seconds < _SHORT_SECONDS:
        text += f", less than {_SHORT_SECONDS:g} s: rates and percentiles of so short a time say little"
    yield _said("length", LIMITED if seconds < _SHORT_SECONDS else GOOD, text)


def _client(client: Part) -> Statement:
    """A client without time to spare measures its own queue."""
    about = "load generator"
    share = (client or {}).get("cpu_share")
    if client is None or share is None:
        return _said(about, NO_DATA, "How busy the load generator was is not known")
    wall, lag = client.get("wall_seconds") or 0, client.get("loop_lag_p99_ms")
    busy = client.get("busy_seconds") or 0
    text = f"The load generator used {share:.2f} of one core and was saturated in {busy:,} of {wall:,.0f} s"
    if lag is not None:
        text += f"; 99 of 100 times it was at most {lag:,.0f} ms late"
    if share >= _SATURATED_SHARE or (lag or 0) >= _LAG_LARGE_MS:
        return _said(
            about, POOR, text + ": the client's latencies include its own waiting, and a faster one would do more"
        )
    if busy > _BUSY_PART * wall or (lag or 0) >= _LAG_NOTICED_MS:
        return _said(about, LIMITED, text + ": the client's latencies include some waiting of its own")
    return _said(about, GOOD, text)


def _own_limits(rate: Mapping[str, Any], client: Part) -> Statement:
    about = "own limits"
    waits = rate.get("limit_wait_seconds") or {}
    held, placed = waits.get("rate"), waits.get("in_flight")
    if held is None and placed is None:
        return _said(about, NO_DATA, "How long requests waited on the run's own limits is not known")
    text = f"Requests waited {placed or 0:,.1f} s in all for a place in flight and {held or 0:,.1f} s for the rate"
    if (held or 0) > _HELD_BACK * ((client or {}).get("wall_seconds") or 0):
        return _said(about, LIMITED, text + ": objects per second are what run_qps allows, not what the cluster can do")
    return _said(about, GOOD, text + "; this is in no latency")


def _retries(summary: Mapping[str, Any]) -> Statement:
    about = "retries"
    retries = summary["rate"]["retries"]
    number = sum(retries.values())
    counted = sum(row["count"] or 0 for kinds in summary["requests"].values() for row in kinds.values())
    sent = summary["rate"].get("requests") or counted
    if not sent:
        return _said(about, NO_DATA, "No request was counted")
    if not number:
        return _said(about, GOOD, "No request had to be sent again")
    text = f"{number:,} requests were sent again after failures that pass ({_counted(retries)}), of {sent:,} in all"
    if number > _MANY_RETRIES * sent:
        return _said(about, LIMITED, text + ": the load was not the one that was asked for")
    return _said(about, GOOD, text)


def _watches(summary: Mapping[str, Any]) -> Statement:
    about = "watches"
    breaks = summary["rate"].get("watch_breaks") or {}
    if not summary["objects"] and summary["pods"]["succeeded"] is None:
        return _said(about, NO_DATA, "Nobody watched what became of the objects")
    if not sum(breaks.values()):
        return _said(about, GOOD, "No watch was interrupted")
    text = f"Watches were interrupted ({_counted(breaks)}) and taken up again"
    return _said(
        about, LIMITED, text + ": what happened in between was seen late, or not at all where pods came and went"
    )


def _outages(outages: Part) -> Iterator[Statement]:
    if outages is None:
        return
    about, number = "outages", outages["number"] or 0
    held = outages.get("held_seconds") or 0
    if not number:
        yield _said(about, GOOD, "The API server could be reached all the time")
        return
    text = (
        f"The API server could not be reached {'once' if number == 1 else f'{number:,} times'}, for "
        f"{outages['seconds']:,.0f} s in all; it was waited for, and no deadline ran for {held:,.0f} s"
    )
    yield _said(about, LIMITED, text + ": times and rates include the waiting")


def _controllers(controllers: Part) -> Iterator[Statement]:
    if controllers is None:
        return
    about, rows = "controllers", controllers["silences"]
    if controllers["source"] == "none":
        yield _said(about, NO_DATA, f"Whether the controllers were alive is not known: {controllers['cause']}")
        return
    if not rows:
        yield _said(about, GOOD, "The controllers that hold a lease in kube-system renewed it all the time")
        return
    silent = ", ".join(f"{row['controller']} for {row['seconds']:,.0f} s" for row in rows)
    yield _said(about, LIMITED, f"Not all controllers renewed their lease: {silent}; what they look after stood still")


def _server(server: Part) -> Iterator[Statement]:
    about = "API server"
    if server is None or server["source"] == "none":
        cause = f": {server['cause']}" if server and server.get("cause") else ": nobody observed"
        yield _said(about, NO_DATA, f"There are no figures of the API server's own{cause}")
        return
    failed, good = sum(server["failed_scrapes"].values()), server["scrapes"] or 0
    part = failed / (failed + good) if failed + good else 0
    state = GOOD if part <= _FEW_SCRAPES else LIMITED if part <= _MANY_SCRAPES else POOR
    missing = f", {failed:,} failed ({_counted(server['failed_scrapes'])})" if failed else ""
    yield _said(about, state, f"The API server's metrics were read {good:,} times{missing}")
    if server["restarted"]:
        text = "It restarted while it was observed: its counters began again, so what it counted before is incomplete"
        yield _said("API server restart", POOR, text)
    yield _servers(server)


def _servers(server: Mapping[str, Any]) -> Statement:
    about, number = "API servers", server["servers"]
    if number is None:
        return _said(about, NO_DATA, "How many API servers stand behind the address could not be read")
    if number <= 1:
        return _said(about, GOOD, "One API server stands behind the address, so its counters are of all requests")
    text = f"{number} API servers stand behind the address; {len(server['instances'])} of them answered the readings"
    return _said(
        about, LIMITED, text + ", and their counters are not mixed: server figures are of a part of the requests"
    )


def _etcd(rate: Mapping[str, Any]) -> Statement:
    about = "etcd"
    known = sum((rate.get(name) or {}).get("etcd", 0) for name in ("retries", "errors"))
    if known:
        text = "The API server answered with errors of etcd (a change of its leader, or no answer): it was disturbed"
        return _said(about, LIMITED, text)
    return _said(
        about, NO_DATA, "Whether etcd restarted cannot be seen through the API server; no request failed by it"
    )


def _kubelets(nodes: Part) -> Statement:
    about = "kubelets"
    if nodes is None:
        return _said(about, NO_DATA, "There are no figures of nodes: nobody observed")
    if nodes["source"] == "none":
        return _said(about, NO_DATA, f"There are no figures of nodes: {nodes.get('cause') or 'no kubelet told any'}")
    told = nodes["seen"] - nodes["simulated"] - nodes["silent"]
    text = f"{told:,} kubelets told of their nodes"
    missing = [f"{nodes['silent']:,} were silent"] if nodes["silent"] else []
    missing += [f"{nodes['not_asked']:,} were not asked"] if nodes["not_asked"] else []
    if missing:
        return _said(about, LIMITED, f"{text}, {', '.join(missing)}: peaks may have been higher on the others")
    return _said(about, GOOD, text)


def _events(events: Part) -> Statement:
    about = "events"
    if events is None or events["source"] == "none":
        cause = events.get("cause") if events else None
        return _said(about, NO_DATA, f"Warning events were not watched: {cause or 'nobody observed'}")
    return _said(about, GOOD, "Warning events were watched")


def _skew(skew: Part) -> Statement:
    about = "clock skew"
    estimate = (skew or {}).get("estimate_ms")
    if skew is None or estimate is None:
        return _said(about, NO_DATA, "How far the API server's clock is from this machine's is not known")
    error = skew.get("error_ms")
    bounds = "" if error is None else f", give or take {error:,.0f} ms"
    text = (
        f"The API server's clock is {abs(estimate):,.0f} ms {'ahead of' if estimate >= 0 else 'behind'} this machine's"
    )
    apart = max(0.0, abs(estimate) - (error or 0))
    state = GOOD if apart < _SKEW_SEEN_MS else LIMITED if apart < _SKEW_LARGE_MS else POOR
    reading = "" if state == GOOD else ": times of the two are not to be compared"
    return _said(about, state, text + bounds + reading)


def _nodes_clocks(backwards: int | None) -> Iterator[Statement]:
    """Stages of pods that ended before they began, by the times that two machines wrote into them."""
    if backwards:
        text = f"{backwards:,} stages of pods end before they begin, by their own times: the nodes' clocks disagree"
        yield _said("clocks of nodes", LIMITED, text + ", and such a stage counts as 0 s")


def _service_checks(checks: Part) -> Iterator[Statement]:
    """At most one statement; none where no Services were checked."""
    if checks is None:
        return
    about = "times of Services"
    told, pods = checks["told"] or 0, checks["pods"] or 0
    if checks["source"] == "none":
        yield _said(about, NO_DATA, f"There are no times of requests to Services: {checks['cause']}")
    elif told < pods:
        yield _said(about, LIMITED, f"Of the {pods:,} pods that checked Services {told:,} told their times")
    else:
        yield _said(about, GOOD, f"Pods that checked Services: {pods:,}; all told their times")


def simulated_statement(summary: Mapping[str, Any], *, kinds: Sequence[Mapping[str, Any]]) -> list[dict[str, str]]:
    """At most one statement, about the pods of this run; none if no pod was on a simulated node.

    What observers saw of the nodes with the run's pods goes before `kinds`, which are all nodes of the cluster: there
    the run may have been kept to some of them.
    """
    if not has_pods(summary):
        return []
    text, state = _text(summary.get("nodes") or {}, kinds)
    return [{"about": "simulated nodes", "state": state, "text": text}] if text else []


def has_pods(summary: Mapping[str, Any]) -> bool:
    """Whether the run had pods of its own, by what is known of them."""
    pods, nodes = summary["pods"], summary.get("nodes") or {}
    counted = (pods.get("succeeded"), pods.get("failed"), pods.get("startup_p50_s"), nodes.get("seen"))
    # In a short run nobody may have seen a pod of what was made.
    made = any(
        (row.get("created") or 0) + (row.get("unchanged") or 0)
        for kind, row in (summary.get("objects") or {}).items()
        if kind in _RUN_PODS
    )
    return any(value for value in counted) or bool(pods.get("worst")) or pods.get("startup_p50_s") is not None or made


def _text(nodes: Mapping[str, Any], kinds: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """The sentence and its state; ("", "") where there is nothing to say."""
    of_cluster = {bool(kind.get("simulated")) for kind in kinds}
    if of_cluster == {True}:
        return f"All nodes of the cluster are simulated: their pods {_NOT_REAL}.", "limited"
    if of_cluster == {False}:
        return "", ""
    seen, simulated = nodes.get("seen") or 0, nodes.get("simulated") or 0
    # A node that told of processes is real, whether or not its Node could be read.
    unlooked = nodes.get("not_asked") or 0
    unknown = unlooked + (nodes.get("unknown") or 0)
    if seen and not unknown:
        if not simulated:
            return "", ""
        if simulated == seen:
            return f"This run's pods were on simulated nodes only: they {_NOT_REAL}.", "limited"
    if simulated:
        others = f", and of {unknown:,} it is not known" if unknown else ""
        seen_as = f"Of {seen + unlooked:,} nodes with this run's pods at least {simulated:,} are simulated{others}"
        return f"{seen_as}: their pods {_NOT_REAL}.", "limited"
    if of_cluster == {True, False} and (unknown or not seen):
        text = (
            "The cluster has simulated nodes beside real ones, and which of them this run's pods were on is not known"
        )
        return f"{text}: some of them may have run nothing.", "limited"
    if not kinds and (unknown or not seen):
        # As for an account that may not read nodes.
        return "Whether this run's nodes are real is not known: pods of simulated ones run nothing.", NO_DATA
    return "", ""
