"""The Roles that are printed for a plan."""

from __future__ import annotations

import json
import re

import yaml
from ansible_collections.kubestress.core.plugins.module_utils.cluster.access import Access
from ansible_collections.kubestress.core.plugins.module_utils.cluster.discovery import Resource
from ansible_collections.kubestress.core.plugins.module_utils.plan.access import cleanup_access, needed_access
from ansible_collections.kubestress.core.plugins.module_utils.preflight.rbac import (
    OBSERVING,
    Rights,
    rbac_documents,
    rbac_text,
    rules_of,
    user_of_account,
)
from helpers.collection import CHECKOUT
from helpers.example_settings import settings
from helpers.role_plans import compiled_plan

CREATE_JOBS = Access("batch", "jobs", "create")
LIST_PODS = Access("", "pods", "list")
CREATE_CLASSES = Access("scheduling.k8s.io", "priorityclasses", "create", namespaced=False)
LOAD = user_of_account("team-a/load")


def documents(*needed: Access, namespaces=("team-a", "team-b"), user=LOAD):
    return rbac_documents(Rights(run_id="r", user=user, namespaces=namespaces, uses={"run": needed}))


def test_resources_with_the_same_verbs_are_one_rule():
    needed = [
        *(Access("", resource, verb) for resource in ("secrets", "configmaps") for verb in ("get", "create")),
        LIST_PODS,
        CREATE_JOBS,
    ]
    assert rules_of(needed) == [
        {"apiGroups": [""], "resources": ["configmaps", "secrets"], "verbs": ["create", "get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
        {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]},
    ]


def test_a_role_and_a_binding_in_each_namespace():
    found = documents(CREATE_JOBS)
    assert [(one["kind"], one["metadata"]) for one in found] == [
        (kind, {"name": "kubestress-run", "namespace": namespace})
        for namespace in ("team-a", "team-b")
        for kind in ("Role", "RoleBinding")
    ]
    binding = found[3]
    assert binding["roleRef"] == {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "kubestress-run"}
    assert binding["subjects"] == [{"kind": "ServiceAccount", "namespace": "team-a", "name": "load"}]


def test_what_lies_in_no_namespace_and_a_plan_that_makes_namespaces_need_cluster_roles():
    kinds = [one["kind"] for one in documents(CREATE_JOBS, CREATE_CLASSES, namespaces=["team-a"])]
    assert kinds == ["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]
    role, binding = documents(CREATE_JOBS, namespaces=(), user="jane")
    assert (role["kind"], role["metadata"]) == ("ClusterRole", {"name": "kubestress-run"})
    assert binding["subjects"] == [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "jane"}]


def test_the_file_is_yaml_that_says_what_it_leaves_out():
    text = rbac_text(Rights(run_id="r", user=LOAD, namespaces=["team-a"], uses={"run": [LIST_PODS]}))
    assert [one["kind"] for one in yaml.safe_load_all(text)] == ["Role", "RoleBinding"]
    assert "# The rights that run r needs in namespaces team-a, for system:serviceaccount:team-a:load" in text
    assert "#   get: nodes, nodes/proxy - conditions, limits and load of the nodes, and operations of their" in text
    assert "#   get: /metrics - figures of the API server" in text


VERBS = frozenset({"create", "delete", "deletecollection", "get", "list", "patch", "watch"})
SERVED = {
    (version, kind): Resource(version, kind, plural, kind != "Namespace", VERBS)
    for version, kind, plural in (
        ("v1", "Namespace", "namespaces"),
        ("v1", "ConfigMap", "configmaps"),
        ("v1", "Secret", "secrets"),
        ("v1", "Service", "services"),
        ("apps/v1", "Deployment", "deployments"),
        ("apps/v1", "StatefulSet", "statefulsets"),
        ("batch/v1", "Job", "jobs"),
    )
}


def in_any_order(rules):
    return sorted(json.dumps(rule, sort_keys=True) for rule in rules)


def test_the_roles_in_the_documentation_are_those_of_the_plan():
    text = (CHECKOUT / "docs" / "rights.md").read_text()
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    stated = {
        (one["kind"], one["metadata"]["name"]): one["rules"] for block in blocks for one in yaml.safe_load_all(block)
    }
    plan = compiled_plan(settings(connectivity_enabled=True, deployments_service_enabled=True))
    for kind, makes in (("Role", False), ("ClusterRole", True)):
        run = rules_of(needed_access(plan, SERVED, makes_namespaces=makes))
        assert in_any_order(stated.pop((kind, "kubestress-run"))) == in_any_order(run)
        cleanup = rules_of(cleanup_access(plan, SERVED, makes_namespaces=makes))
        assert in_any_order(stated.pop((kind, "kubestress-cleanup"))) == in_any_order(cleanup)
    # gathering/test_must_gather.py and storage/test_reading.py compare these with what is asked for.
    del stated["ClusterRole", "kubestress-gather"], stated["ClusterRole", "kubestress-storage"]
    assert stated == {("ClusterRole", "kubestress-observe"): [rule for _purpose, rule in OBSERVING]}
    for purpose, _rule in OBSERVING:
        assert f"# {purpose}\n" in text
