"""Demand against supply: what fits, what does not, what is not known, and what to do about it."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.compare import compare
from ansible_collections.kubestress.core.plugins.module_utils.capacity.limits import consent_line, max_pods_per_node
from ansible_collections.kubestress.core.plugins.module_utils.capacity.rows import NO_DATA, OK, OVER, UNKNOWN, WARNING
from ansible_collections.kubestress.core.plugins.module_utils.capacity.supply import (
    Node,
    NodeProcesses,
    Quota,
    Supply,
)
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import demand_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from helpers.example_settings import profile, settings
from helpers.role_plans import planned_demand

GIB = 1024**3


def node(name="n1", *, cpu=64_000, memory=256 * GIB, pods=500, cores=64, **more):
    defaults = {"ready": True, "unschedulable": False, "labels": {}, "taints": (), "simulated": False, "software": {}}
    return Node(name=name, cpu=cpu, memory=memory, pods=pods, cores=cores, **{**defaults, **more})


def supply(*nodes, **more):
    defaults = {"pods_counted": True, "namespaces": 5, "quotas": []}
    return Supply(nodes=list(nodes), **{**defaults, **more})


def rows(changed_settings, offered, **more):
    demand = planned_demand(changed_settings)
    return {row.name: row for row in compare(demand, offered, own_namespaces=set(), **more)}


def test_a_cluster_that_is_large_enough_has_nothing_over():
    found = rows(settings(), supply(*(node(f"n{number}") for number in range(10))))
    assert {name: row.verdict for name, row in found.items() if row.verdict in (OVER, WARNING)} == {}
    assert found["pods at peak"].verdict == OK
    assert (found["pods at peak"].needed, found["pods at peak"].offered) == (90, 5_000)


def test_pod_slots_that_are_taken_are_not_offered_and_the_cure_names_settings_and_values():
    row = rows(settings(), supply(node(pods=110, used_pods=60)))["pods at peak"]
    assert (row.needed, row.offered, row.verdict) == (90, 50, OVER)
    assert row.line() == (
        "pods at peak: 90 needed, 50 offered: namespaces_total=10 is too many, 5 would fit, or lower "
        "deployments_per_namespace=3"
    )


def test_the_cure_is_right():
    offered = supply(node(pods=110, used_pods=60))
    assert rows(settings(namespaces_total=5), offered)["pods at peak"].verdict == OK
    assert rows(settings(namespaces_total=6), offered)["pods at peak"].verdict == OVER


@pytest.mark.parametrize(
    ("changed", "name"),
    [({"cpu": 1_000}, "CPU requests at peak"), ({"memory": 2 * GIB}, "memory requests at peak")],
)
def test_requests_that_do_not_fit(changed, name):
    assert rows(settings(), supply(node(**changed)))[name].verdict == OVER


def test_limits_may_be_promised_twice_but_are_told():
    assert rows(settings(), supply(node(memory=8 * GIB)))["memory limits at peak"].verdict == WARNING


def test_a_pod_that_is_too_large_for_every_node_though_the_sum_would_do():
    large = settings(namespaces_total=1, build_jobs_requests={"cpu": "3"}, build_jobs_parallelism=1)
    found = rows(large, supply(node("n1", cpu=2_000), node("n2", cpu=2_000)))
    assert found["CPU requests at peak"].verdict == OK
    row = found["pods of build_jobs that find a node"]
    assert (row.needed, row.offered, row.verdict) == (1, 0, OVER)
    assert "lower build_jobs_requests (3 cores, 256 MiB a pod)" in row.cure


def test_a_pod_too_large_for_every_node_is_named_before_the_sums_with_what_the_nodes_have():
    asked = {"cpu": "9", "memory": "2Gi"}
    large = settings(namespaces_total=1, build_jobs_requests=asked, build_jobs_parallelism=1)
    machine = {"node.kubernetes.io/instance-type": "e2-small"}
    small = [node(f"s{number}", cpu=940, memory=GIB, labels=machine) for number in range(2)]
    found = rows(large, supply(*small, node("l", cpu=7_910, memory=30 * GIB)))
    names = list(found)
    assert names.index("pods of build_jobs that find a node") < names.index("CPU requests at peak")
    row = found["pods of build_jobs that find a node"]
    assert row.note == "there are 1 node with 7.91 cores, 30 GiB; 2 nodes of e2-small with 0.94 cores, 1 GiB"
    assert row.cure == "lower build_jobs_requests (9 cores, 2 GiB a pod) or use larger nodes"
    assert (row.verdict, found["CPU requests at peak"].verdict) == (OVER, OK)


def test_a_pod_too_large_for_every_node_is_named_though_the_sum_is_over_as_well():
    large = settings(namespaces_total=1, build_jobs_requests={"cpu": "9"}, build_jobs_parallelism=1)
    found = rows(large, supply(node(cpu=940)))
    assert found["CPU requests at peak"].verdict == OVER
    assert found["pods of build_jobs that find a node"].verdict == OVER


def test_pods_for_which_the_nodes_rests_are_too_small_are_a_warning():
    large = settings(namespaces_total=3, build_jobs_requests={"cpu": "3"}, build_jobs_parallelism=1)
    found = rows(large, supply(node("n1", cpu=5_000), node("n2", cpu=5_000)))
    row = found["pods of build_jobs that find a node"]
    assert (row.needed, row.offered, row.verdict) == (3, 2, WARNING)


def test_nodes_that_take_no_pods_are_said_with_their_causes():
    offered = supply(node("a", ready=False), node("b", unschedulable=True), node("c", unschedulable=True))
    found = rows(settings(), offered)
    # One row for all roles with the same cause, not one for each.
    (name,) = [name for name in found if name.startswith("nodes that take the pods of ")]
    assert name == "nodes that take the pods of deployments, statefulsets, build_jobs"
    assert (found[name].verdict, found[name].note) == (OVER, "2 cordoned, 1 not ready")


def test_without_pods_no_node_is_needed():
    found = rows(
        settings(deployments_per_namespace=0, statefulsets_enabled=False, build_jobs_enabled=False), supply(node())
    )
    assert set(found) == {"objects to create", "objects with those that controllers add", "pods in all"}


def test_what_may_not_be_read_is_no_data_and_never_nought():
    found = rows(settings(), Supply(unread={"nodes": "nodes is forbidden", "quotas": "forbidden"}))
    assert (found["pods at peak"].verdict, found["pods at peak"].note) == (NO_DATA, "nodes is forbidden")
    assert found["pods at peak"].offered is None
    assert found["quotas of existing namespaces"].verdict == NO_DATA


def test_pods_that_were_not_all_counted_are_reported():
    offered = supply(node(), pods_counted=False, unread={"pods": "40,000 more than could be read in 5 s"})
    assert "40,000 more" in rows(settings(), offered)["pods at peak"].note


def test_pods_that_were_estimated_are_said_to_be():
    estimated = "estimated from 50 of 2,000 nodes; 100,000 pods counted, finished ones included"
    found = rows(settings(), supply(node(), pods_running=100_000, pods_estimated=estimated))
    for name in ("pods at peak", "CPU requests at peak", "memory requests at peak"):
        assert found[name].note == estimated
    assert found["pods in the cluster"].note == f"published limit; {estimated}"


# --- processes -------------------------------------------------------------------------------------------------------


def test_processes_on_the_fullest_node_against_its_pid_max():
    sampled = [
        NodeProcesses(name="n1", pod_pids_limit=-1, pid_max=32_768, running=400),
        NodeProcesses(name="n2", pod_pids_limit=-1, pid_max=32_768, running=31_000),
    ]
    found = rows(settings(), supply(node("n1"), node("n2"), processes=sampled))
    row = found["processes on a node"]
    assert (row.needed, row.offered) == (15 * 72, 1_768)
    assert row.verdict == OK
    assert "pid_max 32,768 of n2, 31,000 running; 21,600 with all members active" in row.note
    assert found["processes in a pod of build_jobs"].note == "podPidsLimit not set"


def test_reproduce_is_over_the_pid_max_that_it_is_made_for():
    reproduce = profile(parallelism=10, completions=20, namespaces=10, active=0)
    sampled = [NodeProcesses(name="n1", pod_pids_limit=4096, pid_max=32_768, running=500)]
    found = rows(reproduce, supply(*(node(f"n{number}") for number in range(4)), processes=sampled))
    row = found["processes on a node"]
    assert (row.needed, row.offered, row.verdict) == (36_000, 32_268, OVER)
    assert "build_jobs_processes=72, or raise kernel.pid_max" in row.cure
    assert found["processes in a pod of build_jobs"].verdict == OK


def test_a_pod_pids_limit_below_a_builds_processes():
    sampled = [NodeProcesses(name="n1", pod_pids_limit=72, pid_max=32_768, running=1)]
    row = rows(settings(), supply(node(), processes=sampled))["processes in a pod of build_jobs"]
    assert (row.needed, row.offered, row.verdict) == (73, 72, OVER)


def test_kubelets_that_say_nothing_are_no_data():
    sampled = [NodeProcesses(name="n1", cause="reading nodes/proxy is not permitted")]
    found = rows(settings(), supply(node(), processes=sampled))
    for name in ("processes on a node", "processes in a pod of build_jobs"):
        assert found[name].verdict == NO_DATA
        assert "reading nodes/proxy is not permitted" in found[name].note


# --- published limits ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "more", "name", "verdict"),
    [
        ({"namespaces_total": 9_990}, {}, "namespaces in the cluster", OK),
        ({"namespaces_total": 9_996}, {}, "namespaces in the cluster", OVER),
        ({"deployments_per_namespace": 2_001}, {}, "Deployments in a namespace", OVER),
        ({"deployments_per_namespace": 1, "deployments_replicas": 3_000}, {}, "pods in a namespace", OVER),
        ({}, {"pods_running": 149_911}, "pods in the cluster", OVER),
        ({}, {"pods_running": 149_910}, "pods in the cluster", OK),
    ],
)
def test_published_limits(changed, more, name, verdict):
    assert rows(settings(**changed), supply(node(), **more))[name].verdict == verdict


@pytest.mark.parametrize(("cores", "pods"), [(1, 10), (4, 40), (11, 110), (64, 110)])
def test_published_pods_per_node(cores, pods):
    assert max_pods_per_node(cores) == pods


def test_more_pods_on_a_node_than_published_is_a_warning_only():
    row = rows(settings(), supply(node(used_pods=21)))["pods on a node, evenly spread"]
    assert (row.needed, row.offered, row.verdict) == (111, 110, WARNING)


# --- quotas ----------------------------------------------------------------------------------------------------------


def quota(**hard_and_used):
    hard = {name.replace("__", "/").replace("_", "."): value[0] for name, value in hard_and_used.items()}
    used = {name.replace("__", "/").replace("_", "."): value[1] for name, value in hard_and_used.items()}
    return Quota(namespace="deploy-test-1", name="q", hard=hard, used=used, scoped=False)


def quota_found(offered, own=()):
    demand = planned_demand(settings(), existing=["deploy-test-1"])
    found = compare(demand, supply(node(), quotas=[offered]), own_namespaces=set(own))
    return [row for row in found if row.name.startswith("quota ")]


@pytest.mark.parametrize(
    ("offered", "verdict"),
    [
        (quota(pods=("10", "1")), None),
        (quota(pods=("10", "2")), OVER),
        (quota(configmaps=("6", "1")), OVER),
        (quota(count__jobs_batch=("19", "0")), OVER),
        (quota(requests_cpu=("180m", "0")), None),
        (quota(requests_cpu=("179m", "0")), OVER),
        (quota(limits_memory=("1Gi", "0")), OVER),
        (quota(persistentvolumeclaims=("0", "0")), None),
    ],
)
def test_a_quota_of_an_existing_namespace(offered, verdict):
    found = quota_found(offered)
    assert [row.verdict for row in found] == ([verdict] if verdict else [])


def test_an_exhausted_quota_names_namespace_quota_and_resource():
    (row,) = quota_found(quota(pods=("10", "2")))
    assert row.line() == (
        "quota deploy-test-1/q pods: 9 needed, 8 offered: raise the quota, free some of it, or use another namespace "
        "than deploy-test-1"
    )


def test_where_the_run_has_worked_before_its_own_use_may_be_what_fills_the_quota():
    (row,) = quota_found(quota(pods=("10", "9")), own={"deploy-test-1"})
    assert row.verdict == WARNING


def test_a_quota_with_scopes_is_not_judged():
    scoped = Quota(namespace="deploy-test-1", name="q", hard={"pods": "0"}, used={}, scoped=True)
    assert [row.verdict for row in quota_found(scoped)] == [NO_DATA]


# --- consent ---------------------------------------------------------------------------------------------------------


def test_consent_says_what_would_happen_in_figures():
    demand = planned_demand(profile(parallelism=10, completions=20, namespaces=10, active=0))
    offered = supply(node(), processes=[NodeProcesses(name="n1", pid_max=32_768)])
    line = consent_line(
        demand,
        profile="reproduce",
        risk="It takes nodes down.",
        nodes=3,
        supply=offered,
        option="preflight_accept_risk=true",
    )
    assert line == (
        "profile reproduce: It takes nodes down. It would run up to 2,000 pods of build_jobs at once with 144,000 "
        "processes, 48,024 on each of 3 nodes (pid_max there is 32,768). Set preflight_accept_risk=true if you want "
        "that"
    )


# --- plans of somebody else's ----------------------------------------------------------------------------------------


def fragment(kind, *, api_version="v1", spec, **options):
    definition = {"apiVersion": api_version, "kind": kind, "metadata": {"name": "m-{{ index }}"}, "spec": spec}
    return {"role": kind.lower(), "count": 1, "steps": [[{"definition": definition}]], **options}


def pods(*, number=1, selector=None, tolerations=None, **requests):
    container = {"name": "app", "image": "x", "resources": {"requests": requests}}
    spec = {"containers": [container], "nodeSelector": selector or {}, "tolerations": tolerations or []}
    return fragment("Deployment", api_version="apps/v1", spec={"replicas": number, "template": {"spec": spec}})


def compared(*fragments, offered, namespaces=2):
    parsed = parse_fragments([*fragments], Context(run_id="r"))
    demand = demand_of(parsed, namespaces=[(number, f"ns-{number}") for number in range(1, namespaces + 1)])
    return {row.name: row for row in compare(demand, offered, own_namespaces=set())}


def test_fifty_replicas_of_a_template_are_refused_where_they_do_not_fit():
    row = compared(pods(number=50, cpu="10m"), offered=supply(node(pods=80)))["pods at peak"]
    assert (row.needed, row.offered, row.verdict) == (100, 80, OVER)
    assert row.cure == (
        "namespace_total=2 is too many, 1 would fit, or lower fragments[0].count=1 (role deployment), "
        "or the replicas in its templates"
    )


def test_an_extended_resource_that_no_node_has():
    row = compared(pods(**{"nvidia.com/gpu": "1"}), offered=supply(node()))["nvidia.com/gpu requests at peak"]
    assert (row.needed, row.offered, row.verdict) == (2, 0, OVER)


def test_an_extended_resource_that_is_there_and_partly_in_use():
    offered = supply(node(extended={"nvidia.com/gpu": 8}, used_extended={"nvidia.com/gpu": 5}))
    row = compared(pods(number=1, **{"nvidia.com/gpu": "2"}), offered=offered)["nvidia.com/gpu requests at peak"]
    assert (row.needed, row.offered, row.verdict) == (4, 3, OVER)


def test_pods_for_different_nodes_are_compared_with_their_own_nodes():
    offered = supply(node("gpu", pods=10, labels={"pool": "gpu"}), node("cpu", pods=100))
    train = {**pods(number=6, selector={"pool": "gpu"}), "role": "train"}
    serve = {**pods(number=40), "role": "serve"}
    found = compared(train, serve, offered=offered)
    assert (found["pods at peak of train"].needed, found["pods at peak of train"].offered) == (12, 10)
    assert found["pods at peak of train"].verdict == OVER
    assert found["pods at peak of serve"].verdict == OK


def test_a_selector_that_no_node_matches_is_named():
    row = compared(pods(selector={"pool": "gpu"}), offered=supply(node()))["nodes that take the pods of deployment"]
    assert (row.verdict, row.note) == (OVER, "1 without the label pool=gpu")


def test_a_required_node_affinity_is_honoured():
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}]
    affinity = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}}
    made = fragment("Pod", spec={"affinity": affinity, "containers": [{"name": "a", "image": "x"}]})
    offered = supply(node("a", labels={"zone": "a"}, pods=2), node("b", labels={"zone": "b"}, pods=50))
    assert compared(made, offered=offered)["pods at peak"].offered == 2
    offered = supply(node("b", labels={"zone": "b"}))
    row = compared(made, offered=offered)["nodes that take the pods of pod"]
    assert row.note == "1 not matched by the required node affinity"


def test_a_daemon_set_counts_once_on_each_node_that_takes_it():
    made = fragment("DaemonSet", api_version="apps/v1", spec={"template": {"spec": {"containers": [{"name": "a"}]}}})
    tainted = node("c", taints=({"key": "dedicated", "effect": "NoSchedule"},))
    found = compared(made, offered=supply(node("a"), node("b"), tainted))
    assert found["pods at peak"].needed == 2 * 2
    assert found["pods in all"].needed == 2 * 2


def test_a_custom_resource_is_said_to_be_unknown():
    found = compared(fragment("Farm", api_version="example.com/v1", spec={}), offered=supply(node()))
    row = found["further pods and objects of farm"]
    assert (row.needed, row.verdict) == (None, UNKNOWN)
    assert row.note == "2 Farm of example.com/v1: what its controller makes is unknown"
