# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The local cluster as a whole: present, absent, built. Each does only what is still missing, and says what it did."""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

from . import nodes
from .api import Api
from .binaries import Binary, find_binaries, provide_binaries
from .build import GoBuilder
from .decision import Decision, decide, describe_difference
from .errors import LocalClusterError, NotReadyError
from .kubeconfig import write_kubeconfig
from .layout import Layout
from .locks import exclusive
from .parts import SERVICE_ADDRESS, Part, part_kubeconfig, simulated_tier
from .pki import ADMIN, CONTROLLER_MANAGER, KWOK, SCHEDULER, Pki
from .ports import check_free
from .process import terminate
from .settings import LOOPBACK, Settings
from .state import State, fixed_settings
from .supervisor import Supervisor
from .upstreams import CONTROL_PLANE, UPSTREAMS
from .waiting import wait_until

# Ends quickly, for nothing is kept: what does not listen is killed.
ABSENT_GRACE_SECONDS = 5.0


@dataclass
class Report:
    """What was done, or in check mode would be."""

    changes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def changed(self) -> bool:
        """Whether anything was done."""
        return bool(self.changes)


class LocalCluster:
    """One cluster, named by its data folder. `check_mode` looks and reports, but does nothing."""

    def __init__(self, settings: Settings, *, check_mode: bool = False) -> None:
        self.settings = settings
        self.check_mode = check_mode
        self.layout = Layout(settings.data_dir)
        self.pki = Pki(self.layout.pki)
        self.supervisor = Supervisor(self.layout, self.pki)
        self.report = Report()

    def built(self) -> Report:
        """Have every program ready, found or built; nothing is started."""
        names = self._binary_names()
        missing = [name for name in names if name not in self._found(names)]
        if missing:
            self.report.changes.append(f"build {', '.join(missing)}")
        if not self.check_mode:
            self._describe_binaries(self._provide(names))
        return self.report

    def present(self) -> Report:
        """Have the cluster run with these settings, every node Ready.

        :raises LocalClusterError: one line that says what is in the way and what to do.
        """
        with self._alone():
            self.layout.check_ownership()
            state = State.load(self.layout.state)
            if self.check_mode:
                return self._predict_present(state)
            began = time.monotonic()
            self._end_strays()
            if not self.supervisor.running(CONTROL_PLANE):
                # Before a build that takes minutes, not after it.
                check_free(self.settings.ports)
            binaries = self._known_binaries(state)
            parts = self._parts(binaries)
            self._bring_up(parts, state, binaries)
            self._match_nodes()
            self._wait_usable(parts)
            self._describe(parts, binaries)
            self.report.details["seconds"] = round(time.monotonic() - began, 1)
            return self.report

    def absent(self) -> Report:
        """Have no process and no file of this cluster; the cache stays."""
        with self._alone():
            self.layout.check_ownership()
            processes = self.supervisor.everything()
            if processes:
                self.report.changes.append(f"end {len(processes)} processes")
            if self.layout.root.exists():
                self.report.changes.append(f"remove {self.layout.root}")
            if not self.check_mode:
                terminate(processes, grace_seconds=ABSENT_GRACE_SECONDS)
                self._remove_folder()
            return self.report

    def _alone(self) -> AbstractContextManager[None]:
        """Two runs on the same data folder take turns. Check mode writes nothing, not even a lock."""
        if self.check_mode:
            return nullcontext()
        return exclusive(self.settings.cache_dir / "locks" / f"cluster-{self.settings.key}.lock")

    def _remove_folder(self) -> None:
        root = self.layout.root
        if root.exists():
            shutil.rmtree(root)
        # The folder above is ours as well in the default place.
        if root.parent.name == "kubestress" and root.parent.is_dir() and not any(root.parent.iterdir()):
            root.parent.rmdir()

    # --- programs

    def _binary_names(self) -> list[str]:
        return [*CONTROL_PLANE, *(["kubectl"] if self.settings.kubectl else [])]

    def _pinned(self) -> dict[str, str]:
        return {upstream.folder: upstream.version(self.settings.sources_dir) for upstream in UPSTREAMS}

    def _known_binaries(self, state: State) -> dict[str, Binary]:
        """The programs that this cluster was started from as long as they are valid, else looked for anew."""
        same = (
            state.pinned == self._pinned()
            and state.settings.get("binaries_dir") == fixed_settings(self.settings)["binaries_dir"]
        )
        known = {name: item for name, item in state.binaries.items() if same and item.path.exists()}
        missing = [name for name in self._binary_names() if name not in known]
        return known | (self._provide(missing) if missing else {})

    def _found(self, names: list[str]) -> dict[str, Binary]:
        settings = self.settings
        return find_binaries(
            names,
            sources_dir=settings.sources_dir,
            cache_dir=settings.cache_dir,
            binaries_dir=settings.binaries_dir,
        )

    def _provide(self, names: list[str]) -> dict[str, Binary]:
        settings = self.settings
        return provide_binaries(
            names,
            sources_dir=settings.sources_dir,
            cache_dir=settings.cache_dir,
            binaries_dir=settings.binaries_dir,
            builder=GoBuilder(
                cache_dir=settings.cache_dir,
                sources_dir=settings.sources_dir,
                timeout_seconds=settings.build_timeout,
            ),
        )

    # --- files

    def _write_files(self, parts: list[Part]) -> None:
        """Everything that `parts` read. Keys and tokens that are there already stay as they are."""
        self.layout.create()
        if not self.pki.complete:
            self.pki.create([LOOPBACK, SERVICE_ADDRESS])
        endpoint = self.settings.endpoint
        write_kubeconfig(self.layout.kubeconfig, server=endpoint, pki=self.pki, identity=ADMIN)
        for identity in (CONTROLLER_MANAGER, SCHEDULER, KWOK):
            path = part_kubeconfig(self.pki, identity.name)
            write_kubeconfig(path, server=endpoint, pki=self.pki, identity=identity)
        for part in parts:
            part.write_files()

    def _parts(self, binaries: Mapping[str, Binary]) -> list[Part]:
        paths = {name: item.path for name, item in binaries.items()}
        return simulated_tier(self.settings, self.layout, self.pki, paths)

    # --- processes

    def _end_strays(self) -> None:
        """End what an interrupted run started but did not write down, or whose folder somebody removed."""
        running = self.supervisor.running(CONTROL_PLANE)
        if len(running) == len(CONTROL_PLANE):
            return
        strays = [process for process in self.supervisor.everything() if process not in running.values()]
        if strays:
            terminate(strays, grace_seconds=ABSENT_GRACE_SECONDS)
            self.report.changes.append(f"end {len(strays)} processes of an interrupted start")

    def _decide(self, parts: list[Part], state: State) -> Decision:
        return decide(
            {part.name: part.fingerprint for part in parts},
            state.fingerprints,
            alive=self.supervisor.running(part.name for part in parts),
            replaceable=[part.name for part in parts if part.replaceable],
            restart=self.settings.restart,
        )

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
        if decision.replace:
            self.supervisor.stop(decision.replace)
        begin = [part for part in parts if part.name in {*decision.start, *decision.replace}]
        check_free({option: port for part in begin for option, port in part.ports.items()})
        if begin:
            self._write_files(begin)
            self._remember(parts, binaries)
            self._start(begin, [part for part in parts if part not in begin], binaries)
        elif not self.layout.kubeconfig.exists():
            self._write_files([])
            self.report.changes.append("write the kubeconfig")
        self._note_starts(decision)

    def _remember(self, parts: list[Part], binaries: Mapping[str, Binary]) -> None:
        State(
            settings=fixed_settings(self.settings),
            fingerprints={part.name: part.fingerprint for part in parts},
            binaries=dict(binaries),
            pinned=self._pinned(),
        ).save(self.layout.state)

    def _start(self, parts: list[Part], others: list[Part], binaries: Mapping[str, Binary]) -> None:
        """Start `parts`; if one fails, end those that were started with it, so that no half cluster stays."""
        try:
            self.supervisor.start(parts, timeout_seconds=self.settings.ready_timeout)
        except LocalClusterError:
            self.supervisor.stop([part.name for part in parts])
            self._remember(others, binaries)
            raise

    def _note_starts(self, decision: Decision) -> None:
        if decision.start:
            self.report.changes.append(f"start {', '.join(decision.start)}")
        if decision.replace:
            self.report.changes.append(f"restart {', '.join(decision.replace)}")

    # --- nodes and readiness

    def _api(self) -> Api:
        return Api(self.settings.endpoint, ca=self.pki.ca_certificate, token=self.pki.token(ADMIN))

    def _size(self) -> nodes.NodeSize:
        return nodes.NodeSize(self.settings.node_cpu, self.settings.node_memory, self.settings.pods_per_node)

    def _match_nodes(self) -> None:
        api = self._api()
        changes = nodes.compare(nodes.existing_nodes(api), count=self.settings.nodes, size=self._size())
        nodes.apply(api, changes, size=self._size())
        self._note_nodes(changes)

    def _note_nodes(self, changes: nodes.NodeChanges) -> None:
        for verb, names in (("create", changes.create), ("resize", changes.resize), ("delete", changes.delete)):
            if names:
                self.report.changes.append(f"{verb} {len(names)} nodes")

    def _wait_usable(self, parts: list[Part]) -> None:
        """Ready is when a pod could be created and would start: the account that it needs, and its node, are there.

        :raises NotReadyError: naming what was missing at the end.
        :raises PartCrashedError: if a part ends meanwhile.
        """
        api = self._api()
        missing: list[str] = []

        def usable() -> bool:
            for part in parts:
                self.supervisor.check_alive(part)
            missing[:] = nodes.not_ready(nodes.existing_nodes(api))
            if api.get("/api/v1/namespaces/default/serviceaccounts/default") is None:
                missing.append("the service account default/default")
            return not missing

        if not wait_until(usable, timeout_seconds=self.settings.ready_timeout):
            shown = ", ".join(missing[:5]) + (f" and {len(missing) - 5} more" if len(missing) > 5 else "")
            raise NotReadyError(
                f"the control plane runs, but not ready within {self.settings.ready_timeout} s: {shown}; "
                f"logs: {self.layout.log('kwok').parent}"
            )

    # --- what is told

    def _predict_present(self, state: State) -> Report:
        self.report.details["kubeconfig"] = str(self.layout.kubeconfig)
        names = self._binary_names()
        binaries = self._found(names) | {name: item for name, item in state.binaries.items() if item.path.exists()}
        missing = [name for name in names if name not in binaries]
        if missing:
            self.report.changes.append(f"build {', '.join(missing)}")
        running = self.supervisor.running(CONTROL_PLANE)
        if missing or not running:
            stopped = [name for name in CONTROL_PLANE if name not in running]
            self.report.changes += [f"start {', '.join(stopped)}"] if stopped else []
            self.report.changes += [f"create {self.settings.nodes} nodes"] if not running else []
            if not self.supervisor.everything():
                check_free(self.settings.ports)
            return self.report
        decision = self._decide(self._parts(binaries), state)
        self._refuse(decision, state)
        self._note_starts(decision)
        if "kube-apiserver" in running and "etcd" in running:
            self._note_nodes(
                nodes.compare(nodes.existing_nodes(self._api()), count=self.settings.nodes, size=self._size())
            )
        return self.report

    def _describe_binaries(self, binaries: Mapping[str, Binary]) -> None:
        self.report.details["binaries"] = {
            name: {"path": str(item.path), "version": item.version, "source": item.source}
            for name, item in sorted(binaries.items())
        }

    def _describe(self, parts: list[Part], binaries: Mapping[str, Binary]) -> None:
        running = self.supervisor.running(part.name for part in parts)
        self._describe_binaries(binaries)
        self.report.details |= {
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
        }
