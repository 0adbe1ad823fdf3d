"""What of a plan is there already: by the run's labels, in all namespaces or in those that may be looked into."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Resource
from ansible_collections.kubestress.core.plugins.module_utils.cluster.labels import run_labels
from ansible_collections.kubestress.core.plugins.module_utils.load.foresight import UnseenError, foreseen
from ansible_collections.kubestress.core.plugins.module_utils.load.ledger import Ledger
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from helpers.batches import config_maps
from helpers.fake_api import FakeApi
from helpers.fake_server import status

VERBS = frozenset({"create", "list"})
CONFIG_MAPS = Resource("v1", "ConfigMap", "configmaps", True, VERBS)


async def results(api: FakeApi, state: str = "present") -> dict[str, str]:
    """Return what becomes of two ConfigMaps in each of two namespaces, by their place."""
    fragments = parse_fragments([config_maps(2)], Context(run_id="r"))
    places: dict[str, Any] = {"namespaces": [(1, "n-1"), (2, "n-2")], "existing": frozenset()}
    async with api.cluster() as cluster:
        resources = {("v1", "ConfigMap"): CONFIG_MAPS}
        told = await foreseen(cluster, resources, fragments, run_id="r", state=state, ledger=Ledger(None), **places)
        return {f"{namespace}/{name}": result for _kind, namespace, name, result in told}


@pytest.fixture
def api() -> FakeApi:
    """Return a cluster with one of them, and one of the same name that is another run's."""
    api = FakeApi()
    api.add("configmaps", "c-1", "n-1", labels=run_labels("r", "configs"))
    api.add("configmaps", "c-1", "n-2", labels=run_labels("another", "configs"))
    return api


@pytest.mark.parametrize(
    ("state", "there", "missing"),
    [("present", "unchanged", "created"), ("patched", "patched", "missing"), ("absent", "deleted", "unchanged")],
)
async def test_what_is_there_and_what_is_not(api: FakeApi, state: str, there: str, missing: str) -> None:
    assert await results(api, state) == {"n-1/c-1": there, "n-1/c-2": missing, "n-2/c-1": missing, "n-2/c-2": missing}


async def test_of_a_kind_that_the_server_does_not_have_yet_nothing_exists(api: FakeApi) -> None:
    api.refused["/api/v1/configmaps"] = status(404, reason="NotFound", message="no such kind")
    assert set((await results(api)).values()) == {"created"}


async def test_where_not_all_may_be_listed_each_namespace_is(api: FakeApi) -> None:
    def refuse(path: str, message: str) -> None:
        api.refused[path] = status(403, reason="Forbidden", message=message)

    refuse("/api/v1/configmaps", "not cluster-wide")
    assert (await results(api))["n-1/c-1"] == "unchanged"
    refuse("/api/v1/configmaps", "not cluster-wide")  # an answer is sent once
    refuse("/api/v1/namespaces/n-2/configmaps", "not in n-2")
    with pytest.raises(UnseenError, match="which configmaps of the run exist: not in n-2"):
        await results(api)
