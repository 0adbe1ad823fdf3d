"""Pods' and Jobs' times of a batch against those that kubectl's own answer gives, worked out by hand."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from helpers.batches import NAMESPACES, deployments, jobs, measured, obj, pod_spec, run_batch

#: What the measurements say of their percentiles: within 1 % of a value that was measured; they are rounded to 1 ms.
RELATIVE_ERROR, ROUNDING_SECONDS = 0.01, 0.0005
MOST_TRIES = 3


def seconds_between(begin: str, end: str) -> float:
    """Return the seconds between two times of the API."""
    return (datetime.fromisoformat(end) - datetime.fromisoformat(begin)).total_seconds()


def condition_time(pod: dict[str, Any], kind: str) -> str:
    """Return when a condition became true."""
    return next(c["lastTransitionTime"] for c in pod["status"]["conditions"] if c["type"] == kind)


def start_time(pod: dict[str, Any]) -> str:
    """Return when the last of the pod's containers started; none of them was started twice."""
    states = [status["state"] for status in pod["status"]["containerStatuses"]]
    return max((state.get("running") or state["terminated"])["startedAt"] for state in states)


def check(what: str, row: dict[str, Any], values: list[float]) -> None:
    """Compare one row of figures with the values that it stands for."""
    in_order = sorted(values)
    assert row["count"] == len(in_order) == row["histogram"]["count"], what
    assert row["max_s"] == in_order[-1], what
    assert row["histogram"]["sum_seconds"] == pytest.approx(sum(in_order)), what
    for percent in (50, 90, 95, 99):
        exact = in_order[math.ceil(len(in_order) * percent / 100) - 1]
        allowed = exact * RELATIVE_ERROR + ROUNDING_SECONDS
        assert abs(row[f"p{percent}_s"] - exact) <= allowed, (what, percent, exact, row)


def pods_of(kubectl: Callable[..., Any], run_id: str, role: str) -> list[dict[str, Any]]:
    """Return the pods that a role of a run has."""
    selector = f"kubestress.core/run-id={run_id},kubestress.core/role={role}"
    return kubectl("get", "pods", "-A", "-l", selector)["items"]


def stateful_sets(count: int, *, simulate: dict[str, str]) -> dict[str, Any]:
    """Return a fragment of StatefulSets of two pods each, which are meant to be killed."""
    template = pod_spec(**simulate)
    labels = template["metadata"]["labels"]
    spec = {
        "serviceName": "none",
        "replicas": 2,
        "podManagementPolicy": "Parallel",
        "selector": {"matchLabels": labels},
        "template": template,
    }
    step = obj("StatefulSet", "s-{{ index }}", spec=spec)
    step["definition"]["apiVersion"] = "apps/v1"
    return {"role": "sets", "count": count, "steps": [[step]], "expect": "restarts"}


def test_figures_are_those_of_the_objects_own_times(
    kubeconfig: Path, kubectl, run_id: str, prefix: str, tmp_path: Path
):
    """Tried again, because on a busy machine an object may have a later start than was seen, at times one of a hundred.

    It seems that the simulator then writes the start twice. A fault of the figures would be there each time.
    """
    for number in range(1, MOST_TRIES + 1):
        folder = tmp_path / str(number)
        folder.mkdir()
        try:
            compare_times(kubeconfig, kubectl, f"{run_id}-{number}", f"{prefix}-{number}", folder)
        except AssertionError:
            if number == MOST_TRIES:
                raise
        else:
            return
        finally:
            mine = f"kubestress.core/run-id={run_id}-{number}"
            kubectl("delete", "namespaces", "-l", mine, "--wait=false", "--ignore-not-found")


def compare_times(kubeconfig: Path, kubectl: Callable[..., Any], run_id: str, prefix: str, tmp_path: Path) -> None:
    """Starts between none and six seconds, so that stages differ from pod to pod."""
    slow = {"simulate_start_delay": "6s"}
    result = run_batch(
        kubeconfig=str(kubeconfig),
        run_id=run_id,
        namespace_prefix=prefix,
        namespace_total=3,
        results_dir=str(tmp_path),
        fragments=[NAMESPACES, deployments(12, simulate=slow), jobs(6, parallelism=2, completions=4)],
    )
    assert not result["failed"], result["msg"]
    assert "histogram" not in json.dumps(result), "what grows stays in the files"
    document = measured(tmp_path)
    startup = document["pods"]["startup"]

    stateless = pods_of(kubectl, run_id, "deployments")
    assert len(stateless) == 36
    stages: dict[str, list[float]] = {name: [] for name in ("scheduled", "initialized", "started", "ready", "total")}
    for pod in stateless:
        created = pod["metadata"]["creationTimestamp"]
        times = [created, condition_time(pod, "PodScheduled"), condition_time(pod, "Initialized"), start_time(pod),
                 condition_time(pod, "Ready")]  # fmt: skip
        for stage, begin, end in zip(("scheduled", "initialized", "started", "ready"), times, times[1:], strict=False):
            stages[stage].append(max(0, seconds_between(begin, end)))
        stages["total"].append(seconds_between(created, times[-1]))
    for stage, values in stages.items():
        check(stage, startup["stateless"][stage], values)
    assert startup["stateless"]["watched"]["count"] == 36

    from_jobs = pods_of(kubectl, run_id, "jobs")
    assert len(from_jobs) == 72
    created_of = [(pod["metadata"]["creationTimestamp"], pod) for pod in from_jobs]
    check("total", startup["job"]["total"], [seconds_between(created, start_time(pod)) for created, pod in created_of])
    check(
        "scheduled",
        startup["job"]["scheduled"],
        [seconds_between(created, condition_time(pod, "PodScheduled")) for created, pod in created_of],
    )
    assert set(startup) == {"stateless", "job"}

    worst = document["pods"]["worst"]
    totals = sorted([*stages["total"], *(seconds_between(c, start_time(pod)) for c, pod in created_of)])
    assert [row["total_s"] for row in worst] == totals[:-11:-1]
    named = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in [*stateless, *from_jobs]}
    for row in worst:
        pod = named[row["namespace"], row["name"]]
        end = condition_time(pod, "Ready") if row["group"] == "stateless" else start_time(pod)
        assert row["total_s"] == seconds_between(pod["metadata"]["creationTimestamp"], end)
        assert row["node"] == pod["spec"]["nodeName"]
        assert f"of {row['total_s']} s from " in row["cause"]
    assert document["pods"]["never_ready"] == 0

    finished = kubectl("get", "jobs", "-A", "-l", f"kubestress.core/run-id={run_id}")["items"]
    durations = [seconds_between(job["status"]["startTime"], job["status"]["completionTime"]) for job in finished]
    check("duration", document["jobs"]["duration"], durations)
    assert document["jobs"]["pods_retried"] == 0

    again = run_batch(
        kubeconfig=str(kubeconfig), run_id=run_id, namespace_prefix=prefix, namespace_total=3,
        results_dir=str(tmp_path), fragments=[NAMESPACES, deployments(12, simulate=slow)],
    )  # fmt: skip
    assert not again["failed"], again["msg"]
    assert set(measured(tmp_path)["pods"]["startup"]) == {"stateless"}, "pods of Jobs are not this batch's"
    listed = measured(tmp_path)["pods"]["startup"]["stateless"]
    for stage, values in stages.items():
        check(stage, listed[stage], values)
    assert "watched" not in listed, "nobody watched these pods start"


