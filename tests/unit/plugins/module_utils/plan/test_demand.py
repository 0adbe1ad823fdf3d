"""What a plan weighs: the roles' own plans, and templates of somebody else's."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import Demand, demand_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import (
    Context,
    PlanError,
    parse_fragments,
)
from helpers.example_settings import profile, settings
from helpers.role_plans import planned_demand

MIB = 1024 * 1024
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "{{ namespace }}"}}


def weighed(*fragments: dict[str, Any], namespaces: int = 2, **variables: Any) -> Demand:
    """Weigh fragments of definitions, in a namespace or in several."""
    raw = [{"role": f"role-{number}", "count": 1, **fragment} for number, fragment in enumerate(fragments)]
    parsed = parse_fragments(raw, Context(run_id="run-1", variables=variables))
    return demand_of(parsed, namespaces=[(number, f"ns-{number}") for number in range(1, namespaces + 1)])


def one(kind: str, *, api_version: str = "v1", name: str = "{{ index }}", **rest: Any) -> dict[str, Any]:
    """Return the steps of a fragment with one definition."""
    definition = {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, **rest}
    return {"steps": [[{"definition": definition}]]}


def pod_template(**requests: str) -> dict[str, Any]:
    return {"spec": {"containers": [{"name": "app", "image": "x", "resources": {"requests": requests}}]}}


# -- the roles' plans ------------------------------------------------------------------------------------------------


def test_objects_of_each_kind():
    demand = planned_demand(settings(namespaces_total=7, deployments_per_namespace=4))
    assert demand.objects == {
        "Namespace": 7,
        "ConfigMap": 7 * 4 * 2,
        "Secret": 7 * 4 * 2,
        "Deployment": 7 * 4,
        "Service": 7,
        "StatefulSet": 7,
        "Job": 7 * 20,
    }


def test_existing_namespaces_are_not_made_again():
    existing = [f"deploy-test-{number}" for number in range(1, 5)]
    demand = planned_demand(settings(), existing=existing)
    assert demand.objects["Namespace"] == 6
    assert (demand.namespaces, demand.existing_namespaces) == (10, 4)


def test_services_and_the_connectivity_job_come_on_top():
    demand = planned_demand(
        settings(deployments_service_enabled=True, connectivity_enabled=True, statefulsets_enabled=False)
    )
    assert demand.objects["Service"] == 10 * 3
    assert demand.objects["Job"] == 10 * (20 + 1)
    assert demand.pods_per_namespace == 3 + 1 + 3


def test_pods_and_requests_at_peak_and_in_all():
    demand = planned_demand(settings())
    assert demand.pods_at_peak == 10 * (3 + 3 + 3)
    assert demand.pods_in_all == 10 * (3 + 3 + 200)
    assert demand.requested("cpu") == 10 * (3 * 10 + 3 * 50)
    assert demand.requested("memory") == 10 * (3 * 16 + 3 * 48 + 3 * 64) * MIB
    assert demand.limits("memory") == 10 * (3 * 64 + 3 * 64 + 3 * 256) * MIB


def test_controllers_objects_are_counted():
    demand = planned_demand(settings(namespaces_total=1, build_jobs_enabled=False, statefulsets_enabled=False))
    # Namespace, 6 ConfigMaps, 6 Secrets, 3 Deployments; and: default ServiceAccount, root CA, 3 ReplicaSets, 3 Pods.
    assert demand.api_objects == 16 + 8


def test_a_limit_without_a_request_is_the_request():
    only_limits = {"deployments_requests": {}, "deployments_limits": {"cpu": "100m"}}
    demand = planned_demand(
        settings(namespaces_total=1, build_jobs_enabled=False, statefulsets_enabled=False, **only_limits)
    )
    assert demand.requested("cpu") == 3 * 100


@pytest.mark.parametrize(
    ("name", "figures", "ceiling", "in_all", "unheld", "minutes", "rounds"),
    [
        ("safe", profile(parallelism=3, completions=10, namespaces=10), 30, 2000, 600, 76, 80),
        ("conservative", profile(parallelism=2, completions=5, namespaces=20), 40, 2000, 800, 58, 60),
        ("moderate", profile(parallelism=5, completions=15, namespaces=5), 25, 1500, 500, 64, 60),
        ("observed", profile(parallelism=4, completions=10, namespaces=5), 20, 1000, 400, 59, 60),
        ("high", profile(parallelism=8, completions=20, namespaces=3), 24, 1200, 480, 60, 60),
        ("high_volume", profile(parallelism=5, completions=15, namespaces=5, active=0), 500, 1500, 500, 3.6, 3),
        ("danger", profile(parallelism=10, completions=30, namespaces=10), 100, 6000, 2000, 66, 60),
        ("reproduce", profile(parallelism=10, completions=20, namespaces=10, active=0), 2000, 4000, 2000, None, 2),
    ],
)
def test_build_jobs_of_each_profile(name, figures, ceiling, in_all, unheld, minutes, rounds):
    (builds,) = [part for part in planned_demand(figures).fragments if part.role == "build_jobs"]
    assert (builds.pods_at_peak, builds.pods_in_all, builds.pods_unheld) == (ceiling, in_all, unheld)
    assert builds.expected.rounds == rounds
    if minutes:
        assert builds.expected.seconds / 60 == pytest.approx(minutes, rel=0.03), name
    assert all(group.processes == 72 for group in builds.groups)


def test_the_time_scale_makes_builds_shorter():
    whole, half = (
        planned_demand(profile(parallelism=3, completions=10, namespaces=2, build_jobs_time_scale=scale))
        for scale in (1.0, 0.5)
    )
    assert half.fragments[-1].expected.seconds == pytest.approx(whole.fragments[-1].expected.seconds / 2)


# -- templates of somebody else's ------------------------------------------------------------------------------------


def test_replicas_of_a_template_count_whatever_the_role_says():
    template = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: 'd-{{ index }}'}\nspec: {replicas: 50}\n"
    demand = weighed({"count": 3, "steps": [[{"definition": template}]]})
    assert demand.objects == {"Deployment": 6}
    # No pod template, no pods: such a Deployment is refused by the API server.
    assert demand.pods_at_peak == 0
    spec = {"replicas": 50, "template": pod_template(cpu="100m")}
    demand = weighed({"count": 3, **one("Deployment", api_version="apps/v1", spec=spec)})
    assert (demand.pods_at_peak, demand.requested("cpu")) == (2 * 3 * 50, 2 * 3 * 50 * 100)


def test_extended_resources_selectors_and_tolerations_are_read_from_the_pod():
    spec = {
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "nvidia.com/gpu", "operator": "Exists"}],
        "containers": [{"name": "train", "image": "x", "resources": {"limits": {"nvidia.com/gpu": 4}}}],
    }
    demand = weighed(one("Pod", spec=spec))
    (group,) = demand.groups
    assert group.shape.extended == {"nvidia.com/gpu": 4}
    assert group.shape.node_selector == {"pool": "gpu"}
    assert group.shape.tolerations == ({"key": "nvidia.com/gpu", "operator": "Exists"},)
    assert demand.resources == ["cpu", "memory", "nvidia.com/gpu"]
    assert demand.requested("nvidia.com/gpu") == 2 * 4


def test_a_daemon_set_counts_on_the_nodes_that_take_it():
    demand = weighed(one("DaemonSet", api_version="apps/v1", spec={"template": pod_template(memory="1Gi")}))
    assert demand.groups[0].per_node
    on_five = demand.on_nodes(lambda group: 5)
    assert (on_five.pods_at_peak, on_five.requested("memory")) == (2 * 5, 2 * 5 * 1024 * MIB)


def test_a_cron_job_counts_one_job_and_says_so():
    spec = {"schedule": "* * * * *", "jobTemplate": {"spec": {"parallelism": 2, "template": pod_template(cpu="1")}}}
    demand = weighed(one("CronJob", api_version="batch/v1", spec=spec))
    assert (demand.objects, demand.pods_at_peak) == ({"CronJob": 2}, 4)
    assert demand.fragments[0].unknown == (
        (
            "2 CronJob of batch/v1: how many Jobs it starts depends on its schedule; one is counted, "
            "and they may overlap (concurrencyPolicy Allow)"
        ),
    )


def test_a_custom_resource_is_unknown():
    spec = {"template": pod_template(cpu="8"), "replicas": 3}
    demand = weighed({"count": 5, **one("Cluster", api_version="example.com/v1", spec=spec)})
    assert (demand.objects, demand.pods_at_peak) == ({"Cluster": 10}, 0)
    assert demand.fragments[0].unknown == (
        "10 Cluster of example.com/v1: what its controller makes is unknown; it holds 1 pod template",
    )


def test_claims_of_a_stateful_set_are_followers():
    spec = {"replicas": 3, "template": pod_template(), "volumeClaimTemplates": [{"metadata": {"name": "data"}}]}
    demand = weighed(one("StatefulSet", api_version="apps/v1", spec=spec))
    assert demand.fragments[0].followers == {"ControllerRevision": 2, "PersistentVolumeClaim": 6}
    assert demand.objects_in_a_namespace("PersistentVolumeClaim") == 3


VARYING = """
apiVersion: {api_version}
kind: {kind}
metadata: {{name: "m-{{{{ index }}}}"}}
spec:
  {counts}
  template: {{spec: {{containers: [{{name: app, image: x, resources: {{requests: {{cpu: 100m}}}}}}]}}}}
