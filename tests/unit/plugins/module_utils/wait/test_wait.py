"""What is refused before anything is sent, and how a wait ends in words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.wait.wait import run_module
from helpers.fake_server import serving, status

DEPLOYMENT = {"api_version": "apps/v1", "kind": "Deployment", "count": 1}
JOB = {"api_version": "batch/v1", "kind": "Job", "count": 1}
PARAMS: dict[str, Any] = {
    "kinds": [JOB],
    "label_selector": "a=b",
    "run_id": "",
    "namespaces": [],
    "state": "ready",
    "wait_timeout": 5,
    "outage_limit": 300.0,
    "progress_file": None,
    # Nothing listens there: whoever got past the checks would fail otherwise.
    "host": "http://127.0.0.1:1",
}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"kinds": []}, "kinds: the list is empty"),
        ({"kinds": [JOB, JOB]}, "kinds: a kind is listed twice"),
        ({"kinds": [{**JOB, "count": -1}]}, "kinds: count -1 of Job; allowed are 0 and more"),
        ({"kinds": [DEPLOYMENT], "state": "finished"}, "state: finished, with Deployment of apps/v1 in kinds"),
        ({"wait_timeout": 0}, "wait_timeout: 0 is not allowed; it must be 1 to 2,419,200"),
        ({"outage_limit": -1.0}, "outage_limit: -1.0 is not allowed; it must be 0 to 86,400"),
        ({"namespaces": ["team-a", "Team_B"]}, "namespaces: 'Team_B' is no namespace's name; lower-case letters"),
        ({"label_selector": ""}, "run_id, label_selector: both are empty"),
    ],
)
def test_bad_input_is_told_before_anything_is_asked(options: dict[str, Any], told: str) -> None:
    with pytest.raises(ModuleFailed, match=told):
        run_module({**PARAMS, **options}, check_mode=False)


async def test_a_selector_that_the_server_refuses_names_the_option() -> None:
    async def handle(request: Any) -> Any:
        from aiohttp import web

        if request.path == "/version":
            return web.json_response({})
        if request.path.startswith("/apis/batch") and "labelSelector" not in request.query:
            jobs = {"name": "jobs", "kind": "Job", "namespaced": True, "verbs": ["list"]}
            return web.json_response({"resources": [jobs]})
        if request.path == "/api/v1":
            pods = {"name": "pods", "kind": "Pod", "namespaced": True, "verbs": ["list"]}
            return web.json_response({"resources": [pods]})
        return status(400, reason="BadRequest", message="found '='")

    async with serving(handle) as url:
        with pytest.raises(ModuleFailed, match="label_selector: 'a=b=c': found '='"):
            await asyncio.to_thread(run_module, {**PARAMS, "host": url, "label_selector": "a=b=c"}, check_mode=False)
