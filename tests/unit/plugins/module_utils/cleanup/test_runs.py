"""Which runs a cluster has, how old they are, and what is said where not all of it can be seen."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cleanup.runs import run_module
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from helpers.fake_api import FakeApi
from helpers.fake_server import status

DAY = 86_400


def ago(seconds: float) -> str:
    return (datetime.now(UTC) - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def add(api: FakeApi, plural: str, name: str, namespace: str = "", *, run: str, age: float, **metadata: Any) -> None:
    labels = {
        "app.kubernetes.io/managed-by": "kubestress",
        "kubestress.core/run-id": run,
        "kubestress.core/role": "web",
    }
    fields = [{"manager": "late", "time": ago(0)}, {"manager": "kubestress.core", "time": ago(age)}]
    metadata = {"managedFields": fields, **metadata}
    api.add(plural, name, namespace, labels=labels, creationTimestamp=ago(age), **metadata)


@pytest.fixture
def api() -> FakeApi:
    """Return a cluster with an old run, a young one, and strangers with half of our labels."""
    api = FakeApi()
    add(api, "namespaces", "old-1", run="old", age=9 * DAY)
    add(api, "deployments", "web", "old-1", run="old", age=8 * DAY, annotations={"openshift.io/requester": "ann"})
    # Its pods were replaced an hour ago, as when a node is drained.
    add(api, "pods", "web-x", "old-1", run="old", age=3600, ownerReferences=[{"controller": True}])
    add(api, "namespaces", "young-1", run="young", age=9 * DAY)
    add(api, "jobs", "build", "young-1", run="young", age=60)
    api.add("namespaces", "other", labels={"app.kubernetes.io/managed-by": "helm", "kubestress.core/run-id": "theirs"})
    api.add("configmaps", "c", "other", labels={"app.kubernetes.io/managed-by": "kubestress"})
    return api


async def listed(api: FakeApi, **options: Any) -> dict[str, Any]:
    params: dict[str, Any] = {
        "namespaces": [],
        "older_than": None,
        "accept_unseen": False,
        "max_concurrent": 4,
        "qps": 0.0,
        "burst": 0,
    }
    async with api.url() as url:
        params |= {"request_timeout": 5.0, "retry_deadline": 1.0, "outage_limit": 300.0, "host": url, **options}
        return await asyncio.to_thread(run_module, params)


async def test_each_run_with_what_it_has_and_since_when(api: FakeApi) -> None:
    result = await listed(api)
    assert (result["changed"], result["unlisted"]) == (False, {})
    by_id = {run["run_id"]: run for run in result["runs"]}
    assert set(by_id) == {"old", "young"}
    old = by_id["old"]
    assert old["objects"] == {"Namespace": 1, "Deployment": 1, "Pod": 1}
    assert (old["objects_total"], old["namespaces"], old["namespaces_total"]) == (3, ["old-1"], 1)
    assert (old["roles"], old["made_by"]) == (["web"], ["ann", "kubestress.core"])
    assert abs(old["age_seconds"] - 9 * DAY) < 60
    assert abs(old["idle_seconds"] - 8 * DAY) < 60
    assert abs(by_id["young"]["idle_seconds"] - 60) < 30
    assert any(line.startswith("old ") and "216 h" in line and "192 h ago" in line for line in result["table"])
    assert "    1 Job, 1 Namespace; roles web; made by kubestress.core" in result["table"]


async def test_old_is_a_run_that_made_nothing_lately(api: FakeApi) -> None:
    assert [run["run_id"] for run in (await listed(api, older_than=7 * DAY))["runs"]] == ["old"]
    nothing = await listed(api, older_than=30 * DAY)
    assert nothing["runs"] == []
    assert nothing["table"] == ["no run is old enough: 2 runs have objects here, but nothing that was idle for 720 h"]


async def test_who_may_not_see_everything_is_not_told_that_there_is_nothing() -> None:
    api = FakeApi()
    api.refused["/api/v1/configmaps"] = status(403, reason="Forbidden", message="configmaps is forbidden")
    assert (await listed(api))["table"] == ["no run is seen here; not every kind could be listed"]


async def test_the_age_is_not_guessed_where_a_kind_cannot_be_seen(api: FakeApi) -> None:
    api.refused["/apis/batch/v1/jobs"] = status(403, reason="Forbidden", message="jobs is forbidden")
    assert "jobs.batch" in (await listed(api))["unlisted"]
    with pytest.raises(ModuleFailed, match=r"not known how old the runs are, because jobs\.batch could not be listed"):
        await listed(api, older_than=7 * DAY)
    # The young run's Job is what nobody sees.
    accepted = await listed(api, older_than=7 * DAY, accept_unseen=True)
    assert {run["run_id"] for run in accepted["runs"]} == {"old", "young"}
    # Whoever may look into the namespaces of the runs sees it.
    seen = await listed(api, older_than=7 * DAY, namespaces=["young-1", "old-1"])
    assert [run["run_id"] for run in seen["runs"]] == ["old"]


async def test_an_age_that_is_no_age_is_refused(api: FakeApi) -> None:
    with pytest.raises(ModuleFailed, match="older_than: 0 is not allowed"):
        await listed(api, older_than=0)
