"""The API server's own figures against the client's, on a real one; and where it tells nothing, no harm."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.kubestress.core.plugins.module_utils.observe.api_server import ApiServerPart
from helpers.batches import NAMESPACES, config_maps, measured, run_batch
from helpers.counting_proxy import counting_proxy
from helpers.posting import posted, row_of

DELAY_SECONDS = 1.0


@pytest.fixture
def namespace(kubectl: Any, prefix: str) -> Iterator[str]:
    """Yield a namespace in which the controllers have made their own ConfigMap already."""
    kubectl("create", "namespace", prefix)
    kubectl("wait", "--for=create", "configmap/kube-root-ca.crt", "-n", prefix, "--timeout=240s")
    yield prefix
    kubectl("delete", "namespace", prefix, "--wait=false")


def percentile(seconds: list[float], percent: float) -> float:
    """Return what so many of a hundred values are at most."""
    return seconds[max(0, -(-len(seconds) * int(percent) // 100) - 1)]


def observation(results_dir: Path) -> dict[str, Any]:
    """Return the only observation of a batch."""
    (path,) = (results_dir / "observations").glob("*.json")
    return json.loads(path.read_text())


async def test_client_and_server_agree_as_far_as_buckets_allow(kubeconfig: Path, namespace: str):
    slack_seconds = 0.1
    for _attempt in range(12):
        seconds, document = await posted(namespace, count=300, kubeconfig=str(kubeconfig))
        row = row_of(document["api_server"])
        # Namespaces that earlier tests left to be removed lose their kube-root-ca.crt, which is posted once more.
        others = row["count"] - 300
        assert others >= 0
        # No call can be shorter for the client than for the server, so no bound is passed by more calls of the server.
        for le, at_most in row["buckets"].items():
            slower = sum(one > float(le) for one in seconds)
            assert row["count"] - at_most <= slower + others, f"the server says that more took longer than {le} s"
        low, high = row["p99_bucket_s"]
        # How much longer they are for the client depends on how busy this machine is; once it has to be calm enough.
        if not others and low <= percentile(seconds, 99) <= (high or 60) + slack_seconds:
            break
    else:
        pytest.fail(f"client's p99 {percentile(seconds, 99):.3f} s, server's between {low} and {high} s")


async def test_a_delay_on_the_way_is_the_clients_alone(kubeconfig: Path, namespace: str):
    with counting_proxy(kubeconfig, delay_seconds=DELAY_SECONDS) as proxy:
        for _attempt in range(5):
            seconds, document = await posted(namespace, count=40, host=proxy.url)
            row = row_of(document["api_server"])
            assert row["count"] >= 40
            assert seconds[0] >= DELAY_SECONDS
            # A server on a machine that stands still is slow itself; once it has to be as quick as it is.
            if (row["p99_bucket_s"][1] or DELAY_SECONDS * 9) <= DELAY_SECONDS:
                break
        else:
            pytest.fail(f"server's p99 is up to {row['p99_bucket_s'][1]} s")
    # What the observer asked for on the way took as long, and the clocks are those of one machine.
    skew = document["skew"]
    assert max(abs(skew["estimate_ms"]), DELAY_SECONDS * 500) <= skew["error_ms"]


def test_a_batch_tells_both(kubeconfig: Path, run_id: str, prefix: str, tmp_path: Path):
    with counting_proxy(kubeconfig, delay_seconds=0.3) as proxy:
        result = run_batch(
            host=proxy.url, run_id=run_id, namespaces=[f"{prefix}-1"], fragments=[NAMESPACES, config_maps(40)],
            results_dir=str(tmp_path), observe={"api_interval": 1},
        )  # fmt: skip
    assert not result["failed"], result["msg"]
    document = observation(tmp_path)
    row = row_of(document["api_server"])
    client = measured(tmp_path)["requests"]["create"]["ConfigMap"]
    # The namespace's own kube-root-ca.crt comes on top, if its controller was quick enough.
    assert client["count"] == 40 <= row["count"]
    assert client["p50_ms"] >= 300 > row["p50_s"] * 1000
    assert document["finished"]
    assert document["warnings"] == []
    assert document["api_server"]["inflight"]["mutating_max"] is not None
    assert document["api_server"]["cpu_seconds"] > 0
    assert document["api_server"]["etcd"]
    assert document["skew"]["samples"] >= 2


@pytest.mark.parametrize(
    ("metrics", "cause"),
    [
        ("missing", "the API server has no /metrics"),
        ("garbage", "/metrics: the answer is no metrics of a process: without process_start_time_seconds"),
        ("silence", "no answer within 7 s"),
    ],
)
def test_no_metrics_are_no_data_and_no_harm(
    kubeconfig: Path, run_id: str, prefix: str, tmp_path: Path, metrics: str, cause: str
):
    with counting_proxy(kubeconfig, metrics=metrics) as proxy:
        result = run_batch(
            host=proxy.url, run_id=run_id, namespaces=[f"{prefix}-1"], fragments=[NAMESPACES, config_maps(5)],
            results_dir=str(tmp_path), observe={"api_interval": 1},
        )  # fmt: skip
    assert not result["failed"], result["msg"]
    assert result["objects"]["ConfigMap"]["created"] == 5
    document = observation(tmp_path)
    told = document["api_server"]
    assert (told["source"], told["cause"], told["sli"], told["cpu_seconds"]) == ("none", cause, [], None)
    assert document["warnings"] == []


async def test_a_user_who_may_not_read_them_is_told_so(kubeconfig: Path):
    options = {"kubeconfig": str(kubeconfig), "impersonate_user": "somebody"}
    async with await Cluster.open(options) as cluster:
        part = ApiServerPart(cluster, interval_seconds=1, started=time.monotonic())
        await part.begin()
        with contextlib.suppress(TimeoutError):
            # Only the clock's skew is still measured; to read the metrics again would be of no use.
            await asyncio.wait_for(part.run(), 3)
        await part.end()
    document = part.document()
    told = document["api_server"]
    assert (told["source"], told["cause"]) == ("none", "the user may not get /metrics")
    assert told["failed_scrapes"] == {"the user may not get /metrics": 1}
    assert part.warnings == []
