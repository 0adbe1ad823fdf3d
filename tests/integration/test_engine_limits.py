"""The engine's promises seen from outside: by a counting proxy in front of the real API server, and by kubectl."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster, RetryPolicy
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Discovery
from ansible_collections.kubestress.core.plugins.module_utils.cluster.watch import ListWatch, key_of
from helpers.batches import NAMESPACES, config_maps, deployments, jobs, measured, run_batch, witness
from helpers.counting_proxy import counting_proxy


def test_the_cap_on_requests_in_flight_holds_and_is_reached_while_retries_run(
    kubeconfig: Path, kubectl, tmp_path: Path, run_id: str, prefix: str
):
    """Every seventh request is turned away with 429 or 503; all objects come to be, each once."""
    with counting_proxy(kubeconfig, refuse_every=7, delay_seconds=0.02) as proxy:
        result = run_batch(
            host=proxy.url,
            preflight="skip",  # what is counted here is the load alone
            run_id=run_id,
            namespace_prefix=prefix,
            namespace_total=4,
            max_concurrent=10,
            fragments=[NAMESPACES, config_maps(60), deployments(3)],
            results_dir=str(tmp_path),
            observe={"enabled": False},  # whose requests the proxy would count too
        )
    assert not result["failed"], result["msg"]
    assert proxy.peak_in_flight == 10
    assert result["rate"]["peak_in_flight"] == result["rate"]["max_in_flight"] == 10

    # What the results say of retries is what the proxy did: nothing forgotten, nothing invented.
    refused = {"429": proxy.answers[429], "503": proxy.answers[503]}
    assert min(refused.values()) > 5
    assert result["rate"]["retries"] == result["rate"]["errors"] == refused
    created = result["requests"]["create"]
    assert sum(row["count"] for row in created.values()) == proxy.methods["POST"]
    assert sum(row["errors"] for row in created.values()) == sum(refused.values())
    # Lists went through the proxy too, and the 20 ms that it adds are in every figure.
    assert min(row["p50_ms"] for kinds in result["requests"].values() for row in kinds.values()) >= 19
    series = measured(tmp_path)["timeline"]["series"]
    # What comes before the load is no part of it: the version, the platform, and the kinds of two API versions.
    assert sum(series["requests"]) == result["rate"]["requests"] == proxy.methods.total() - 4
    assert sum(series["errors"]) == sum(series["retries"]) == sum(refused.values())
    assert max(series["in_flight"]) == 10
    assert series["pods_running"][-1] == 12
    assert result["objects"]["ConfigMap"] == {
        "requested": 252, "created": 252, "unchanged": 0, "failed": 0, "ready": 252
    }  # fmt: skip
    assert result["objects"]["Deployment"]["ready"] == 12
    assert set(proxy.stored.values()) == {1}
    assert len(proxy.stored) == 4 + 252 + 12
    found = kubectl("get", "configmaps", "-A", "-l", f"kubestress.core/run-id={run_id}")["items"]
    assert len(found) == 252


def test_objects_whose_answers_are_lost_count_as_created_and_exist_once(kubeconfig: Path, run_id: str, prefix: str):
    with counting_proxy(kubeconfig, lose_every=5) as proxy:
        result = run_batch(
            host=proxy.url,
            preflight="skip",
            run_id=run_id,
            namespaces=[f"{prefix}-1"],
            fragments=[NAMESPACES, config_maps(50)],
        )
    assert not result["failed"], result["msg"]
    assert proxy.lost >= 10
    assert result["rate"]["retries"] == {"connection": proxy.lost}
    assert result["objects"]["ConfigMap"] == {
        "requested": 50, "created": 50, "unchanged": 0, "failed": 0, "ready": 50
    }  # fmt: skip
    assert set(proxy.stored.values()) == {1}


def test_an_api_server_that_goes_away_ends_the_run_in_time_with_an_outcome_for_all_that_was_sent(
    kubeconfig: Path, tmp_path: Path, run_id: str, prefix: str
):
    with counting_proxy(kubeconfig, die_after=60) as proxy:
        began = time.monotonic()
        result = run_batch(
            host=proxy.url,
            preflight="skip",  # what is counted here is the load alone
            run_id=run_id,
            namespaces=[f"{prefix}-1"],
            fragments=[NAMESPACES, config_maps(400), deployments(2, ready_timeout=3)],
            retry_deadline=1,
            request_timeout=5,
            outage_limit=10,
            results_dir=str(tmp_path),
        )
    assert time.monotonic() - began < 40
    assert result["failed"]
    row = result["objects"]["ConfigMap"]
    assert 20 < row["created"] < 60
    # What had begun has failed; the rest, most of 400, was never sent. A few may fail before the outage is certain.
    assert row["created"] + row["failed"] < 200
    assert 0 < result["failures"]["by_reason"]["Unreachable"] <= 50
    # The message has the first failure, which may be one of these few.
    assert "could not be reached for 10 s" in result["msg"] or "gave up after" in result["msg"]
    assert measured(tmp_path)["objects"] == result["objects"]


@pytest.mark.parametrize("limits", [{"qps": 100, "burst": 1}])
def test_the_rate_holds_over_the_whole_run(kubeconfig: Path, run_id: str, prefix: str, limits: dict[str, Any]):
    with counting_proxy(kubeconfig) as proxy:
        result = run_batch(
            host=proxy.url,
            preflight="skip",  # what is counted here is the load alone
            run_id=run_id,
            namespaces=[f"{prefix}-1", f"{prefix}-2"],
            fragments=[NAMESPACES, config_maps(99)],
            wait=False,
            **limits,
        )
    assert not result["failed"], result["msg"]
    assert proxy.methods["POST"] == 200
    # 200 starts at 100 a second: 2 s from the first to the last, and hardly more.
    assert 1.9 < result["rate"]["sending_seconds"] < 4
    # Up to 50 wait at once, each for half a second.
    assert 50 < result["rate"]["limit_wait_seconds"]["rate"] < 50 * result["rate"]["sending_seconds"]


@pytest.mark.parametrize("faults", [{}, {"cut_watches_seconds": 0.5}], ids=["quiet", "watches are cut"])
def test_the_ceiling_on_active_pods_holds_and_is_reached_and_finished_jobs_may_vanish(
    kubeconfig: Path, kubectl_binary: str, tmp_path: Path, run_id: str, prefix: str, faults: dict[str, float]
):
    """3 namespaces of 1 unfinished Job of 2 pods: at most 6 pods. A Job is gone 2 s after its end."""
    see: dict[str, Any] = {"kubeconfig": kubeconfig, "folder": tmp_path, "run_id": run_id}
    with (
        counting_proxy(kubeconfig, **faults) as proxy,
        witness(kubectl_binary, kind="pods", **see) as pods,
        witness(kubectl_binary, kind="jobs", **see) as seen_jobs,
    ):
        result = run_batch(
            host=proxy.url,
            preflight="skip",  # what is counted here is the load alone
            run_id=run_id,
            namespace_prefix=prefix,
            namespace_total=3,
            namespaces_parallel=2,
            fragments=[NAMESPACES, jobs(4, parallelism=2, completions=4, ttl=2, active=1, ready_timeout=60)],
            results_dir=str(tmp_path),
            ledger=str(tmp_path / "jobs.jsonl"),
        )
    assert not result["failed"], result["msg"]
    assert pods.most_active_pods() == 6
    figures = {key: result["jobs"][key] for key in ("complete", "failed", "peak_active_pods", "ceiling_active_pods")}
    assert figures == {"complete": 12, "failed": 0, "peak_active_pods": 6, "ceiling_active_pods": 6}
    assert result["pods"]["succeeded"] == 48

    assert len(seen_jobs.added("Job")) == 12
    assert set(seen_jobs.added("Job").values()) == {1}, "a Job was made twice"
    assert len(seen_jobs.deleted("Job")) >= 3, "no Job vanished during the run, so nothing was shown"
    if faults:
        assert proxy.cut > 5
        assert sum(result["rate"]["watch_breaks"].values()) >= 5


def test_after_a_run_its_vanished_jobs_are_neither_lost_nor_made_again(
    kubeconfig: Path, kubectl, tmp_path: Path, run_id: str, prefix: str
):
    plan = {
        "kubeconfig": str(kubeconfig),
        "run_id": run_id,
        "namespaces": [f"{prefix}-1", f"{prefix}-2"],
        "fragments": [NAMESPACES, jobs(2, ttl=0, ready_timeout=60)],
        "ledger": str(tmp_path / "jobs.jsonl"),
    }
    first = run_batch(**plan)
    assert not first["failed"], first["msg"]
    for name in plan["namespaces"]:
        kubectl("wait", f"-n={name}", "--for=delete", "--timeout=30s", "jobs", "--all")
    second = run_batch(**plan)

    assert not second["failed"], second["msg"]
    assert second["objects"]["Job"] == {"requested": 4, "created": 0, "unchanged": 4, "failed": 0, "ready": 4}
    assert second["jobs"]["complete"] == 4
    assert second["changed"] is False
    assert kubectl("get", "jobs", f"-n={prefix}-1")["items"] == []


async def test_a_watch_that_is_cut_again_and_again_shows_every_object_as_it_is_stored(
    kubeconfig: Path, kubectl, run_id: str, prefix: str
):
    """200 ConfigMaps are made and every third one is changed, while connections drop and versions expire."""
    namespace = {"metadata": {"name": f"{prefix}-w", "labels": {"kubestress.core/run-id": run_id}}}
    kubectl("create", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "Namespace", **namespace}))
    retry = RetryPolicy(first_pause_seconds=0.01, max_pause_seconds=0.05)
    seen: dict[tuple[str, str], dict[str, Any]] = {}
    with counting_proxy(kubeconfig, cut_watches_seconds=0.1, expire_watches=3) as proxy:
        async with await Cluster.open({"host": proxy.url}, retry=retry) as cluster:
            resource = await Discovery(cluster).resource("v1", "ConfigMap")
            watch = ListWatch(cluster, resource, label_selector=f"kubestress.core/run-id={run_id}")
            path = resource.path(f"{prefix}-w")

            async def change() -> None:
                for number in range(200):
                    metadata = {"name": f"c-{number}", "labels": {"kubestress.core/run-id": run_id}}
                    await cluster.request(
                        "POST", path, body=json.dumps({"metadata": metadata, "data": {"n": "1"}}).encode()
                    )
                    if number % 3 == 0:
                        body = json.dumps({"data": {"n": "2"}}).encode()
                        kind = "application/merge-patch+json"
                        await cluster.request("PATCH", f"{path}/c-{number}", body=body, content_type=kind)

            changing = asyncio.create_task(change())
            async with asyncio.timeout(30):
                async for event in watch.events():
                    if event.type in ("ADDED", "MODIFIED"):
                        seen[key_of(event.object)] = event.object
                    if len(seen) == 200 and seen[f"{prefix}-w", "c-198"]["data"]["n"] == "2":
                        break
            await changing
    stored = kubectl("get", "configmaps", f"-n={prefix}-w", "-l", f"kubestress.core/run-id={run_id}")["items"]
    assert {key_of(each): each["metadata"]["resourceVersion"] for each in stored} == {
        key: each["metadata"]["resourceVersion"] for key, each in seen.items()
    }
    assert watch.broken["gone"] == 3
    # aiohttp itself asks again where a kept connection broke before the first byte, so we may see fewer.
    assert 0 < watch.broken["connection"] <= proxy.cut
