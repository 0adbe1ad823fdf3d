"""The objects of a plan as documents: which, in what order, and where they lie."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.errors import PlanError
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from ansible_collections.kubestress.core.plugins.module_utils.plan.manifest import manifest_of

TWO = [(3, "n-3"), (4, "n-4")]


def one(kind: str, name: str, *, version: str = "v1", role: str = "a", **more: Any) -> dict[str, Any]:
    return {
        "role": role,
        "steps": [[{"definition": {"apiVersion": version, "kind": kind, "metadata": {"name": name}}}]],
        **more,
    }


def manifest(*raw: dict[str, Any], **options: Any) -> list[dict[str, Any]]:
    return list(manifest_of(parse_fragments(list(raw), Context(run_id="r")), TWO, **options))


def places(documents: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(one["kind"], one["metadata"].get("namespace", ""), one["metadata"]["name"]) for one in documents]


NAMESPACES = one("Namespace", "{{ namespace }}", role="namespaces")
CLASSES = one("PriorityClass", "p-{{ index }}", version="scheduling.k8s.io/v1", role="classes", count=2)
SETS = one("JobSet", "s-{{ namespace_index }}-{{ index }}", version="jobset.x-k8s.io/v1alpha2", count=2)


def test_each_object_comes_after_what_it_needs() -> None:
    found = manifest(NAMESPACES, SETS, CLASSES)
    assert places(found) == [
        ("Namespace", "", "n-3"),
        ("Namespace", "", "n-4"),
        ("PriorityClass", "", "p-1"),
        ("PriorityClass", "", "p-2"),
        ("JobSet", "n-3", "s-3-1"),
        ("JobSet", "n-3", "s-3-2"),
        ("JobSet", "n-4", "s-4-1"),
        ("JobSet", "n-4", "s-4-2"),
    ]
    assert {document["metadata"]["labels"]["kubestress.core/run-id"] for document in found} == {"r"}


def test_steps_keep_their_order_and_items_their_number() -> None:
    first, second = (
        {"definition": one("ConfigMap", name)["steps"][0][0]["definition"]} for name in ("b", "a-{{ item }}")
    )
    found = manifest({"role": "a", "steps": [[first], [{**second, "count": 2}]]})
    assert [name for _kind, namespace, name in places(found) if namespace == "n-3"] == ["b", "a-1", "a-2"]


def test_what_exists_is_left_out_and_what_lies_in_no_namespace_names_none() -> None:
    wide = one("ClusterRole", "x-{{ namespace }}", version="rbac.authorization.k8s.io/v1")
    assert places(manifest(NAMESPACES, wide, existing=["n-3"])) == [
        ("Namespace", "", "n-4"),
        ("ClusterRole", "", "x-n-3"),
        ("ClusterRole", "", "x-n-4"),
    ]


def test_a_patch_is_no_object() -> None:
    patch = one("JobSet", "s", version="jobset.x-k8s.io/v1alpha2", role="b", patch="merge", after=["a"])
    with pytest.raises(PlanError, match=r"fragments \(role b\)\.patch: it changes objects that others make"):
        manifest(SETS, patch)
