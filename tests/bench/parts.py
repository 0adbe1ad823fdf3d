"""The parts of the bench. Each takes a control plane and returns rows; sizes are in Sizes."""

from __future__ import annotations

import json
import secrets
import shutil
import statistics
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench import h2load, process, workload
from bench.client import measure
from bench.looking import look
from bench.plane import Plane, stub_server
from bench.table import Row, median_row
from bench.task import Measured

MEGABYTE = 1_000_000
#: In every run id and namespace, so that a control plane can be measured on more than once.
RUN = secrets.token_hex(3)
#: Goals: those of the project, see docs/bench.md.
CREATION_SHARE = 0.95
CPU_MS_PER_OBJECT = 0.3
RSS_MB = 60
RSS_MB_MANY = 80
FLATNESS = 1.10
HEADLINE_SHARE = 1.05
PLAYBOOK_SECONDS = 3.0
OBSERVED_SHARE = 0.97
PREFLIGHT_RSS_MB = 80
#: Pods on each node of the clusters that preflight reads.
PODS_PER_NODE = 50


@dataclass(frozen=True, kw_only=True)
class Sizes:
    """How much is measured. The defaults are what the goals are stated for."""

    pairs: int = 3
    creations: int = 4000
    headline_namespaces: int = 100
    many_objects: int = 100_000
    scaling_namespaces: tuple[int, ...] = (10, 100, 1000)
    scaling_config_maps: int = 9
    clusters_pods: tuple[int, ...] = (6_000, 100_000)
    log_bytes: int = 200_000_000
    box_datasets: int = 10_000
    #: Of each kind.
    storage_objects: int = 10_000
    watched_claims: int = 10_000
    #: Ten a second for an hour.
    watched_events: int = 36_000
    accelerator_jobs: int = 500
    accelerator_nodes: int = 200


#: Seconds for everything, to see that it works; its figures mean nothing.
QUICK = Sizes(
    pairs=1,
    creations=100,
    headline_namespaces=2,
    many_objects=64,
    scaling_namespaces=(2, 4),
    scaling_config_maps=2,
    clusters_pods=(500, 1_000),
    log_bytes=2_000_000,
    box_datasets=200,
    storage_objects=60,
    watched_claims=60,
    watched_events=600,
    accelerator_jobs=3,
    accelerator_nodes=8,
)


def in_turn(pairs: int) -> list[tuple[str, int]]:
    """(client, pair): A B, B A, A B …, so that neither always finds the server as the other left it."""
    order = []
    for pair in range(pairs):
        clients = ("reference", "engine") if pair % 2 else ("engine", "reference")
        order += [(client, pair) for client in clients]
    return order


