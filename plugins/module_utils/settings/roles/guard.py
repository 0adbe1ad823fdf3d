# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role guard: its variables, and the table of signs that most of them are the thresholds of."""

from __future__ import annotations

from dataclasses import dataclass

from ..setting import DAY_SECONDS, Entry, Range, Role, Setting

#: Where the figures come from. One that cannot be read is named, with the cause, in the results of the run.
PODS, NODES, EVENTS, REQUESTS, OUTAGES = "pods", "nodes", "events", "requests", "outages"
STOP, WARN = "stop", "warn"
_NEVER = 0


@dataclass(frozen=True)
class Sign:
    """One sign of ill health. The variable `guard_<name>` is the figure from which on a run stops.

    - `what` names the figure in messages; `unit` follows it: "" is a number of them, else "%" or "s".
    - `state`: the figure is what is so now. All others count what began during the last `guard_window` seconds.
    - `least`: how many requests the window must have before the figure says anything.
    - `default`, `highest`: of the variable; a profile may have another default (playbooks/profiles).
    """

    name: str
    source: str
    what: str
    default: float
    meaning: str
    unit: str = ""
    state: bool = False
    least: int = 0
    highest: float = 1_000_000

    @property
    def variable(self) -> str:
        """The name of its threshold."""
        return f"guard_{self.name}"

    @property
    def setting(self) -> Setting:
        """Its threshold."""
        return Setting(
            self.variable,
            "float" if self.unit else "int",
            self.default,
            allowed=Range(0 if self.unit else 1, self.highest, above=bool(self.unit), special=_NEVER, meaning="never"),
            meaning=self.meaning,
        )


SIGNS = (
    Sign(
        "failed_pods",
        PODS,
        "pods that failed",
        10,
        "Pods of the run that failed, for whatever cause, within C(guard_window). Those that somebody deletes do not "
        "count.",
    ),
    Sign(
        "failed_jobs",
        PODS,
        "Jobs that failed",
        5,
        "Jobs of the run that failed within C(guard_window), their deadlines included.",
    ),
    Sign(
        "image_pulls",
        PODS,
        "pods whose image cannot be pulled",
        5,
        "Pods of the run that began to wait for an image that cannot be pulled, within C(guard_window). They are seen "
        "while they wait, long before anything fails.",
    ),
    Sign(
        "crashes",
        PODS,
        "containers that crashed or could not be started",
        10,
        "Restarts of containers, and containers that could not be started, within C(guard_window). Pods that are meant "
        "to be killed for their memory do not count.",
    ),
    Sign(
        "evictions",
        PODS,
        "pods that were evicted",
        3,
        "Pods of the run that a kubelet evicted within C(guard_window).",
    ),
    Sign(
        "fork_failures",
        EVENTS,
        "failed forks",
        5,
        "Pods and events that say, within C(guard_window), that no process or thread could be started.",
    ),
    Sign(
        "sandbox_failures",
        EVENTS,
        "failures to set up a pod's sandbox",
        10,
        "Events C(FailedCreatePodSandBox) of the run's pods within C(guard_window), as when the network plug-in fails.",
    ),
    Sign(
        "refused_volumes",
        EVENTS,
        "refusals of drivers ever to make a volume",
        1,
        "Events C(ProvisioningFailed) of the run's claims within C(guard_window) by which their driver can never make "
        "the volume (InvalidArgument, OutOfRange, Unimplemented), as a device where it has only file systems. Such a "
        "claim stays Pending, so the run cannot end well.",
    ),
    Sign(
        "lost_nodes",
        NODES,
        "nodes with the run's pods that are gone or not Ready",
        1,
        "Nodes with pods of the run that are deleted, or not Ready, at one moment.",
        state=True,
    ),
    Sign(
        "pressured_nodes",
        NODES,
        "nodes with the run's pods under pressure",
        1,
        "Nodes with pods of the run whose condition MemoryPressure, DiskPressure or PIDPressure is true, at one "
        "moment.",
        state=True,
    ),
    Sign(
        "api_errors",
        REQUESTS,
        "requests that the API server did not serve",
        50,
        "Percentage of the run's requests within C(guard_window), of at least 20, that ended with 429, a status of 500 "
        "or more, a broken connection or no answer; at least 3 of them. What happens in an outage is not counted.",
        unit="%",
        least=20,
        highest=100,
    ),
    Sign(
        "api_p99",
        REQUESTS,
        "p99 of the API server's answers",
        15,
        "Seconds within which 99 % of the run's requests of C(guard_window), at least 100, were answered. What happens "
        "in an outage is not counted.",
        unit="s",
        least=100,
        highest=3_600,
    ),
    Sign(
        "outage",
        OUTAGES,
        "outages of the API server that are over",
        0,
        "Seconds of outages within C(guard_window), judged when the API server answers again. Until then "
        "C(run_outage_limit) decides.",
        unit="s",
        highest=DAY_SECONDS,
    ),
)

_SETTINGS = (
    Setting(
        "guard_enabled",
        "bool",
        True,
        meaning=(
            "Whether a guard looks for signs of ill health while the run sends its load. With C(false) nothing is "
            "looked for."
        ),
    ),
    Setting(
        "guard_action",
        "str",
        STOP,
        choices=(STOP, WARN),
        meaning=(
            "What happens when a threshold is reached. With C(stop) the run sends nothing more and ends as aborted, "
            "with all that it has measured. With C(warn) it says so and goes on."
        ),
    ),
    Setting(
        "guard_window",
        "int",
        60,
        allowed=Range(5, 3_600),
        meaning="Seconds over which the guard counts. What is older no longer counts.",
    ),
    *(sign.setting for sign in SIGNS),
)

ROLE = Role(
    "guard",
    entries=(
        Entry(
            "main",
            "Check the guard's thresholds, and show them",
            (
                "A run stops itself when pods fail, nodes are lost, forks fail, or the API server does not keep up. "
                "These variables say from which figure on; each profile has its own defaults.\n"
                "In a run of C(kubestress.core.stress), and with each role that loads a cluster, this role is not "
                "needed: the batch has the guard in its own process, with the variables of this role."
            ),
            settings=_SETTINGS,
        ),
    ),
)
