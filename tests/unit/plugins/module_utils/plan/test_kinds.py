"""What controllers make of Jobs and JobSets: pods, slices of them, and what follows."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.kinds import Made, made_of

POOL = "cloud.google.com/gke-nodepool"
EXCLUSIVE = "alpha.jobset.sigs.k8s.io/exclusive-topology"


def pod(**spec: Any) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "main", "image": "x"}], **spec}}


def job_spec(pods: int, **more: Any) -> dict[str, Any]:
    return {"parallelism": pods, "completions": pods, "template": pod(**more)}


def job_set(*parts: dict[str, Any], annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "jobset.x-k8s.io/v1alpha2",
        "kind": "JobSet",
        "metadata": {"name": "train", "annotations": annotations or {}},
        "spec": {"replicatedJobs": list(parts), **spec},
    }


def counts(made: Made) -> list[tuple[int, int, int, str]]:
    return [(part.at_once, part.in_all, part.slice_pods, part.pool_label) for part in made.pods]


def test_a_job_set_makes_jobs_their_pods_and_a_service() -> None:
    main = {"name": "main", "template": {"spec": job_spec(1)}}
    slices = {"name": "slice-job", "replicas": 3, "template": {"spec": job_spec(4)}}
    made = made_of(job_set(main, slices, annotations={EXCLUSIVE: POOL}))
    assert counts(made) == [(1, 1, 1, POOL), (12, 12, 4, POOL)]
    assert made.pods_at_once == 13
    assert dict(made.followers) == {"Job": 4, "Service": 1, "Endpoints": 1, "EndpointSlice": 1}
    assert made.unknown == ""


def test_a_replicated_job_may_say_itself_that_it_is_a_slice() -> None:
    template = {"metadata": {"annotations": {EXCLUSIVE: POOL}}, "spec": job_spec(4)}
    made = made_of(job_set({"name": "a", "replicas": 2, "template": template}, network={"enableDNSHostnames": False}))
    assert counts(made) == [(8, 8, 4, POOL)]
    assert dict(made.followers) == {"Job": 2}


def test_a_suspended_job_set_makes_no_pods() -> None:
    made = made_of(job_set({"name": "a", "replicas": 2, "template": {"spec": job_spec(4)}}, suspend=True))
    assert counts(made) == [(0, 0, 0, "")]


def test_another_kind_of_that_name_stays_unknown() -> None:
    made = made_of({**job_set({"name": "a", "template": {"spec": job_spec(4)}}), "apiVersion": "example.com/v1"})
    assert made.pods == ()
    assert "it holds 1 pod template" in made.unknown


def affinity(key: str) -> dict[str, Any]:
    return {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": key, "labelSelector": {}}]}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"podAffinity": affinity(POOL), "podAntiAffinity": affinity(POOL)}, (4, 4, 4, POOL)),
        ({"podAffinity": affinity(POOL)}, (4, 4, 0, "")),
        ({"podAffinity": affinity(POOL), "podAntiAffinity": affinity("kubernetes.io/hostname")}, (4, 4, 0, "")),
    ],
)
def test_a_job_is_a_slice_where_its_pods_share_a_pool_alone(given: Any, found: Any) -> None:
    job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "a"}, "spec": job_spec(4, affinity=given)}
    assert counts(made_of(job)) == [found]


def test_a_queue_holds_pods_back() -> None:
    metadata = {"name": "a", "labels": {"kueue.x-k8s.io/queue-name": "team-a"}}
    made = made_of({"apiVersion": "batch/v1", "kind": "Job", "metadata": metadata, "spec": job_spec(4)})
    assert made.queue == "team-a"
