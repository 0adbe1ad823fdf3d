"""A controller manager that dies while a run waits for its work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.leases import LeaseBook
from helpers.fault_suite import Case, Defence
from helpers.plane_faults import KilledPart, Part, wait_until_working
from helpers.waiting import until

NAME = "kube-controller-manager"
#: As in a cluster with several of them; the embedded one runs alone.
ELECTED = {"--leader-elect=false": "--leader-elect=true"}

DEAD = Case(
    name="controller manager dead for 25 s", point="F2",
    injects="kube-controller-manager gets SIGKILL at the 10th change, and is started again 25 s later",
    # The part is looked up when the row begins: the fixture has started it anew.
    make=lambda kubeconfig: KilledPart(Part(kubeconfig, NAME), after=10, seconds=25),
    defence=Defence("the controllers' leases are read while a run waits",
                    off=((LeaseBook, "take", lambda _self, _reading, **_options: []),)),
    says=(f"{NAME} .*: what it looks after stands still",),
    options={"qps": 20, "burst": 1, "wait_timeout": 150}, within=150, needs_plane=True,
)  # fmt: skip


@pytest.fixture
def leader(kubeconfig: Path, kubectl: Callable[..., Any], plane: Callable[[str], Part]) -> Iterator[None]:
    """Let the controller manager hold a lease while the test runs."""
    part = plane(NAME)

    def renewed() -> str | None:
        leases = kubectl("get", "leases", "-n=kube-system", f"--field-selector=metadata.name={NAME}")["items"]
        return leases[0]["spec"].get("renewTime") if leases else None

    part.start_with(ELECTED)
    until(renewed)
    wait_until_working(kubectl)
    yield
    Part(kubeconfig, NAME).start_with({new: old for old, new in ELECTED.items()})
    kubectl("delete", "lease", NAME, "-n=kube-system")
    wait_until_working(kubectl)


@pytest.mark.outage
@pytest.mark.usefixtures("leader")
def test_row(play: Callable[[Case], None]) -> None:
    play(DEAD)
