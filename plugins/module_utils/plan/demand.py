# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings will make and run: objects, pods, requests, processes. Pure arithmetic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import KubestressError
from ..syntax import cpu_and_memory

#: Length of one build in seconds at time scale 1: the sums of its seven phases' shortest and longest lengths
#: (environment 2-5, dependencies 5-15, compile 10-30, unit tests 5-15, integration tests 3-10, package 2-8,
#: publish 2-5), and the mean of the two, because each phase is drawn evenly.
SHORTEST_BUILD_SECONDS = 29.0
MEAN_BUILD_SECONDS = 58.5
LONGEST_BUILD_SECONDS = 88.0


@dataclass(frozen=True, kw_only=True)
class BuildJobs:
    """The build jobs of a run. `namespaces` and all counts are whole numbers; `active_per_namespace` 0 means all."""

    namespaces: int
    jobs_per_namespace: int
    active_per_namespace: int
    completions: int
    parallelism: int
    processes: int
    time_scale: float
    timeout_seconds: int

    @classmethod
    def of_settings(cls, settings: Mapping[str, Any]) -> BuildJobs:
        """From kubestress_settings; all counts are 0 where build jobs are switched off. Raises KeyError."""
        enabled = settings["build_jobs_enabled"]
        return cls(
            namespaces=settings["namespaces_total"],
            jobs_per_namespace=settings["build_jobs_per_namespace"] if enabled else 0,
            active_per_namespace=settings["build_jobs_active_per_namespace"],
            completions=settings["build_jobs_completions"],
            parallelism=settings["build_jobs_parallelism"],
            processes=settings["build_jobs_processes"],
            time_scale=settings["build_jobs_time_scale"],
            timeout_seconds=settings["build_jobs_timeout"],
        )

    @property
    def jobs_all(self) -> int:
        """Jobs of the run."""
        return self.namespaces * self.jobs_per_namespace

    @property
    def pods_per_job_at_once(self) -> int:
        """A Job never runs more pods than it still has to complete."""
        return min(self.parallelism, self.completions)

    @property
    def active_jobs_per_namespace(self) -> int:
        """Unfinished Jobs of one namespace at once."""
        return min(self.active_per_namespace or self.jobs_per_namespace, self.jobs_per_namespace)

    @property
    def pods_all(self) -> int:
        """Pods that must complete, in all (those made again after a failure come on top)."""
        return self.jobs_all * self.completions

    @property
    def ceiling_active_pods(self) -> int:
        """Build pods at once, at most."""
        return self.namespaces * self.active_jobs_per_namespace * self.pods_per_job_at_once

    @property
    def pods_all_jobs_active(self) -> int:
        """Build pods at once if nothing held Jobs back (build_jobs_active_per_namespace=0)."""
        return self.jobs_all * self.pods_per_job_at_once

    @property
    def rounds(self) -> int:
        """How often the ceiling is filled before all pods have run: ceil(pods_all / ceiling_active_pods)."""
        return -(-self.pods_all // self.ceiling_active_pods) if self.ceiling_active_pods else 0

    @property
    def expected_seconds(self) -> float:
        """Expected length, without queueing, image pulls and pod start-up."""
        return self.rounds * MEAN_BUILD_SECONDS * self.time_scale

    @property
    def wait_timeout_seconds(self) -> int:
        """Seconds to wait for all Jobs at most: every round at its longest, plus the deadline of one Job."""
        return round(self.rounds * LONGEST_BUILD_SECONDS * self.time_scale) + self.timeout_seconds

    def processes_of(self, pods: int) -> int:
        """Live processes of `pods` build pods in their compile phase."""
        return pods * self.processes


#: What the controllers of every cluster add to a new namespace (its ServiceAccount and the ConfigMap with the root CA).
_NAMESPACE_FOLLOWERS = {"ServiceAccount": 1, "ConfigMap": 1}
#: A Service's Endpoints and its EndpointSlice.
_SERVICE_FOLLOWERS = {"Endpoints": 1, "EndpointSlice": 1}


class MissingSetting(KubestressError):
    """A setting that the arithmetic needs was not given. The text names it."""


@dataclass(frozen=True, kw_only=True)
class PodGroup:
    """The pods of one role in one namespace, all of one size. CPU in thousandths of a core, memory in bytes.

    `at_peak` run at once, `in_all` over the whole run. `levers` are the settings that make the group smaller.
    """

    role: str
    at_peak: int
    in_all: int
    cpu_request: int = 0
    memory_request: int = 0
    cpu_limit: int = 0
    memory_limit: int = 0
    levers: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Demand:
    """One run. `objects` and `followers` are per namespace: what we send, and what controllers make of it."""

    namespaces: int
    existing_namespaces: int
    objects: Mapping[str, int]
    followers: Mapping[str, int]
    groups: tuple[PodGroup, ...]
    builds: BuildJobs
    settings: Mapping[str, Any] = field(repr=False)

    def per_namespace(self, attribute: str) -> int:
        """Sum over a namespace's pods at peak of cpu_request, memory_request, cpu_limit or memory_limit."""
        return sum(group.at_peak * getattr(group, attribute) for group in self.groups)

    def at_peak(self, attribute: str) -> int:
        """The same over the whole run."""
        return self.namespaces * self.per_namespace(attribute)

    @property
    def pods_per_namespace(self) -> int:
        """Pods of one namespace that run at once."""
        return sum(group.at_peak for group in self.groups)

    @property
    def pods_at_peak(self) -> int:
        """Pods that run at once."""
        return self.namespaces * self.pods_per_namespace

    @property
    def pods_in_all(self) -> int:
        """Pods over the whole run."""
        return self.namespaces * sum(group.in_all for group in self.groups)

    def objects_in_all(self) -> dict[str, int]:
        """Kind -> how many of it the run sends."""
        all_of = {kind: number * self.namespaces for kind, number in self.objects.items()}
        return {"Namespace": self.namespaces - self.existing_namespaces, **all_of}

    def api_objects(self) -> int:
        """Objects in the API server at most: ours and the controllers' (were nothing removed while it runs)."""
        return sum(self.objects_in_all().values()) + self.namespaces * sum(self.followers.values())


def demand_of(settings: Mapping[str, Any], *, existing_namespaces: int = 0) -> Demand:
    """The demand of kubestress_settings.

    `existing_namespaces` of the run's namespaces are there already. Raises MissingSetting, and ValueError naming the
    setting whose quantity is none.
    """
    try:
        return _demand(settings, existing_namespaces)
    except KeyError as error:
        raise MissingSetting(f"settings: {error.args[0]} is missing") from error


def _demand(settings: Mapping[str, Any], existing_namespaces: int) -> Demand:
    objects: Counter[str] = Counter()
    followers: Counter[str] = Counter(_NAMESPACE_FOLLOWERS)
    groups: list[PodGroup] = []
    for add in (_deployments, _connectivity, _statefulsets, _build_jobs):
        add(settings, objects, followers, groups)
    for group in groups:
        followers["Pod"] += group.in_all
    return Demand(
        namespaces=settings["namespaces_total"],
        existing_namespaces=existing_namespaces,
        objects=dict(+objects),
        followers=dict(+followers),
        groups=tuple(groups),
        builds=BuildJobs.of_settings(settings),
        settings=settings,
    )


def _deployments(
    settings: Mapping[str, Any], objects: Counter[str], followers: Counter[str], groups: list[PodGroup]
) -> None:
    number = settings["deployments_per_namespace"] if settings.get("deployments_enabled", True) else 0
    if not number:
        return
    objects.update({"ConfigMap": 2 * number, "Secret": 2 * number, "Deployment": number})
    followers.update({"ReplicaSet": number})
    if settings["deployments_service_enabled"]:
        objects["Service"] += number
        followers.update({kind: number * count for kind, count in _SERVICE_FOLLOWERS.items()})
    pods = number * settings["deployments_replicas"]
    groups.append(_group(settings, "deployments", pods, pods, ("deployments_per_namespace", "deployments_replicas")))


def _connectivity(
    settings: Mapping[str, Any], objects: Counter[str], _followers: Counter[str], groups: list[PodGroup]
) -> None:
    if settings["connectivity_enabled"]:
        objects["Job"] += 1
        groups.append(_group(settings, "connectivity", 1, 1, ("connectivity_enabled",)))


def _statefulsets(
    settings: Mapping[str, Any], objects: Counter[str], followers: Counter[str], groups: list[PodGroup]
) -> None:
    number = settings["statefulsets_per_namespace"] if settings["statefulsets_enabled"] else 0
    if not number:
        return
    objects.update({"Service": number, "StatefulSet": number})
    followers.update({"ControllerRevision": number})
    followers.update({kind: number * count for kind, count in _SERVICE_FOLLOWERS.items()})
    pods = number * settings["statefulsets_replicas"]
    levers = ("statefulsets_per_namespace", "statefulsets_replicas")
    groups.append(_group(settings, "statefulsets", pods, pods, levers))


def _build_jobs(
    settings: Mapping[str, Any], objects: Counter[str], _followers: Counter[str], groups: list[PodGroup]
) -> None:
    builds = BuildJobs.of_settings(settings)
    if not builds.jobs_per_namespace:
        return
    objects["Job"] += builds.jobs_per_namespace
    levers = ("build_jobs_active_per_namespace", "build_jobs_parallelism")
    at_peak = builds.active_jobs_per_namespace * builds.pods_per_job_at_once
    in_all = builds.jobs_per_namespace * builds.completions
    groups.append(_group(settings, "build_jobs", at_peak, in_all, levers))


def _group(settings: Mapping[str, Any], role: str, at_peak: int, in_all: int, levers: tuple[str, ...]) -> PodGroup:
    sizes: list[int] = []
    for name in (f"{role}_requests", f"{role}_limits"):
        try:
            sizes += cpu_and_memory(settings[name])
        except ValueError as error:
            raise ValueError(f"{name}: {settings[name]!r} holds no Kubernetes quantity: {error}") from error
    return PodGroup(
        role=role,
        at_peak=at_peak,
        in_all=in_all,
        cpu_request=sizes[0] or sizes[2],  # a limit without a request is the request, too
        memory_request=sizes[1] or sizes[3],
        cpu_limit=sizes[2],
        memory_limit=sizes[3],
        levers=levers,
    )