def test_retries_kills_and_what_never_starts(kubeconfig: Path, kubectl, run_id: str, prefix: str, tmp_path: Path):
    crashing = jobs(2, simulate={"simulate": "crash"})
    crashing["steps"][0][0]["definition"]["spec"]["backoffLimit"] = 1
    killed = {"simulate": "oom-killed", "simulate_duration": "1s", "simulate_duration_max": "1s"}
    result = run_batch(
        kubeconfig=str(kubeconfig),
        run_id=run_id,
        namespace_prefix=prefix,
        namespace_total=1,
        results_dir=str(tmp_path),
        wait_timeout=45,
        fragments=[
            NAMESPACES,
            crashing,
            stateful_sets(2, simulate=killed),
            deployments(1, simulate={"simulate": "image-pull-failure"}),
        ],
    )
    assert result["failed"]
    document = measured(tmp_path)
    pods = document["pods"]

    [missing] = pods_of(kubectl, run_id, "deployments")
    worst = pods["worst"][0]
    assert (worst["name"], worst["total_s"], worst["group"]) == (missing["metadata"]["name"], None, "stateless")
    assert worst["node"] == missing["spec"]["nodeName"]
    assert "ImagePullBackOff" in worst["cause"] or "ErrImagePull" in worst["cause"]
    assert worst["waited_s"] > 0
    assert all(row["total_s"] is not None for row in pods["worst"][1:])
    assert pods["never_ready"] == 1

    failed = [job["status"]["failed"] for job in kubectl("get", "jobs", f"-n={prefix}-1")["items"]]
    assert failed == [2, 2]
    assert document["jobs"]["pods_retried"] == 2
    assert document["jobs"]["duration"]["count"] == document["jobs"]["failed"] == 2

    sets = document["statefulsets"]
    assert sets["pods_killed"] == 4
    restarts = [pod["status"]["containerStatuses"][0]["restartCount"] for pod in pods_of(kubectl, run_id, "sets")]
    # Later restarts went unseen: the batch was over.
    assert 4 <= sets["restarts"] <= sum(restarts)
    assert sets["restarts"] <= sets["oom_kills"] <= sets["restarts"] + 4


def test_where_pods_may_not_be_watched_nothing_is_said_of_them(
    kubeconfig: Path, kubectl, run_id: str, prefix: str, tmp_path: Path
):
    rule = {
        "apiGroups": ["", "apps"],
        "verbs": ["create", "get", "list", "watch"],
        "resources": ["namespaces", "serviceaccounts", "configmaps", "deployments"],
    }
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": prefix}
    subject = {"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": prefix}
    access: list[dict[str, Any]] = [
        {"kind": "ClusterRole", "rules": [rule]},
        {"kind": "ClusterRoleBinding", "roleRef": role, "subjects": [subject]},
    ]
    for one in access:
        document = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": {"name": prefix}, **one}
        kubectl("create", "-f", "-", stdin=json.dumps(document))
    try:
        result = run_batch(
            kubeconfig=str(kubeconfig),
            impersonate_user=prefix,
            run_id=run_id,
            namespaces=[f"{prefix}-1"],
            results_dir=str(tmp_path),
            fragments=[NAMESPACES, deployments(2)],
            preflight="skip",
        )
    finally:
        kubectl("delete", "clusterrolebinding", prefix)
        kubectl("delete", "clusterrole", prefix)
    assert not result["failed"], result["msg"]
    written = measured(tmp_path)
    assert any("Pods cannot be watched" in warning for warning in written["warnings"])
    pods = written["pods"]
    unknown = ("restarts", "oom_kills", "never_ready", "clock_backwards", "startup_p50_s", "startup_p99_s")
    assert [pods[name] for name in unknown] == [None] * len(unknown)
    assert (pods["startup"], pods["worst"], written["statefulsets"]) == ({}, [], None)
