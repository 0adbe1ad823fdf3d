"""Which permissions a user has, asked of a server of our own that answers over real HTTP."""

from __future__ import annotations

import json
from collections import Counter

from aiohttp import web
from ansible_collections.kubestress.core.plugins.module_utils.cluster.access import Access, Missing
from ansible_collections.kubestress.core.plugins.module_utils.cluster.reviews import missing_access, user_name
from ansible_collections.kubestress.core.plugins.module_utils.cluster.scopes import MAX_NAMESPACES
from helpers.fake_server import cluster_on, status

PODS = Access("", "pods", "list")
JOBS = Access("batch", "jobs", "create")
NAMESPACES = Access("", "namespaces", "create", namespaced=False)


async def test_permissions_are_asked_one_by_one_unless_everything_is_allowed():
    asked = []

    async def handler(request):
        attributes = json.loads(await request.read())["spec"]["resourceAttributes"]
        asked.append((attributes["group"], attributes["resource"], attributes["verb"]))
        return web.json_response({"status": {"allowed": attributes["verb"] == "get"}}, status=201)

    needed = [Access("", "pods", "get"), Access("apps", "deployments", "create"), Access("batch", "jobs", "get")]
    async with cluster_on(handler) as cluster:
        assert await missing_access(cluster, needed) == [Missing(Access("apps", "deployments", "create"))]
    assert asked[0] == ("*", "*", "*")
    assert sorted(asked[1:]) == sorted(access[:3] for access in needed)


async def test_one_question_does_for_who_may_do_everything():
    asked = []

    async def handler(request):
        asked.append(request.path)
        return web.json_response({"status": {"allowed": True}}, status=201)

    async with cluster_on(handler) as cluster:
        assert await missing_access(cluster, [PODS], within=["a"]) == []
    assert len(asked) == 1


class Rbac:
    """An API server that grants in single namespaces: namespace -> rules. `tells`: whether it lists them."""

    def __init__(self, rules, *, tells=True):
        self.rules, self.tells = rules, tells
        self.asked = Counter()

    async def handle(self, request):
        spec = json.loads(await request.read())["spec"]
        self.asked[request.path.rpartition("/")[2]] += 1
        if request.path.endswith("selfsubjectrulesreviews"):
            rules = self.rules.get(spec["namespace"], []) if self.tells else []
            return web.json_response({"status": {"resourceRules": rules, "incomplete": not self.tells}}, status=201)
        asked = spec["resourceAttributes"]
        allowed = any(
            asked["resource"] in rule["resources"] and asked["verb"] in rule["verbs"]
            for rule in self.rules.get(asked.get("namespace"), [])
            if not rule.get("resourceNames")
        )
        return web.json_response({"status": {"allowed": allowed}}, status=201)


RULES = [
    {"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]},
    {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["create"]},
]


async def test_rights_in_each_of_the_namespaces_are_enough():
    rbac = Rbac({"a": RULES, "b": RULES})
    async with cluster_on(rbac.handle) as cluster:
        assert await missing_access(cluster, [PODS, JOBS], within=["a", "b"]) == []
        assert await missing_access(cluster, [PODS, JOBS]) == [Missing(PODS), Missing(JOBS)]
    # Everything, the two in the whole cluster, twice; what the rules say is not asked again.
    assert rbac.asked == {"selfsubjectaccessreviews": 6, "selfsubjectrulesreviews": 2}


async def test_the_namespace_is_named_in_which_a_right_is_missing():
    rbac = Rbac({"a": RULES, "b": RULES[:1], "c": [{**RULES[1], "resourceNames": ["one"]}]})
    async with cluster_on(rbac.handle) as cluster:
        found = await missing_access(cluster, [NAMESPACES, PODS, JOBS], within=["a", "b", "c"])
    assert found == [Missing(NAMESPACES), Missing(PODS, ("c",)), Missing(JOBS, ("b", "c"))]


async def test_where_no_rules_are_told_each_right_is_asked_for():
    rbac = Rbac({"a": RULES}, tells=False)
    async with cluster_on(rbac.handle) as cluster:
        assert await missing_access(cluster, [PODS, JOBS], within=["a"]) == []


async def test_very_many_namespaces_are_not_watched_one_by_one():
    names = [f"n-{number}" for number in range(MAX_NAMESPACES + 1)]
    rbac = Rbac(dict.fromkeys(names, RULES))
    async with cluster_on(rbac.handle) as cluster:
        assert await missing_access(cluster, [PODS, JOBS], within=names) == [Missing(PODS)]


async def test_who_we_are():
    async def handler(request):
        assert request.path == "/apis/authentication.k8s.io/v1/selfsubjectreviews"
        return web.json_response({"status": {"userInfo": {"username": "somebody"}}}, status=201)

    async def older(_request):
        return status(404, reason="NotFound", message="the server could not find the requested resource")

    async with cluster_on(handler) as cluster:
        assert await user_name(cluster) == "somebody"
    async with cluster_on(older) as cluster:
        assert await user_name(cluster) == ""
