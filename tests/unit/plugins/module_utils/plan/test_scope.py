"""Which fragments are made once for the run, what they weigh, and which kinds they define."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.arguments import check_namespaces
from ansible_collections.kubestress.core.plugins.module_utils.plan.definitions import DefinedKind, defined_kinds
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import demand_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import (
    Context,
    Fragment,
    PlanError,
    parse_fragments,
)
from ansible_collections.kubestress.core.plugins.module_utils.plan.names import check_names
from ansible_collections.kubestress.core.plugins.module_utils.plan.scope import check_scope

RBAC = "rbac.authorization.k8s.io/v1"
TWO = [(1, "n-1"), (2, "n-2")]


def one(kind: str, name: str, *, version: str = RBAC, role: str = "a", **more: Any) -> dict[str, Any]:
    definition = {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **more.pop("body", {})}
    return {"role": role, "steps": [[{"definition": definition}]], **more}


def definition(**spec: Any) -> dict[str, Any]:
    """The steps of a fragment that defines two versions of Things, of which one is served."""
    names = {"kind": "Thing{{ index }}", "plural": "thing{{ index }}s"}
    versions = [{"name": "v1", "served": True}, {"name": "v0", "served": False}]
    body = {"spec": {"group": "x.example", "names": names, "scope": "Namespaced", "versions": versions, **spec}}
    return one("CustomResourceDefinition", "thing{{ index }}s.x.example", version="apiextensions.k8s.io/v1", body=body)


def parsed(*raw: dict[str, Any]) -> list[Fragment]:
    return parse_fragments(list(raw), Context(run_id="r"))


@pytest.mark.parametrize(
    ("fragment", "once"),
    [
        (one("ClusterRole", "x-{{ index }}"), True),
        (one("ClusterRole", "x"), True),
        (one("ClusterRole", "x-{{ namespace }}"), False),
        (one("ClusterRole", "x", body={"rules": "{{ namespace_index }}"}), False),
        (one("ClusterRole", "x", scope="namespace"), False),
        (one("ConfigMap", "x", version="v1"), False),
        (one("Namespace", "{{ namespace }}", version="v1"), False),
        (one("Wide", "x", version="x.example/v1"), False),
        (one("Wide", "x", version="x.example/v1", scope="run"), True),
        (definition(), True),
    ],
)
def test_what_is_made_once(fragment: dict[str, Any], once: bool) -> None:
    assert parsed(fragment)[0].once is once


def test_what_lies_in_no_namespace_weighs_once_and_in_none() -> None:
    demand = demand_of(parsed(one("ClusterRole", "x-{{ index }}", count=3)), namespaces=TWO)
    assert demand.objects == {"ClusterRole": 3}
    assert demand.objects_in_a_namespace("ClusterRole") == 0
    assert demand_of(parsed(one("ClusterRole", "x")), namespaces=[]).objects == {"ClusterRole": 1}


def test_a_name_that_comes_twice_is_found_there_too() -> None:
    with pytest.raises(PlanError, match="ClusterRole 'x' comes twice"):
        check_names(parsed(one("ClusterRole", "x", count=2)), TWO)
    check_names(parsed(one("ClusterRole", "x")), TWO)
    check_names(parsed(one("ClusterRole", "x")), [])


@pytest.mark.parametrize(
    ("fragment", "line"),
    [
        (
            one("ClusterRole", "x-{{ namespace }}", scope="run"),
            "fragments[0] (role a).scope: run, but a template uses namespace",
        ),
        (
            one("Namespace", "x", version="v1", scope="run"),
            "fragments[0] (role a).scope: run, but the fragment makes the Namespaces",
        ),
    ],
)
def test_what_contradicts_itself_is_refused(fragment: dict[str, Any], line: str) -> None:
    with pytest.raises(PlanError) as caught:
        parsed(fragment)
    assert str(caught.value).startswith(line)


def test_what_the_server_has_in_namespaces_is_not_made_once() -> None:
    kind = ("x.example/v1", "Thing")
    check_scope("a", [kind], set())
    with pytest.raises(PlanError, match=r"\(role a\)\.scope: run, but a Thing of x\.example/v1 lies in a namespace"):
        check_scope("a", [kind], {kind})


def test_what_is_made_once_waits_for_nothing_of_a_namespace() -> None:
    maps = one("ConfigMap", "x", version="v1", role="maps")
    with pytest.raises(PlanError, match=r"fragments\[1\]\.after: 'maps' is made in each namespace, and 'a' once"):
        parsed(maps, one("ClusterRole", "x", after=["maps"]))
    parsed(one("ClusterRole", "x"), {**maps, "after": ["a"]})


def test_only_what_lies_in_namespaces_needs_some() -> None:
    check_namespaces(parsed(one("ClusterRole", "x")), [])
    with pytest.raises(PlanError, match="namespaces: none is given, but role maps is made in each"):
        check_namespaces(parsed(one("ClusterRole", "x"), one("ConfigMap", "x", version="v1", role="maps")), [])


def test_the_kinds_that_a_plan_defines() -> None:
    assert defined_kinds(parsed({**definition(), "count": 2}, one("ConfigMap", "x", version="v1", role="maps"))) == {
        ("x.example/v1", "Thing1"): DefinedKind("thing1s", namespaced=True),
        ("x.example/v1", "Thing2"): DefinedKind("thing2s", namespaced=True),
    }
    assert defined_kinds(parsed(definition(scope="Cluster")))["x.example/v1", "Thing1"].namespaced is False


@pytest.mark.parametrize("steps", [[{"definition": {}}], [[{"definition": {}}]]])
def test_a_list_of_templates_is_one_step(steps: list[Any]) -> None:
    definition = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "x-{{ item }}"}}
    given = [{"definition": definition}, {"definition": definition, "count": 0}]
    (fragment,) = parsed({"role": "a", "steps": given if isinstance(steps[0], dict) else [given]})
    assert [len(step) for step in fragment.steps] == [2]


@pytest.mark.parametrize("steps", [[], "text", ["text"], [[]], [{"definition": {}}, []], [["text"]]])
def test_other_steps_are_refused(steps: Any) -> None:
    with pytest.raises(PlanError, match=r"steps"):
        parsed({"role": "a", "steps": steps})
