"""The module cleanup, called in this process as its main() calls it."""

from __future__ import annotations

import asyncio
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.cleanup.cleanup import run_module

from helpers.fake_api import FakeApi

RUN = "r1"


async def clean(api: FakeApi, *, check_mode: bool = False, **options: Any) -> dict[str, Any]:
    """Run the module cleanup against a fake API with these options; its result, or ModuleFailed."""
    params: dict[str, Any] = {
        "run_id": RUN,
        "namespaces": [],
        "delete_foreign": False,
        "accept_unseen": False,
        "grace_period": None,
        "wait": False,
        "wait_timeout": 5,
        "max_concurrent": 4,
        "qps": 0.0,
        "burst": 0,
        "request_timeout": 5.0,
        "retry_deadline": 1.0,
        "outage_limit": 300.0,
        "progress_file": None,
    }
    async with api.url() as url:
        options = {**params, "host": url, **options}
        return await asyncio.to_thread(run_module, options, check_mode=check_mode)
