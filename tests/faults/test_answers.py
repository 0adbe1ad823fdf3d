"""Answers that are lost, refused, cut, or not the API server's: one batch each, of 57 objects.

With `--defence=off`, each row runs without the code that it is about, and must fail.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster import client, errors, watch
from ansible_collections.kubestress.core.plugins.module_utils.cluster.client import Cluster, RetryPolicy
from ansible_collections.kubestress.core.plugins.module_utils.cluster.errors import ClusterError
from helpers import faults
from helpers.fault_suite import Case, Defence, believing, parameters


def _naive_event(line: bytes) -> watch.Event:
    document = json.loads(line)
    obj = document["object"]
    return watch.Event(document["type"], obj, version=obj["metadata"]["resourceVersion"])


_NAIVE = dataclasses.replace(watch.DOCUMENTS, event=_naive_event)


async def _renew_once(self: Cluster, refused: Any, refusals: int, _deadline: float) -> bool:
    return refusals == 1 and await self.renew_credentials(refused)


def _too_long(*_arguments: Any) -> float:
    return 1e6


RETRIES = Defence("transient failures are retried", off=((RetryPolicy, "pause_seconds", _too_long),))
OWN_CONFLICT = Defence(
    "a 409 after a lost answer is our own object",
    off=((ClusterError, "maybe_done_before", property(lambda _self: False, lambda _self, _value: None)),),
)
RETRY_AFTER = Defence("Retry-After is obeyed", off=((errors, "_retry_after", lambda _headers: None),))
WHOLE_ANSWERS = Defence(
    "half an answer is asked for again",
    off=((client, "unread", lambda asked, *_rest: ClusterError(f"{asked}: half an answer")),),
)
PROOF = Defence("an answer counts only if it proves who gave it", off=((Cluster, "_judged", believing),))
ROTATION = Defence(
    "credentials are read again, for as long as retries last", off=((Cluster, "accepted_again", _renew_once),)
)
WHOLE_EVENTS = Defence("a watch with lines that are no events is opened again", off=((watch, "DOCUMENTS", _NAIVE),))

SLOWLY = {"qps": 20, "burst": 1}
NO_API_SERVER = r"was answered by something that is no API server \(HTTP {}"

CASES = [
    Case(
        name="connection resets", point="", injects="every 5th request is reset before it arrives",
        make=lambda _k: faults.Resets(every=5), defence=RETRIES, says=("connection",),
    ),
    Case(
        name="lost answers", point="", injects="every 5th request is carried out and its answer lost",
        make=lambda _k: faults.LostAnswers(every=5), defence=OWN_CONFLICT, says=("connection",),
    ),
    Case(
        name="429 with Retry-After", point="", injects="every 6th object is refused once, to come back after 1 s",
        make=lambda _k: faults.TooMany(every=6, retry_after=1), defence=RETRY_AFTER, says=("429",),
    ),
    Case(
        name="429 without Retry-After", point="", injects="every 6th object is refused once",
        make=lambda _k: faults.TooMany(every=6, retry_after=None), defence=RETRIES, says=("429",),
    ),
    Case(
        name="cut bodies", point="F3", injects="the first two answers to each list end in the middle",
        make=lambda _k: faults.CutBodies(times=2), defence=WHOLE_ANSWERS, options={"preflight": "refuse"},
    ),
    Case(
        name="lines that are no events", point="F5", injects="after 2 events, each kind's first watch sends one",
        make=lambda _k: faults.NoEvents(after=2, watches=1), defence=WHOLE_EVENTS, says=("garbled",),
    ),
    Case(
        name="login page, twice each", point="F6", injects="every 3rd object's first two creations get 200 and a page",
        make=lambda _k: faults.Pages(what="page", every=3, times=2), defence=PROOF, says=("foreign",),
    ),
    Case(
        name="login page, for ever", point="F6", injects="every 3rd object's creation gets 200 and a page",
        make=lambda _k: faults.Pages(what="page", every=3, times=0), defence=PROOF, verdict="failed",
        options={"retry_deadline": 2}, says=(NO_API_SERVER.format("200, text/html"),),
    ),
    Case(
        name="empty answers", point="F6", injects="every 3rd object's first two creations get 200 and nothing",
        make=lambda _k: faults.Pages(what="empty", every=3, times=2), defence=PROOF, says=("foreign",),
    ),
    Case(
        name="redirects", point="F6", injects="every 3rd object's first two creations get 302 to a login page",
        make=lambda _k: faults.Pages(what="redirect", every=3, times=2), defence=PROOF, says=("foreign",),
    ),
    Case(
        name="null lists", point="F6", injects="the first two answers to each list are null",
        make=lambda _k: faults.NullLists(times=2), defence=PROOF, options={"preflight": "refuse"},
    ),
    Case(
        name="401 for 2 s", point="F6", injects="from the 10th change on, 2 s of 401",
        make=lambda _k: faults.Refused(after=10, seconds=2), defence=ROTATION, options=SLOWLY,
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", parameters(CASES))
def test_row(case: Case, play: Callable[[Case], None]) -> None:
    play(case)
