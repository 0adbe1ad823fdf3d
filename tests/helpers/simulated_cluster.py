"""Controllers for a MemoryApi: namespaces get their ServiceAccount, Jobs run their pods, finished Jobs vanish.

They follow the event loop's clock, so that in simulated time a run of an hour takes seconds.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.plan.build_farm import PHASES

from helpers.memory_api import MemoryApi, Obj, timestamp

#: Seconds until a new Namespace has its ServiceAccount, and between an event and what a controller makes of it.
CONTROLLER_SECONDS = 0.05


@dataclass(eq=False)
class _Job:
    obj: Obj
    labels: dict[str, str]
    #: Names of its pods that have not ended.
    active: set[str] = field(default_factory=set)
    pods: int = 0
    succeeded: int = 0
    failed: int = 0
    ended: bool = False

    @property
    def namespace(self) -> str:
        return self.obj["metadata"]["namespace"]

    @property
    def name(self) -> str:
        return self.obj["metadata"]["name"]


class SimulatedCluster:
    """`start_up_seconds`: how long each pod is pending. `time_scale` multiplies the builds' lengths.

    `most_active_pods` is the greatest number of pods that had not ended at one moment. After `stop_controllers` pods
    that run still end, but no controller acts on it.
    """

    def __init__(
        self, api: MemoryApi, *, start_up_seconds: float = 0.0, time_scale: float = 1.0, seed: int = 1
    ) -> None:
        self.api = api
        self.jobs: dict[tuple[str, str], _Job] = {}
        self.active_pods = 0
        self.most_active_pods = 0
        self.stopped = False
        self._start_up_seconds = start_up_seconds
        self._time_scale = time_scale
        self._draw = random.Random(seed)
        self._uids = 0
        api.created.append(self._created)

    def stop_controllers(self) -> None:
        """From now on nothing is made or counted any more."""
        self.stopped = True

    def _later(self, seconds: float, act: Callable[..., None], *arguments: Any) -> None:
        asyncio.get_running_loop().call_later(seconds, act, *arguments)

    def _created(self, plural: str, obj: Obj) -> None:
        if plural == "namespaces":
            self._later(CONTROLLER_SECONDS, self._complete_namespace, obj)
        elif plural == "jobs":
            # Without the script in it, each of the Job's events is small.
            template = obj["spec"].pop("template")
            job = _Job(obj, template["metadata"]["labels"])
            self.jobs[job.namespace, job.name] = job
            self._later(CONTROLLER_SECONDS, self._begin, job)

    def _complete_namespace(self, obj: Obj) -> None:
        if not self.stopped:
            name = obj["metadata"]["name"]
            self.api.put("namespaces", {**obj, "status": {"phase": "Active"}})
            self.api.put("serviceaccounts", {"metadata": {"name": "default", "namespace": name}})

    # -- the Job controller ------------------------------------------------------------------------------------------

    def _begin(self, job: _Job) -> None:
        if self.stopped:
            return
        job.obj["status"] = {"startTime": timestamp()}
        if deadline := job.obj["spec"].get("activeDeadlineSeconds"):
            self._later(deadline, self._end, job, "Failed")
        self._fill(job)

    def _fill(self, job: _Job) -> None:
        """Start pods up to the parallelism, and put the counts into the Job's status."""
        spec = job.obj["spec"]
        while len(job.active) < min(spec["parallelism"], spec["completions"] - job.succeeded):
            self._start_pod(job)
        counts = {"active": len(job.active), "succeeded": job.succeeded, "failed": job.failed}
        self.api.put("jobs", {**job.obj, "status": {**job.obj["status"], **counts}})

    def _pod_ended(self, job: _Job, name: str) -> None:
        if self.stopped or job.ended:
            return
        job.active.discard(name)
        job.succeeded += 1
        if job.succeeded == job.obj["spec"]["completions"]:
            self._end(job, "Complete")
        else:
            self._fill(job)

    def _end(self, job: _Job, condition: str) -> None:
        if self.stopped or job.ended:
            return
        job.ended = True
        for name in list(job.active):
            self._end_pod(job, name, "Failed")
        now = timestamp()
        status = {**job.obj["status"], "active": 0, "succeeded": job.succeeded, "failed": len(job.active)}
        status["conditions"] = [{"type": condition, "status": "True", "lastTransitionTime": now}]
        if condition == "Complete":
            status["completionTime"] = now
        else:
            status["conditions"][0]["reason"] = "DeadlineExceeded"
        self.api.put("jobs", {**job.obj, "status": status})
        self._later(job.obj["spec"]["ttlSecondsAfterFinished"], self._remove, job)

    def _remove(self, job: _Job) -> None:
        if not self.stopped:
            self.api.remove("jobs", job.name, job.namespace)
            for number in range(1, job.pods + 1):
                self.api.remove("pods", f"{job.name}-{number}", job.namespace)

    # -- scheduler and kubelets --------------------------------------------------------------------------------------

    def _start_pod(self, job: _Job) -> None:
        job.pods += 1
        self._uids += 1
        name = f"{job.name}-{job.pods}"
        job.active.add(name)
        self.active_pods += 1
        self.most_active_pods = max(self.most_active_pods, self.active_pods)
        metadata = {
            "name": name,
            "namespace": job.namespace,
            "uid": f"pod-{self._uids}",
            "labels": job.labels,
            "ownerReferences": [{"kind": "Job", "name": job.name, "controller": True}],
        }
        self.api.put("pods", {"metadata": metadata, "spec": {"nodeName": "n-1"}, "status": {"phase": "Pending"}})
        seconds = sum(self._draw.uniform(phase.shortest_seconds, phase.longest_seconds) for phase in PHASES)
        self._later(self._start_up_seconds, self._run_pod, job, name, seconds * self._time_scale)

    def _run_pod(self, job: _Job, name: str, seconds: float) -> None:
        if name in job.active:
            self._put_phase(job, name, "Running", {"running": {"startedAt": timestamp()}})
            self._later(seconds, self._finish_pod, job, name)

    def _finish_pod(self, job: _Job, name: str) -> None:
        if name in job.active and not job.ended:
            self._end_pod(job, name, "Succeeded")
            self._later(CONTROLLER_SECONDS, self._pod_ended, job, name)

    def _end_pod(self, job: _Job, name: str, phase: str) -> None:
        self.active_pods -= 1
        self._put_phase(job, name, phase, {"terminated": {"exitCode": 0 if phase == "Succeeded" else 137}})

    def _put_phase(self, job: _Job, name: str, phase: str, state: Obj) -> None:
        pod = self.api.objects["pods"][job.namespace, name]
        status = {"phase": phase, "containerStatuses": [{"name": "build", "restartCount": 0, "state": state}]}
        self.api.put("pods", {**pod, "status": status})
