"""A plan that would make a name twice is refused, because the second create would change nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, PlanError, parse_fragments
from ansible_collections.kubestress.core.plugins.module_utils.plan.names import check_names
from helpers.batches import NAMESPACES, config_maps, obj, run_batch

TWO = [(1, "n-1"), (2, "n-2")]


def check(*fragments: dict[str, Any], namespaces: list[tuple[int, str]] = TWO) -> None:
    check_names(parse_fragments(list(fragments), Context(run_id="r")), namespaces)


def one(role: str, *steps: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"role": role, "steps": list(steps), **more}


def of(api_version: str, kind: str, name: str, **more: Any) -> dict[str, Any]:
    return {"definition": {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}}, **more}


def many_documents(*names: str) -> dict[str, Any]:
    texts = [f"apiVersion: v1\nkind: Secret\nmetadata:\n  name: {name}\n" for name in names]
    return {"template": "some.yml.j2", "content": "---\n".join(texts)}


@dataclass(frozen=True)
class Twice:
    fragments: tuple[dict[str, Any], ...]
    words: tuple[str, ...]


LOOP = "{% if index < 9 %}{apiVersion: v1, kind: Secret, metadata: {name: 'x-{{ index // 2 }}'}}{% endif %}"
ROLE = "rbac.authorization.k8s.io/v1"
REFUSED = {
    "members": Twice(
        (one("a", [of("v1", "Secret", "same")], count=3),),
        (
            "Secret 'same'",
            "member 1 of role a",
            "member 2 of role a",
            "fragments[0] (role a).steps[0][0]",
            "{{ index }}",
        ),
    ),
    "members far apart": Twice(
        (one("a", [of("v1", "Secret", "x-{{ index % 400 }}")], count=500),),
        ("Secret 'x-1'", "member 1 of", "member 401 of"),
    ),
    "members' own variables": Twice(
        (one("a", [of("v1", "Secret", "x-{{ who }}")], members=[{"who": "ann"}, {"who": "bo"}, {"who": "ann"}]),),
        ("Secret 'x-ann'", "member 1 of", "member 3 of"),
    ),
    "items of one step": Twice(
        (one("a", [of("v1", "Secret", "x-{{ index }}", count=2)]),),
        ("Secret 'x-1'", "member 1, item 1 of", "member 1, item 2 of", "{{ item }}"),
    ),
    "templates of one step": Twice(
        (one("a", [of("v1", "Secret", "x"), many_documents("y", "x")]),), ("Secret 'x'", "(template some.yml.j2)")
    ),
    "documents of one template": Twice((one("a", [many_documents("x", "x")]),), ("Secret 'x'", "some.yml.j2")),
    "steps": Twice((one("a", [of("v1", "Secret", "x")], [of("v1", "Secret", "x")]),), ("Secret 'x'", "steps[1][0]")),
    "fragments": Twice(
        (one("a", [of("v1", "Secret", "x-1")]), one("b", [of("v1", "Secret", "x-{{ index }}")])),
        ("Secret 'x-1'", "member 1 of role a", "member 1 of role b"),
    ),
    "versions of one API": Twice(
        (one("a", [of("apps/v1", "Deployment", "x"), of("apps/v1beta1", "Deployment", "x")]),), ("Deployment 'x'",)
    ),
    "a template whose text varies": Twice(
        (one("a", [{"definition": LOOP}], count=5),), ("'x-1'", "member 2", "member 3")
    ),
    "namespaces": Twice(
        (one("a", [of(ROLE, "ClusterRole", "x-{{ index }}")], scope="namespace"),),
        ("ClusterRole 'x-1'", "in namespace n-1", "in namespace n-2", "{{ namespace }}"),
    ),
    "namespaces by their number": Twice(
        (one("a", [of(ROLE, "ClusterRole", "x-{{ namespace_index // 2 * 0 }}")]),), ("ClusterRole 'x-0'", "n-2")
    ),
}


@pytest.mark.parametrize("twice", REFUSED.values(), ids=REFUSED)
def test_a_name_that_comes_twice_is_refused(twice: Twice) -> None:
    with pytest.raises(PlanError) as refused:
        check(*twice.fragments)
    assert [word for word in twice.words if word not in str(refused.value)] == [], str(refused.value)


ALLOWED = {
    "another kind": (one("a", [of("v1", "Secret", "x"), of("v1", "ConfigMap", "x")]),),
    "another API": (one("a", [of("v1", "Event", "x"), of("events.k8s.io/v1", "Event", "x")]),),
    "in each namespace": (NAMESPACES, config_maps(3)),
    "cluster-scoped, with the namespace": (
        one("a", [of(ROLE, "ClusterRole", "{{ namespace }}-{{ index }}")], count=2),
    ),
    "none at all": (one("a", [of("v1", "Secret", "x")], count=0), one("b", [of("v1", "Secret", "x", count=0)])),
}


@pytest.mark.parametrize("fragments", ALLOWED.values(), ids=ALLOWED)
def test_other_names_are_allowed(fragments: tuple[dict[str, Any], ...]) -> None:
    check(*fragments)


def test_one_namespace_may_hold_a_cluster_scoped_name() -> None:
    check(one("a", [of(ROLE, "ClusterRole", "x")]), namespaces=TWO[:1])


def test_batch_refuses_before_it_connects() -> None:
    """And only what it would create: a patch may well go to the same object twice."""
    plan = {"run_id": "r", "namespaces": ["n-1"], "fragments": [one("a", [obj("ConfigMap", "same")], count=2)]}
    nowhere = {"kubeconfig": "/nowhere"}
    assert "ConfigMap 'same' comes twice" in run_batch(**plan, **nowhere)["msg"]
    assert "/nowhere" in run_batch(**plan, **nowhere, state="patched")["msg"]


def test_only_names_are_evaluated() -> None:
    """Counted, not timed: data that cannot be rendered is not looked at."""
    body = {"data": {"x": "{{ 1 // (index - 7) }}"}}
    check(one("a", [obj("ConfigMap", "c-{{ index }}", **body)], count=10_000))
