"""What a plan asks of storage, from its objects; and patches as parts of a plan."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Resource
from ansible_collections.kubestress.core.plugins.module_utils.plan.access import needed_access
from ansible_collections.kubestress.core.plugins.module_utils.plan.claims import (
    ClaimKind,
    SnapshotKind,
    mounts_claims,
    unmounted,
)
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import Demand, demand_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.errors import PlanError
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, Fragment, parse_fragments
from ansible_collections.kubestress.core.plugins.module_utils.plan.names import check_names
from helpers.example_settings import settings
from helpers.role_plans import compiled_plan

MIB = 2**20
NAMESPACES = [(1, "a-1"), (2, "a-2")]


def step(api_version: str, kind: str, name: str, **body: Any) -> dict[str, Any]:
    return {"definition": {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **body}}


def claims(*, count: int = 3, size: str = "64Mi", **spec: Any) -> dict[str, Any]:
    body = {"resources": {"requests": {"storage": size}}, **spec}
    made = step("v1", "PersistentVolumeClaim", "c-{{ index }}", spec=body)
    return {"role": "claims", "count": count, "steps": [[made]]}


def expansion(*, count: int = 3, size: str = "96Mi", **more: Any) -> dict[str, Any]:
    body = {"resources": {"requests": {"storage": size}}}
    made = step("v1", "PersistentVolumeClaim", "c-{{ index }}", spec=body)
    return {"role": "grow", "count": count, "steps": [[made]], "patch": "merge", "after": ["claims"], **more}


def pods(claim: str) -> dict[str, Any]:
    volume = {"name": "v", "persistentVolumeClaim": {"claimName": claim}}
    spec = {"containers": [{"name": "c", "image": "i"}], "volumes": [volume]}
    return {"role": "pods", "count": 3, "steps": [[step("v1", "Pod", "p-{{ index }}", spec=spec)]]}


def plan(*raw: dict[str, Any]) -> list[Fragment]:
    return parse_fragments(list(raw), Context(run_id="r-1"))


def weighed(*raw: dict[str, Any]) -> Demand:
    return demand_of(plan(*raw), namespaces=NAMESPACES)


def test_claims_by_class_with_their_sizes():
    (group,) = weighed(claims(storageClassName="fast")).claims
    assert (group.kind, group.number, group.bytes) == (ClaimKind("fast"), 6, 6 * 64 * MIB)
    assert (group.number_in_a_namespace, group.bytes_in_a_namespace) == (3, 3 * 64 * MIB)


@pytest.mark.parametrize(("spec", "expected"), [({}, None), ({"storageClassName": ""}, "")])
def test_no_class_is_the_default_and_an_empty_one_is_none(spec: dict[str, Any], expected: str | None):
    (group,) = weighed(claims(**spec)).claims
    assert group.kind.storage_class == expected


def test_sizes_that_vary_are_added_up():
    (group,) = weighed(claims(size="{{ index * 10 }}Mi")).claims
    assert group.bytes == 2 * (10 + 20 + 30) * MIB


def test_an_expansion_adds_what_claims_grow_by_and_no_object():
    demand = weighed(claims(storageClassName="fast"), expansion())
    made, grown = demand.claims
    assert (grown.kind, grown.number, grown.bytes) == (ClaimKind("fast", expanded=True), 0, 6 * 32 * MIB)
    assert made.number == 6
    assert demand.objects == {"PersistentVolumeClaim": 6}
    assert demand.patched == {"PersistentVolumeClaim": 6}
    assert demand.objects_in_a_namespace("PersistentVolumeClaim") == 3


def test_claims_that_controllers_make_count_as_well():
    template = {"metadata": {"name": "d"}, "spec": {"resources": {"requests": {"storage": "1Gi"}}}}
    ephemeral = {"name": "e", "ephemeral": {"volumeClaimTemplate": template}}
    pod = {"metadata": {}, "spec": {"containers": [{"name": "c"}], "volumes": [ephemeral]}}
    spec = {"replicas": 2, "volumeClaimTemplates": [template], "template": pod}
    fragment = {"role": "sets", "steps": [[step("apps/v1", "StatefulSet", "s", spec=spec)]]}
    (group,) = weighed(fragment).claims
    assert (group.number, group.bytes) == (2 * (2 + 2), 2 * (2 + 2) * 1024 * MIB)
    assert mounts_claims(plan(fragment))


def test_snapshots_know_the_class_of_their_claims():
    source = {"source": {"persistentVolumeClaimName": "c-{{ index }}"}, "volumeSnapshotClassName": "snap"}
    made = step("snapshot.storage.k8s.io/v1", "VolumeSnapshot", "s-{{ index }}", spec=source)
    demand = weighed(claims(storageClassName="fast"), {"role": "snapshots", "count": 3, "steps": [[made]]})
    (group,) = demand.snapshots
    assert (group.kind, group.number) == (SnapshotKind("snap", "fast", True), 6)


def test_which_claims_nobody_mounts():
    assert unmounted(plan(claims())) == {"claims"}
    assert unmounted(plan(claims(), pods("c-{{ index }}"))) == set()
    assert unmounted(plan(claims(), pods("of-others"))) == {"claims"}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ([claims(), expansion(after=[])], "fragments[1].after: a PersistentVolumeClaim is patched; name the role"),
        (
            [{**claims(), "ready": False}, expansion()],
            "fragments[1].ready: true, but role claims, which makes the PersistentVolumeClaim that is patched, has",
        ),
    ],
)
def test_a_patch_comes_after_what_makes_its_objects(raw: list[dict[str, Any]], message: str):
    with pytest.raises(PlanError) as error:
        plan(*raw)
    assert str(error.value).startswith(message)


def test_a_patch_leaves_labels_alone_and_makes_no_name_twice():
    made = plan(claims(), expansion())
    check_names(made, NAMESPACES)
    values = made[1].values(namespace="a-1", namespace_index=1, index=1)
    (rendered,) = made[1].render_step(0, values)
    assert b"labels" not in rendered.body


def test_a_patch_needs_the_right_to_patch():
    kind = ("v1", "PersistentVolumeClaim")
    served = {kind: Resource("v1", kind[1], "persistentvolumeclaims", True, frozenset({"deletecollection"}))}
    verbs = {access.verb for access in needed_access(plan(claims(), expansion()), served)}
    assert verbs == {"create", "get", "list", "patch", "watch"}
    assert "patch" not in {access.verb for access in needed_access(plan(claims()), served)}


def test_the_roles_plan_in_the_order_of_a_volumes_life():
    chosen = settings(
        build_jobs_enabled=False,
        deployments_enabled=False,
        statefulsets_enabled=False,
        volumes_enabled=True,
        volumes_snapshots_per_volume=2,
        volumes_restores_per_volume=3,
        volumes_clones_per_volume=1,
        volumes_expand_to="2Gi",
    )
    made = {one.role: one for one in compiled_plan(chosen)}
    assert {role: one.after for role, one in made.items() if role != "namespaces"} == {
        "volumes": (),
        "volumes-snapshots": ("volumes",),
        "volumes-restores": ("volumes-snapshots",),
        "volumes-clones": ("volumes", "volumes-snapshots"),
        "volumes-expansion": ("volumes", "volumes-snapshots", "volumes-restores", "volumes-clones"),
    }
    restores = made["volumes-restores"]
    sources = []
    for index in range(1, restores.count + 1):
        values = restores.values(namespace="a-1", namespace_index=1, index=index)
        (claim,) = restores.render_step(0, values)
        sources.append(claim.body.decode().partition('"VolumeSnapshot","name":"')[2].partition('"')[0])
    # Three restores of each volume, from its two snapshots in turn.
    assert sources == [f"volume-{volume}-snapshot-{number}" for volume in (1, 2, 3) for number in (1, 2, 1)]
    assert unmounted(made.values()) == set()
