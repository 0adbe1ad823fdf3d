"""A proxy that answers creations with 200 and a login page: what it swallowed never counts as created."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from helpers.batches import NAMESPACES, config_maps, failures, run_batch
from helpers.counting_proxy import counting_proxy
from helpers.faults import Pages

MADE = 60


@pytest.mark.parametrize("times", [0, 2], ids=["for ever", "twice"])
def test_every_third_creation_is_answered_with_a_login_page(
    kubeconfig: Path, kubectl: Callable[..., Any], tmp_path: Path, run_id: str, prefix: str, times: int
) -> None:
    pages = Pages(what="page", every=3, times=times)
    with counting_proxy(kubeconfig, pages) as proxy:
        result = run_batch(
            host=proxy.url,
            preflight="skip",  # the proxy counts what the load alone asks for
            run_id=run_id,
            namespaces=[f"{prefix}-1"],
            fragments=[NAMESPACES, config_maps(MADE)],
            retry_deadline=2 if times == 0 else 60,
            results_dir=str(tmp_path),
        )
    swallowed = {(path.split("/")[4], name) for _method, path, name in pages.pages}
    assert len(swallowed) == (MADE + 1) // 3
    stored = kubectl("get", "configmaps", "-A", "-l", f"kubestress.core/run-id={run_id}")["items"]
    found = {(obj["metadata"]["namespace"], obj["metadata"]["name"]): obj["data"] for obj in stored}
    assert found == {key: {"key": f"{key[0]}/{key[1].removeprefix('c-')}"} for key in found}
    assert set(proxy.stored.values()) == {1}

    row = result["objects"]["ConfigMap"]
    assert (row["requested"], row["created"], row["ready"]) == (MADE, len(found), len(found))
    if times:
        assert not result["failed"], result["msg"]
        assert len(found) == MADE
        assert result["rate"]["retries"] == {"foreign": times * len(swallowed)}
        return
    assert result["failed"]
    assert result["failures"]["by_reason"] == {"NoApiServer": len(swallowed)}
    named = {(failure["namespace"], failure["name"]): failure["message"] for failure in failures(tmp_path)}
    assert set(named) == swallowed
    assert len(found) + len(named) == MADE
    assert not set(found) & set(named)
    for (namespace, _name), message in named.items():
        asked = f"{proxy.url}: POST /api/v1/namespaces/{namespace}/configmaps"
        answered = "was answered by something that is no API server (HTTP 200, text/html; charset=utf-8)"
        assert message.startswith(f"{asked} {answered}")
