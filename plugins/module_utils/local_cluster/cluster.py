# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local cluster as a whole: present, absent, built. Each does only what is still missing, and says what it did."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from ..machine.sync import exclusive
from . import host
from .binaries import Binary
from .errors import LocalClusterError
from .files import write_files
from .layout import Layout
from .parts import Part
from .pki import Pki
from .population import Population, told
from .ports import check_free
from .programs import Programs, describe
from .real import clean_up, describe_node, left_over
from .settings import Settings
from .state import Report, State, fixed_settings
from .supervisor import Supervisor, end
from .tier import ALL_PARTS, Decision, decide, describe_difference, part_names, strays, wanted_parts, with_the_node

# Ends quickly, for nothing is kept: what does not listen is killed.
ABSENT_GRACE_SECONDS = 5.0


class LocalCluster:
    """One cluster, named by its data folder. `check_mode` looks and reports, but does nothing."""

    def __init__(self, settings: Settings, *, check_mode: bool = False) -> None:
        self.report = Report()
        self.settings = self._possible(settings)
        self.check_mode = check_mode
        self.layout = Layout(settings.data_dir)
        self.pki = Pki(self.layout.pki)
        self.supervisor = Supervisor(self.layout, self.pki)
        self.programs = Programs(self.settings)
        self.names = part_names(self.settings)

    def _possible(self, settings: Settings) -> Settings:
        """The settings, without the real node where this machine cannot have one: said aloud, not refused."""
        reason = host.why_not() if settings.real_node else None
        if reason is None:
            return settings
        self.report.warnings.append(f"real_node is true, but {reason}: the cluster has simulated nodes only")
        return dataclasses.replace(settings, real_node=False)

    def built(self) -> Report:
        """Have every program ready, found or built; nothing is started."""
        missing = self.programs.missing(State())
        if missing:
            self.report.changes.append(f"build {', '.join(missing)}")
        if not self.check_mode:
            self.report.details["binaries"] = describe(self.programs.all(State()))
        return self.report

    def present(self) -> Report:
        """Have the cluster run with these settings, every node Ready.

        :raises LocalClusterError: one line that says what is in the way and what to do.
        """
        with self._alone():
            self._check_folder()
            state = State.load(self.layout.state)
            if self.check_mode:
                return self._predict_present(state)
            began = time.monotonic()
            self._end_strays()
            # Before a build that takes minutes, not after it.
            if self.settings.real_node:
                host.find()
            elif not self.supervisor.running(ALL_PARTS):
                check_free(self.settings.ports)
            binaries = self.programs.all(state)
            parts = self._parts(binaries)
            self._bring_up(parts, state, binaries)
            self._populate(parts)
            self._describe(parts, binaries)
            self.report.details["seconds"] = round(time.monotonic() - began, 1)
            return self.report

    def absent(self) -> Report:
        """Have no process and no file of this cluster; the cache stays."""
        with self._alone():
            self._check_folder()
            processes = self.supervisor.everything()
            if processes:
                self.report.changes.append(f"end {len(processes)} processes")
            self.report.changes += left_over(self.settings)
            if self.layout.root.exists():
                self.report.changes.append(f"remove {self.layout.root}")
            if not self.check_mode:
                end(processes, grace_seconds=ABSENT_GRACE_SECONDS)
                clean_up(self.settings)
                self._remove_folder()
            return self.report

    def _alone(self) -> AbstractContextManager[None]:
        """Two runs on the same data folder take turns. Check mode writes nothing, not even a lock."""
        if self.check_mode:
            return nullcontext()
        return exclusive(self.settings.cache_dir / "locks" / f"cluster-{self.settings.key}.lock")

    def _check_folder(self) -> None:
        """Refuse a stranger's folder; one that our processes still work in is ours, whatever somebody removed there."""
        if not self.supervisor.everything():
            self.layout.check_ownership()

    def _remove_folder(self) -> None:
        root = self.layout.root
        if root.exists():
            shutil.rmtree(root)
        # The folder above is ours as well in the default place.
        if root.parent.name == "kubestress" and root.parent.is_dir() and not any(root.parent.iterdir()):
            root.parent.rmdir()

    # --- processes

    def _parts(self, binaries: Mapping[str, Binary]) -> list[Part]:
        return wanted_parts(self.settings, self.layout, self.pki, binaries)

    def _end_strays(self) -> None:
        """End what an interrupted run started but did not write down, or whose folder somebody removed."""
        running = self.supervisor.running(ALL_PARTS)
        if set(self.names) <= set(running):
            return
        lost = strays(self.supervisor.everything(), running.values())
        if lost:
            end(lost, grace_seconds=ABSENT_GRACE_SECONDS)
            self.report.changes.append(f"end {len(lost)} processes of an interrupted start")

    def _decide(self, parts: list[Part], state: State) -> Decision:
        alive = self.supervisor.running(self.names)
        decision = decide(
            {part.name: part.fingerprint for part in parts},
            state.fingerprints,
            alive=alive,
            replaceable=[part.name for part in parts if part.replaceable],
            restart=self.settings.restart,
        )
        # A real node asked for while the simulated tier runs is a restart like any other: it has to be allowed.
        return decision if decision.outdated else with_the_node(decision, wanted=self.names, alive=alive)

    def _refuse(self, decision: Decision, state: State) -> None:
        if decision.outdated:
            difference = describe_difference(state.settings, fixed_settings(self.settings), decision.outdated)
            raise LocalClusterError(
                f"the local cluster in {self.layout.root} runs with other settings: {difference}; "
                "set restart to true to restart it with its objects, or remove it first with state absent"
            )

    def _bring_up(self, parts: list[Part], state: State, binaries: Mapping[str, Binary]) -> None:
        decision = self._decide(parts, state)
        self._refuse(decision, state)
        for name in decision.start:
            if name in state.fingerprints:
                self.report.warnings.append(f"{name} was not running any more: {self.supervisor.last_words(name)}")
        begin = [part for part in parts if part.name in {*decision.start, *decision.replace}]
        if not self.settings.real_node:
            self._check_ports(begin, state, decision)
        self._end_superfluous(decision)
        if begin:
            self._write_files(begin)
            self._remember(parts, binaries)
            self._start(begin, [part for part in parts if part not in begin], binaries)
        elif not self.layout.kubeconfig.exists():
            self._write_files([])
            self.report.changes.append("write the kubeconfig")
        self._note_starts(decision)

    def _check_ports(self, begin: list[Part], state: State, decision: Decision) -> None:
        """Before anything is ended. Ports that the cluster itself had until now become free by that."""
        had = (
            {port for option, port in state.settings.items() if option.endswith("_port")} if decision.replace else set()
        )
        wanted = {option: port for part in begin for option, port in part.ports.items()}
        check_free({option: port for option, port in wanted.items() if port not in had})

    def _end_superfluous(self, decision: Decision) -> None:
        """End what is started again, and the real node where it is not wanted any more."""
        others = [name for name in ALL_PARTS if name not in self.names]
        if self.supervisor.running(others):
            # With its pods, which hold what is to be cleaned up.
            end(self.supervisor.everything(), grace_seconds=ABSENT_GRACE_SECONDS)
            clean_up(self.settings)
            self.report.changes.append("end the real node")
        self.supervisor.stop([*decision.replace, *others])

    def _write_files(self, parts: list[Part]) -> None:
        settings = self.settings
        write_files(self.layout, self.pki, address=settings.address, endpoint=settings.endpoint, parts=parts)

    def _remember(self, parts: list[Part], binaries: Mapping[str, Binary]) -> None:
        State(
            settings=fixed_settings(self.settings),
            fingerprints={part.name: part.fingerprint for part in parts},
            binaries=dict(binaries),
            pinned=self.programs.pinned(),
        ).save(self.layout.state)

    def _start(self, parts: list[Part], others: list[Part], binaries: Mapping[str, Binary]) -> None:
        """Start `parts`; if one fails, end those that were started with it, so that no half cluster stays."""
        try:
            self.supervisor.start(parts, timeout_seconds=self.settings.ready_timeout)
        except LocalClusterError:
            self.supervisor.stop([part.name for part in parts])
            if not self.supervisor.everything():
                clean_up(self.settings)
            self._remember(others, binaries)
            raise

    def _populate(self, parts: list[Part]) -> None:
        """Have the nodes that are wanted, and wait until pods could run on them."""

        def check_parts() -> None:
            for part in parts:
                self.supervisor.check_alive(part)

        population = Population(self.settings, self.pki)
        self.report.changes += told(population.match())
        population.wait_usable(check_parts=check_parts, logs=self.layout.log("kwok").parent)

    def _note_starts(self, decision: Decision) -> None:
        if decision.start:
            self.report.changes.append(f"start {', '.join(decision.start)}")
        if decision.replace:
            self.report.changes.append(f"restart {', '.join(decision.replace)}")

    # --- what is told

    def _predict_present(self, state: State) -> Report:
        self.report.details["kubeconfig"] = str(self.layout.kubeconfig)
        missing = self.programs.missing(state)
        if missing:
            self.report.changes.append(f"build {', '.join(missing)}")
        running = self.supervisor.running(self.names)
        if self.settings.real_node:
            host.find()
        elif not running and not self.supervisor.everything():
            check_free(self.settings.ports)
        if missing or not running:
            stopped = [name for name in self.names if name not in running]
            self._note_starts(Decision(start=tuple(stopped)))
        else:
            decision = self._decide(self._parts(self.programs.there(state)), state)
            self._refuse(decision, state)
            self._note_starts(decision)
        if {"kube-apiserver", "etcd"} <= set(running):
            self.report.changes += told(Population(self.settings, self.pki).changes())
        elif not self.layout.etcd.exists():
            self.report.changes += [f"create {self.settings.nodes} nodes"] if self.settings.nodes else []
        return self.report

    def _describe(self, parts: list[Part], binaries: Mapping[str, Binary]) -> None:
        running = self.supervisor.running(part.name for part in parts)
        self.report.details |= {
            "binaries": describe(binaries),
            "kubeconfig": str(self.layout.kubeconfig),
            "endpoint": self.settings.endpoint,
            "nodes": self.settings.nodes,
            "parts": {
                part.name: {
                    "pid": running[part.name].pid,
                    "ports": dict(part.ports),
                    "log": str(self.layout.log(part.name)),
                }
                for part in parts
            },
            "real_node": describe_node(self.settings, self.layout) if self.settings.real_node else {},
        }
