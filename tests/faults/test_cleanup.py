"""Cleanup through something that answers lists and deletions with a login page."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.cleanup.cleanup import run_module
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.modules.cleanup import ARGUMENTS
from helpers.counting_proxy import CountingProxy, counting_proxy
from helpers.fault_suite import Row, Scene, believing, text_of
from helpers.faults import Pages

PROVEN = "a list or a deletion counts only if the answer proves who gave it"


def clean(scene: Scene, proxy: CountingProxy, **options: Any) -> tuple[str, str]:
    """(verdict, what the user reads) of the module cleanup through the proxy."""
    given = {"host": proxy.url, "run_id": scene.run_id, "retry_deadline": 20, "wait_timeout": 60, **options}
    validated = ArgumentSpecValidator(ARGUMENTS).validate(given)
    assert not validated.error_messages, validated.error_messages
    try:
        run_module(validated.validated_parameters, check_mode=False)
    except ModuleFailed as error:
        return "failed", str(error)
    except Exception as error:  # a row shows also what should never happen
        return "failed", f"{type(error).__name__}: {error}"
    return "passed", ""


@pytest.mark.parametrize(("times", "verdict"), [(2, "passed"), (0, "failed")], ids=["twice each", "for ever"])
def test_through_a_login_page(
    times: int,
    verdict: str,
    scene: Scene,
    judge: Callable[..., None],
    without_defence: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    how = "the first two answers are" if times else "each answer is"
    row = Row(
        point="F9",
        name="cleanup through a login page, " + ("twice each" if times else "for ever"),
        injects=f"for every 3rd list and deletion of a cleanup, {how} 200 and a page",
        defence=PROVEN,
    )
    with counting_proxy(scene.kubeconfig) as proxy:
        made = scene.batch(proxy)
    assert not made["failed"], made["msg"]
    asked = scene.asked()
    assert scene.found() == asked

    began = time.monotonic()
    fault = Pages(what="page", every=3, times=times, lists=True)
    with counting_proxy(scene.kubeconfig, fault) as proxy, monkeypatch.context() as patched:
        if without_defence:
            patched.setattr(Cluster, "_judged", believing)
        row.verdict, row.reads = clean(scene, proxy, **({} if times else {"retry_deadline": 2, "wait_timeout": 5}))
        fault.over()
        if row.verdict != verdict:
            row.complaints.append(f"{row.verdict} instead of {verdict}: {row.reads}")
        if not times and "answered by something that is no API server" not in row.reads:
            row.complaints.append("nothing says that no API server answered")
        if row.verdict == "passed" and (left := scene.found()):
            row.complaints.append(f"passed, but {len(left)} objects are left, such as {text_of(min(left))}")
        if row.verdict != "passed" and not row.complaints:
            again, said = clean(scene, proxy)
            row.verdict += f", then {again}"
            row.complaints += [f"the second run did not pass: {said}"] if said else []
    left = scene.found()
    row.injected, row.seconds = fault.injected, time.monotonic() - began
    # What was asked for is that they go.
    row.asked, row.stored, row.lost, row.strangers = len(asked), len(asked - left), len(left), scene.touched()
    row.complaints += [f"{row.strangers} objects of strangers touched"] if row.strangers else []
    row.complaints += [f"{len(left)} objects are left"] if left else []
    judge(row, least=3)
