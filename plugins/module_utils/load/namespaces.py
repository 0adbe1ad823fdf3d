# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a namespace is ready: Active, and with the ServiceAccount `default`, without which no pod is admitted."""

from __future__ import annotations

from ..cluster.watch import Event
from ..readiness.state import State
from .labels import LABEL_ROLE
from .scheduler import Scheduler
from .standing import Standings


class Namespaces:
    """Fed with the events of the run's Namespaces and of all ServiceAccounts `default`; tells standings and scheduler.

    `uids` are those of the run's namespaces, by name.
    """

    def __init__(self, standings: Standings, scheduler: Scheduler, *, roles: frozenset[str]) -> None:
        self.uids: dict[str, str] = {}
        self._standings = standings
        self._scheduler = scheduler
        self._roles = roles
        self._accounts: set[str] = set()
        self._active: set[str] = set()
        self._needs_accounts = True

    def account_event(self, _kind: str, event: Event, _from_list: bool) -> None:
        """A ServiceAccount `default` of any namespace."""
        if event.type != "DELETED":
            namespace = event.object["metadata"]["namespace"]
            self._accounts.add(namespace)
            if namespace in self._active:
                self._ready(namespace)

    def namespace_event(self, kind: str, event: Event, _from_list: bool) -> None:
        """A Namespace of the run."""
        obj = event.object
        name = obj["metadata"]["name"]
        role = (obj["metadata"].get("labels") or {}).get(LABEL_ROLE, "")
        if role not in self._roles:
            return
        known = self._standings.entry(kind, ("", name), role)
        self.uids[name] = obj["metadata"]["uid"]
        phase = obj.get("status", {}).get("phase")
        if event.type == "DELETED" or phase == "Terminating":
            self._standings.set(kind, ("", name), known, State.FAILED, "it is being deleted by somebody else")
            self._scheduler.namespace_failed(name, f"Namespace {name} is being deleted")
        elif phase == "Active":
            self._active.add(name)
            if not self._needs_accounts or name in self._accounts:
                self._ready(name)
            else:
                known.cause = "Active, but its ServiceAccount default does not exist yet"

    def without_accounts(self) -> None:
        """ServiceAccounts may not be read: Active is enough."""
        self._needs_accounts = False
        for namespace in list(self._active):
            self._ready(namespace)

    def give_up(self, name: str, seconds: float) -> None:
        """A namespace that is still not ready after its time has failed: nothing more is sent there."""
        known = self._standings.find("Namespace", ("", name))
        if known is not None and known.state is State.WAITING:
            cause = f"not ready after {seconds:g} s: {known.cause}"
            self._standings.set("Namespace", ("", name), known, State.FAILED, cause)
            self._scheduler.namespace_failed(name, f"Namespace {name} {cause}")

    def _ready(self, name: str) -> None:
        known = self._standings.find("Namespace", ("", name))
        if known is not None and known.state is State.WAITING:
            self._standings.set("Namespace", ("", name), known, State.READY, "")
        self._scheduler.namespace_ready(name)