"""


def varying(kind: str, counts: str, *, api_version: str = "apps/v1") -> dict[str, Any]:
    """Return the steps of a fragment whose template has an expression in its counts."""
    return {"steps": [[{"definition": VARYING.format(kind=kind, counts=counts, api_version=api_version)}]]}


def test_what_varies_from_member_to_member_is_weighed_member_by_member():
    members = {"members": [{"replicas": 1}, {"replicas": 5}, {"replicas": 10}], "count": 3}
    demand = weighed({**members, **varying("Deployment", "replicas: {{ replicas }}")})
    assert demand.pods_at_peak == 2 * (1 + 5 + 10)
    demand = weighed(varying("Deployment", "replicas: {{ namespace_index }}"), namespaces=4)
    assert (demand.pods_at_peak, demand.pods_per_namespace) == (1 + 2 + 3 + 4, 4)


def test_the_largest_members_count_where_a_gate_holds_back_the_rest():
    members = {"members": [{"size": 1}, {"size": 7}, {"size": 3}], "count": 3, "active": 2}
    job = varying("Job", "parallelism: {{ size }}\n  completions: {{ size }}", api_version="batch/v1")
    demand = weighed({**members, **job})
    assert (demand.pods_at_peak, demand.pods_in_all) == (2 * (7 + 3), 2 * 11)


def test_of_very_many_that_vary_some_are_weighed_and_that_is_said():
    # Every other namespace has no pods; the chosen ones are not all of the one kind.
    fragment = {"count": 30, **varying("Deployment", "replicas: {{ namespace_index // 7 % 2 }}")}
    demand = weighed(fragment, namespaces=2000)
    assert demand.objects == {"Deployment": 60_000}
    assert demand.pods_at_peak == pytest.approx(30_000, rel=0.2)
    assert "of 2,000 namespaces, because the template varies" in demand.fragments[0].estimated


def test_a_broken_quantity_is_refused_by_name():
    with pytest.raises(PlanError, match="Pod p-1 of role role-0: 'lots' is not a Kubernetes quantity"):
        weighed(one("Pod", name="p-{{ index }}", spec=pod_template(cpu="lots")["spec"]))


def test_sidecars_and_init_containers_are_weighed_as_the_scheduler_does():
    def container(cpu: str, **rest: Any) -> dict[str, Any]:
        return {"name": "c", "image": "x", "resources": {"requests": {"cpu": cpu}}, **rest}

    spec = {
        "containers": [container("1"), container("500m")],
        "initContainers": [container("200m", restartPolicy="Always"), container("3")],
        "overhead": {"cpu": "100m"},
    }
    assert weighed(one("Pod", spec=spec), namespaces=1).requested("cpu") == 3200 + 100


def test_nothing_is_asked_for():
    demand = planned_demand(settings(deployments_per_namespace=0, statefulsets_enabled=False, build_jobs_enabled=False))
    assert (demand.pods_at_peak, demand.objects) == (0, {"Namespace": 10})
