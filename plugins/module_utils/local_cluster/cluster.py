# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The states present, absent and built of the local cluster. Each does only what is missing, and reports it."""

from __future__ import annotations

import dataclasses
import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext

from ..machine.sync import exclusive
from . import host, storage
from .binaries import Binary
from .errors import LocalClusterError
from .files import write_files
from .layout import Layout
from .node_namespaces import NODE
from .parts import Part
from .pki import Pki
from .population import Population, describe_changes
from .ports import check_free, choose_ports
from .preconditions import check_machine
from .programs import Programs, describe
from .real import clean_up, describe_node, describe_remains
from .settings import Settings, span
from .state import Report, State, fixed_settings
from .supervisor import Supervisor, end
from .tier import (
    ALL_PARTS,
    Decision,
    decide,
    describe_difference,
    leftover_processes,
    part_names,
    restarted_with_driver,
    restarted_with_node,
    wanted_parts,
)

# Short, because nothing is kept: a process that does not end is killed.
ABSENT_GRACE_SECONDS = 5.0


class LocalCluster:
    """One cluster, identified by its data folder. With `check_mode` nothing is changed, only reported."""

    def __init__(self, settings: Settings, *, check_mode: bool = False) -> None:
        self.report = Report()
        self.settings = self._supported(settings)
        self.check_mode = check_mode
        self.layout = Layout(settings.data_dir)
        self.pki = Pki(self.layout.pki)
        self.supervisor = Supervisor(self.layout, self.pki)
        self.programs = Programs(self.settings)
        self.names = part_names(self.settings)

    def _supported(self, settings: Settings) -> Settings:
        """The settings, without the real node if this machine cannot run one, which is a warning."""
        reason = host.obstacle() if settings.real_node else None
        if reason is None:
            return settings
        self.report.warnings.append(f"real_node is true, but {reason}: the cluster has simulated nodes only")
        return dataclasses.replace(settings, real_node=False)

    def built(self) -> Report:
        """Find or build every program; nothing is started."""
        missing = self.programs.missing(State())
        if missing:
            self.report.changes.append(f"build {', '.join(missing)}")
        if not self.check_mode:
            self.report.details["binaries"] = describe(self.programs.all(State()))
        return self.report

    def present(self) -> Report:
        """Make the cluster run with these settings, with every node Ready.

        :raises LocalClusterError: one line with the obstacle and what to do.
        """
        with self._lock():
            self._check_folder()
            state = State.load(self.layout.state)
            self.settings = self.settings.with_ports(choose_ports(self.settings, state.settings))
            if self.check_mode:
                return self._predict_present(state)
            began = time.monotonic()
            self._end_leftovers()
            # Checked before a build that takes minutes.
            if self.settings.real_node:
                check_machine(self.settings, running=NODE in self.supervisor.running(ALL_PARTS))
            elif not self.supervisor.running(ALL_PARTS):
                check_free(self.settings.all_ports)
            binaries = self.programs.all(state)
            parts = self._parts(binaries)
            self._bring_up(parts, state, binaries)
            self._populate(parts)
            self._describe(parts, binaries)
            self.report.details["seconds"] = round(time.monotonic() - began, 1)
            return self.report

    def absent(self) -> Report:
        """End all processes and remove all files of this cluster; the cache stays."""
        with self._lock():
            self._check_folder()
            processes = self.supervisor.everything()
            if processes:
                self.report.changes.append(f"end {len(processes)} processes")
            self.report.changes += describe_remains(self.settings)
            if self.layout.root.exists():
                self.report.changes.append(f"remove {self.layout.root}")
            if not self.check_mode:
                end(processes, grace_seconds=ABSENT_GRACE_SECONDS)
                clean_up(self.settings)
                storage.clean_up()
                self._remove_folder()
            return self.report

    def _lock(self) -> AbstractContextManager[None]:
        """A lock, so that runs on the same data folder take turns. Check mode writes nothing, not even a lock."""
        if self.check_mode:
            return nullcontext()
        return exclusive(self.settings.cache_dir / "locks" / f"cluster-{self.settings.key}.lock")

    def _check_folder(self) -> None:
        """Refuse a foreign folder. One in which our processes run is ours, even if its files were removed."""
        if not self.supervisor.everything():
            self.layout.check_ownership()

    def _remove_folder(self) -> None:
        root = self.layout.root
        if root.exists():
            shutil.rmtree(root)
        # In the default location the parent folder is ours too.
        if root.parent.name == "kubestress" and root.parent.is_dir() and not any(root.parent.iterdir()):
            root.parent.rmdir()

    # --- processes

    def _parts(self, binaries: Mapping[str, Binary]) -> list[Part]:
        return wanted_parts(self.settings, self.layout, self.pki, binaries)

    def _end_leftovers(self) -> None:
        """End processes that an interrupted run did not record, or whose folder was removed."""
        running = self.supervisor.running(ALL_PARTS)
        if set(self.names) <= set(running):
            return
        leftover = leftover_processes(self.supervisor.everything(), running.values())
        if leftover:
            end(leftover, grace_seconds=ABSENT_GRACE_SECONDS)
            self.report.changes.append(f"end {len(leftover)} processes of an interrupted start")

    def _decide(self, parts: list[Part], state: State) -> Decision:
        alive = self.supervisor.running(self.names)
        decision = decide(
            {part.name: part.fingerprint for part in parts},
            state.fingerprints,
            alive=alive,
            replaceable=[part.name for part in parts if part.replaceable],
            restart=self.settings.restart,
        )
        # To add a real node to a running simulated tier is a restart, which has to be allowed.
        if decision.outdated:
            return decision
        decision = restarted_with_node(decision, wanted=self.names, alive=alive)
        return restarted_with_driver(decision, alive=alive)

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
                self.report.warnings.append(f"{name} was no longer running: {self.supervisor.last_log_line(name)}")
        begin = [part for part in parts if part.name in {*decision.start, *decision.replace}]
        if not self.settings.real_node:
            self._check_ports(begin, state, decision)
        ended = self._end_replaced(decision)
        if begin:
            self._write_files(begin)
            self._save_state(parts, binaries)
            self._start(begin, [part for part in parts if part not in begin], binaries)
        elif not self.layout.kubeconfig.exists():
            self._write_files([])
            self.report.changes.append("write the kubeconfig")
        if ended and not begin:
            self._save_state(parts, binaries)
        self._report_starts(decision)

    def _check_ports(self, begin: list[Part], state: State, decision: Decision) -> None:
        """Check ports before ending anything. Those of parts that are restarted will become free."""
        had = (
            {
                one
                for option, port in state.settings.items()
                if option.endswith("_port")
                for one in span(option, port).values()
            }
            if decision.replace
            else set()
        )
        wanted = {option: port for part in begin for option, port in part.ports.items()}
        check_free({option: port for option, port in wanted.items() if port not in had})

    def _unwanted(self) -> list[str]:
        """The running parts that these settings do not have."""
        return list(self.supervisor.running([name for name in ALL_PARTS if name not in self.names]))

    def _end_replaced(self, decision: Decision) -> list[str]:
        """End the parts that are restarted, and those that are no longer wanted; returns the latter."""
        unwanted = self._unwanted()
        if NODE in unwanted:
            # Including its pods, which use what is cleaned up next.
            end(self.supervisor.everything(), grace_seconds=ABSENT_GRACE_SECONDS)
            clean_up(self.settings)
            self.report.changes.append("end the real node")
        elif unwanted:
            self.report.changes.append(f"end {', '.join(unwanted)}")
        self.supervisor.stop([*decision.replace, *(name for name in ALL_PARTS if name not in self.names)])
        return unwanted

    def _write_files(self, parts: list[Part]) -> None:
        settings = self.settings
        write_files(
            self.layout,
            self.pki,
            address=settings.address,
            endpoint=settings.endpoint,
            parts=parts,
            storage=settings.storage,
            controllers=settings.controllers,
        )

    def _save_state(self, parts: list[Part], binaries: Mapping[str, Binary]) -> None:
        State(
            settings=fixed_settings(self.settings),
            fingerprints={part.name: part.fingerprint for part in parts},
            binaries=dict(binaries),
            pinned=self.programs.pinned(),
        ).save(self.layout.state)

    def _start(self, parts: list[Part], others: list[Part], binaries: Mapping[str, Binary]) -> None:
        """Start `parts`; if one fails, end all of them, so that no incomplete cluster remains."""
        try:
            self.supervisor.start(parts, timeout_seconds=self.settings.ready_timeout)
        except LocalClusterError:
            self.supervisor.stop([part.name for part in parts])
            if not self.supervisor.everything():
                clean_up(self.settings)
            self._save_state(others, binaries)
            raise

    def _populate(self, parts: list[Part]) -> None:
        """Create, change and delete nodes as wanted, and wait until pods can run on them."""

        def check_parts() -> None:
            for part in parts:
                self.supervisor.check_alive(part)

        population = Population(self.settings, self.pki)
        self.report.changes += describe_changes(population.match())
        if self.settings.storage:
            self.report.changes += population.match_storage()
        self.report.changes += population.match_controllers()
        population.wait_usable(check_parts=check_parts, logs=self.layout.log("kwok").parent)

    def _report_starts(self, decision: Decision) -> None:
        if decision.start:
            self.report.changes.append(f"start {', '.join(decision.start)}")
        if decision.replace:
            self.report.changes.append(f"restart {', '.join(decision.replace)}")

    # --- the report

    def _predict_present(self, state: State) -> Report:
        self.report.details["kubeconfig"] = str(self.layout.kubeconfig)
        missing = self.programs.missing(state)
        if missing:
            self.report.changes.append(f"build {', '.join(missing)}")
        running = self.supervisor.running(self.names)
        if self.settings.real_node:
            check_machine(self.settings, running=NODE in running)
        elif not running and not self.supervisor.everything():
            check_free(self.settings.all_ports)
        if missing or not running:
            stopped = [name for name in self.names if name not in running]
            self._report_starts(Decision(start=tuple(stopped)))
        else:
            decision = self._decide(self._parts(self.programs.available(state)), state)
            self._refuse(decision, state)
            unwanted = self._unwanted()
            if unwanted:
                self.report.changes.append(f"end {'the real node' if NODE in unwanted else ', '.join(unwanted)}")
            self._report_starts(decision)
        if {"kube-apiserver", "etcd"} <= set(running):
            population = Population(self.settings, self.pki)
            self.report.changes += describe_changes(population.changes())
            self.report.changes += population.missing_storage() if self.settings.storage else []
            self.report.changes += population.missing_controllers()
        elif not self.layout.etcd.exists():
            self.report.changes += [f"create {self.settings.all_nodes} nodes"] if self.settings.all_nodes else []
        return self.report

    def _describe(self, parts: list[Part], binaries: Mapping[str, Binary]) -> None:
        running = self.supervisor.running(part.name for part in parts)
        self.report.details |= {
            "binaries": describe(binaries),
            "kubeconfig": str(self.layout.kubeconfig),
            "endpoint": self.settings.endpoint,
            "nodes": self.settings.nodes,
            "node_pools": {pool.name: pool.count for pool in self.settings.node_pools},
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