def headline(plane: Plane, sizes: Sizes) -> list[Row]:
    """First request to all available: the engine against the bare loop, in turn, after one run to warm the server."""
    found: dict[str, list[Measured]] = {"engine": [], "reference": []}
    for client, pair in [("reference", -1), *in_turn(sizes.pairs)]:
        plane.wait_until_quiet()
        run_id = f"{client}-{RUN}-{pair}" if pair >= 0 else f"warm-up-{RUN}"
        count = sizes.headline_namespaces if pair >= 0 else max(1, sizes.headline_namespaces // 5)
        measured = measure(
            plane,
            client=client,
            run_id=run_id,
            fragments=workload.headline(),
            namespaces=workload.names(run_id, count),
        )
        if pair >= 0:
            found[client].append(measured)
    ours, bare = found["engine"], found["reference"]
    what = f"{sizes.headline_namespaces} namespaces, {ours[0].objects} objects"
    return [
        median_row("headline: bare loop, first request to all available", [m.seconds for m in bare], "s", note=what),
        median_row("headline: engine, first request to all available", [m.seconds for m in ours], "s", note=what),
        median_row(
            "headline: engine / bare loop",
            [one.seconds / other.seconds for one, other in zip(ours, bare, strict=True)],
            "",
            goal=HEADLINE_SHARE,
            note=f"median of {sizes.pairs} pairs",
        ),
        median_row(
            "headline: engine, CPU per object",
            [m.cpu_ms_per_object for m in ours],
            "ms",
            goal=CPU_MS_PER_OBJECT,
            note=f"watching included; the bare loop: {statistics.median(m.cpu_ms_per_object for m in bare):.2f} ms",
        ),
    ]


def observe(plane: Plane, sizes: Sizes) -> list[Row]:
    """The headline's work, observed and not, in turn: what it costs the load to be watched."""
    found: dict[bool, list[Measured]] = {True: [], False: []}
    server: dict[bool, list[float]] = {True: [], False: []}
    # The difference is small, so that more pairs than elsewhere are needed for a steady median.
    pairs = 2 * sizes.pairs
    for client, pair in in_turn(pairs):
        observed = client == "engine"
        plane.wait_until_quiet()
        run_id = f"{'observed' if observed else 'alone'}-{RUN}-{pair}"
        before = plane.cpu_seconds()
        done = measure(
            plane,
            client="engine",
            run_id=run_id,
            fragments=workload.headline(),
            namespaces=workload.names(run_id, sizes.headline_namespaces),
            observe=observed,
        )
        found[observed].append(done)
        server[observed].append(1000 * (plane.cpu_seconds() - before) / done.objects)
    watched, alone = found[True], found[False]
    spans = [one.seconds - other.seconds for one, other in zip(watched, alone, strict=True)]
    cpu = statistics.median(m.cpu_ms_per_object for m in alone)
    return [
        median_row("observe: objects a second, not observed", [m.rate for m in alone], "/s"),
        median_row("observe: objects a second, observed", [m.rate for m in watched], "/s"),
        median_row(
            "observe: observed / not observed",
            [one.rate / other.rate for one, other in zip(watched, alone, strict=True)],
            "",
            goal=OBSERVED_SHARE,
            at_least=True,
            note=f"median of {pairs} pairs; the whole batch, readings before and after included, took "
            f"{1000 * statistics.median(spans):+.0f} ms",
        ),
        median_row(
            "observe: CPU per object, observed",
            [m.cpu_ms_per_object for m in watched],
            "ms",
            note=f"not observed: {cpu:.2f} ms; the control plane's: {statistics.median(server[True]):.2f} and "
            f"{statistics.median(server[False]):.2f} ms",
        ),
    ]


def playbook(plane: Plane, sizes: Sizes) -> list[Row]:
    """The whole `ansible-playbook kubestress.core.stress` on the same work, and its module's memory."""
    found = [_played(plane, sizes, f"playbook-{RUN}-{number}") for number in range(sizes.pairs)]
    module = max((run.module for run in found), key=lambda module: module.peak_rss_bytes)
    others = {name: f"{bytes_ / MEGABYTE:.0f} MB" for name, bytes_ in found[0].others.items()}
    objects = found[0].objects
    return [
        median_row(
            "playbook: wall of ansible-playbook", [run.seconds for run in found], "s", note=f"{objects} objects"
        ),
        median_row(
            "playbook: wall less first request to all available",
            [run.seconds - run.batch_seconds for run in found],
            "s",
            goal=PLAYBOOK_SECONDS,
            note=f"median of {sizes.pairs}; its batch: {statistics.median(run.batch_seconds for run in found):.1f} s",
        ),
        Row(
            name=f"memory: peak RSS of the module at {objects:,} objects",
            value=module.peak_rss_bytes / MEGABYTE,
            unit="MB",
            goal=RSS_MB,
            note="; ".join(f"module {name}: {size}" for name, size in others.items()),
        ),
    ]


@dataclass(frozen=True, kw_only=True)
class _Played:
    """One ansible-playbook: its wall, its batch's own seconds, the module's process, and the peaks of other modules."""

    seconds: float
    batch_seconds: float
    objects: int
    module: process.Module
    others: Mapping[str, int]


def live(plane: Plane, sizes: Sizes) -> list[Row]:
    """The playbook with a page while it runs and without, in turn: what the page costs the load."""
    found: dict[bool, list[_Played]] = {True: [], False: []}
    for client, pair in in_turn(sizes.pairs):
        with_page = client == "engine"
        run_id = f"{'page' if with_page else 'bare'}-{RUN}-{pair}"
        found[with_page].append(_played(plane, sizes, run_id, report_live=with_page))
    pairs = list(zip(found[True], found[False], strict=True))
    spans = [one.seconds - other.seconds for one, other in pairs]
    return [
        median_row(
            "live: objects a second, with the page / without",
            [other.batch_seconds / one.batch_seconds for one, other in pairs],
            "",
            goal=OBSERVED_SHARE,
            at_least=True,
            note=f"median of {sizes.pairs} pairs; the whole playbook took {1000 * statistics.median(spans):+.0f} ms",
        ),
    ]


def _played(plane: Plane, sizes: Sizes, run_id: str, **settings_of_part: Any) -> _Played:
    plane.wait_until_quiet()
    settings = {
        "profile": "safe",
        "run_id": run_id,
        "namespaces_prefix": run_id,
        "namespaces_total": sizes.headline_namespaces,
        "deployments_per_namespace": workload.DEPLOYMENTS_PER_NAMESPACE,
        "statefulsets_enabled": False,
        "build_jobs_enabled": False,
        **settings_of_part,
    }
    with TemporaryDirectory(prefix="kubestress-bench-") as scratch:
        folder = Path(scratch)
        settings["run_results_dir"] = str(folder / "results")
        extra = [word for name, value in settings.items() for word in ("-e", f"{name}={value}")]
        whole = process.run(["kubestress.core.stress", *extra], folder=folder, env=_environment(plane))
        (file,) = (folder / "results").glob("*/**/batches/*.json")
        batch = json.loads(file.read_text())
    (module,) = [module for module in whole.modules if module.name == "batch"]
    return _Played(
        seconds=whole.seconds,
        batch_seconds=batch["seconds"],
        objects=sum(row["created"] for row in batch["objects"].values()),
        module=module,
        others={other.name: other.peak_rss_bytes for other in whole.modules if other is not module},
    )


def creation(plane: Plane, sizes: Sizes) -> list[Row]:
    """Creations a second of equal ConfigMaps: the engine against h2load, in turn."""
    ours: list[Measured] = []
    theirs: list[h2load.Load] = []
    for client, pair in in_turn(sizes.pairs):
        run_id = f"{client}-create-{RUN}-{pair}"
        measure(
            plane, client="reference", run_id=run_id, fragments=workload.config_maps(1, with_namespace=True),
            namespaces=[run_id], wait=False,
        )  # fmt: skip
        plane.wait_until_quiet()
        if client == "engine":
            fragments = workload.config_maps(sizes.creations + 1, with_namespace=False)
            ours.append(
                measure(
                    plane,
                    client=client,
                    run_id=run_id,
                    fragments=fragments,
                    namespaces=[run_id],
                    existing=True,
                    wait=False,
                )
            )
        else:
            body = workload.config_map_with_generate_name(run_id)
            path = f"/api/v1/namespaces/{run_id}/configmaps"
            theirs.append(h2load.create(plane, path=path, body=body, count=sizes.creations))
    what = f"{sizes.creations} ConfigMaps"
    return [
        median_row("creation: h2load", [load.rate for load in theirs], "/s", note=what),
        median_row("creation: engine, 50 in flight", [m.rate for m in ours], "/s", note=what),
        median_row(
            "creation: engine / h2load",
            [one.rate / other.rate for one, other in zip(ours, theirs, strict=True)],
            "",
            goal=CREATION_SHARE,
            at_least=True,
            note=f"median of {sizes.pairs} pairs",
        ),
        median_row(
            "creation: engine, CPU per object",
            [m.cpu_ms_per_object for m in ours],
            "ms",
            goal=CPU_MS_PER_OBJECT,
            note=what,
        ),
    ]


def scaling(plane: Plane, sizes: Sizes) -> list[Row]:
    """Seconds and CPU per object by the number of namespaces, the objects of a namespace being the same."""
    seconds: dict[int, float] = {}
    cpu: dict[int, float] = {}
    least, most = min(sizes.scaling_namespaces), max(sizes.scaling_namespaces)
    for count in sizes.scaling_namespaces:
        # A run of a hundred objects is over in a moment, so that many of them are needed for a steady median.
        runs = max(1, min(5, most // count))
        found = []
        for run in range(runs):
            plane.wait_until_quiet()
            run_id = f"scale-{RUN}-{count}-{run}"
            found.append(
                measure(
                    plane,
                    client="engine",
                    run_id=run_id,
                    fragments=workload.config_maps(sizes.scaling_config_maps, with_namespace=True),
                    namespaces=workload.names(run_id, count),
                )
            )
        seconds[count] = statistics.median(m.sending_seconds / m.objects for m in found)
        cpu[count] = statistics.median(m.cpu_ms_per_object for m in found)
    note = "; ".join(f"{count}: {1000 * seconds[count]:.2f} ms, CPU {cpu[count]:.2f} ms" for count in seconds)
    return [
        Row(
            name=f"scaling: time per object, {most:,} namespaces / {least}",
            value=seconds[most] / seconds[least],
            unit="",
            goal=FLATNESS,
            note=note,
        ),
        Row(
            name=f"scaling: CPU per object, {most:,} namespaces / {least}",
            value=cpu[most] / cpu[least],
            unit="",
            goal=FLATNESS,
        ),
    ]


def memory(sizes: Sizes) -> list[Row]:
    """Peak memory of the module process as Ansible runs it, with many objects, against a server that stores nothing."""
    namespaces = max(1, sizes.many_objects // workload.OBJECTS_PER_NAMESPACE)
    with stub_server() as server, TemporaryDirectory(prefix="kubestress-bench-") as scratch:
        folder = Path(scratch)
        arguments = {
            "run_id": "memory",
            "namespace_prefix": "memory",
            "namespace_total": namespaces,
            "fragments": workload.headline(),
            # The stub knows no nodes; what reading a cluster takes is a part of its own.
            "preflight": "skip",
        }
        file = process.batch_playbook(folder, arguments=arguments)
        whole = process.run([str(file)], folder=folder, env=_environment(server))
    (module,) = whole.modules
    objects = namespaces * workload.OBJECTS_PER_NAMESPACE
    return [
        Row(
            name=f"memory: peak RSS of the module at {objects:,} objects",
            value=module.peak_rss_bytes / MEGABYTE,
            unit="MB",
            goal=RSS_MB_MANY,
            note=f"stub server; {objects / module.seconds:,.0f} objects/s, module CPU "
            f"{1000 * module.cpu_seconds / objects:.2f} ms per object",
        )
    ]


def preflight(sizes: Sizes) -> list[Row]:
    """What it takes to read a cluster before a run: every pod counted, and estimated from a sample of the nodes."""
    rows = []
    for pods in sizes.clusters_pods:
        with stub_server("bench.big_cluster", str(pods), str(pods // PODS_PER_NODE)) as server:
            for how, exact_pods in (("counted", pods), ("estimated", 0)):
                seen = [look(server, pods=pods, exact_pods=exact_pods) for _ in range(sizes.pairs)]
                name = f"preflight: {pods:,} pods {how}"
                cpu = statistics.median(one.cpu_seconds for one in seen)
                note = f"CPU {cpu:.2f} s" + (f"; {seen[0].estimated}" if seen[0].estimated else "")
                peak = [one.peak_rss_bytes / MEGABYTE for one in seen]
                rows.append(median_row(name, [one.seconds for one in seen], "s", note=note))
                rows.append(median_row(f"{name}, peak RSS", peak, "MB", goal=PREFLIGHT_RSS_MB))
    return rows


def cleanup(plane: Plane, sizes: Sizes) -> list[Row]:
    """Removing the headline's namespaces: playbook cleanup against `kubectl delete namespaces`. Needs `headline`."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        raise FileNotFoundError("the part cleanup needs kubectl in PATH")
    plane.wait_until_quiet()
    with TemporaryDirectory(prefix="kubestress-bench-") as scratch:
        arguments = [
            "kubestress.core.cleanup",
            "-e",
            f"run_id=engine-{RUN}-0",
            "-e",
            f"run_results_dir={scratch}/results",
        ]
        ours = process.run(arguments, folder=Path(scratch), env=_environment(plane)).seconds
    plane.wait_until_quiet()
    began = time.monotonic()
    selector = f"kubestress.core/run-id=reference-{RUN}-0"
    command = [kubectl, "delete", "namespaces", "--selector", selector, f"--kubeconfig={plane.kubeconfig}"]
    subprocess.run(command, check=True, capture_output=True)
    theirs = time.monotonic() - began
    what = f"{sizes.headline_namespaces} namespaces of {workload.OBJECTS_PER_NAMESPACE} objects"
    return [
        Row(name="cleanup: kubectl delete namespaces", value=theirs, unit="s", note=what),
        Row(name="cleanup: the whole playbook cleanup", value=ours, unit="s", goal=theirs, note=what),
    ]


def _environment(plane: Plane) -> Mapping[str, Any]:
    return {"K8S_AUTH_KUBECONFIG": str(plane.kubeconfig)}
