"""Watches that fall silent or tell old news, and a proxy that invents answers."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.versions import Versions
from ansible_collections.kubestress.core.plugins.module_utils.cluster.watch import ListWatch
from ansible_collections.kubestress.core.plugins.module_utils.load.stored import StoredNames
from ansible_collections.kubestress.core.plugins.module_utils.load.tracker import Tracker
from helpers import faults
from helpers.batches import NAMESPACES, config_maps, deployments, jobs
from helpers.fault_suite import CONFIG_MAPS, DEPLOYMENTS, JOBS, Case, Defence, parameters


async def _do_nothing(*_arguments: object, **_options: object) -> None:
    return None


#: Seconds after which a watch is too quiet.
QUIET = ListWatch.__init__.__kwdefaults__
LAST_LOOK = (Tracker, "look_again", _do_nothing)
IMPATIENT = [
    NAMESPACES,
    config_maps(CONFIG_MAPS),
    deployments(DEPLOYMENTS, ready_timeout=10),
    jobs(JOBS),
]

CASES = [
    Case(
        name="silent watches", point="F4", injects="each kind's first watch falls silent after its first event",
        make=lambda _k: faults.SilentWatches(after=1, watches=1), says=("watches opened again",),
        defence=Defence("a watch that is quiet for 90 s (here 3 s) is opened again",
                        off=((QUIET, "quiet_seconds", math.inf),)),
        shortened=((QUIET, "quiet_seconds", 3.0),), within=60,
    ),
    Case(
        name="a watch that stays silent", point="F4", injects="no watch of Deployments tells anything",
        make=lambda _k: faults.SilentWatches(after=0, watches=9, plural="/deployments"),
        defence=Defence("before anything is given up, it is listed once more", off=(LAST_LOOK,)),
        options={"fragments": IMPATIENT}, within=120,
    ),
    Case(
        name="repeated and reordered events", point="F8", injects="after each event come older ones of the object",
        make=lambda _k: faults.OldEvents(),
        defence=Defence("versions older than what is known are dropped, and the last look decides",
                        off=((Versions, "is_news", lambda _self, _event: True), LAST_LOOK)),
        within=120,
    ),
    Case(
        name="creations made up", point="F6", injects="every 5th ConfigMap is answered with 201 and not stored",
        make=lambda _k: faults.NeverStored(every=5), verdict="failed",
        says=("stored, but not there at the end",),
        defence=Defence("what nobody watches is listed and compared at the end",
                        off=((StoredNames, "compare", _do_nothing),)),
    ),
]  # fmt: skip


@pytest.mark.parametrize("case", parameters(CASES))
def test_row(case: Case, play: Callable[[Case], None]) -> None:
    play(case)
