"""What the settings will make and run."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.demand import MissingSetting, demand_of
from helpers.example_settings import settings

MIB = 1024 * 1024


def test_objects_of_each_kind():
    demand = demand_of(settings(namespaces_total=7, deployments_per_namespace=4))
    assert demand.objects_in_all() == {
        "Namespace": 7,
        "ConfigMap": 7 * 4 * 2,
        "Secret": 7 * 4 * 2,
        "Deployment": 7 * 4,
        "Service": 7,
        "StatefulSet": 7,
        "Job": 7 * 20,
    }


def test_existing_namespaces_are_not_made_again():
    assert demand_of(settings(), existing_namespaces=4).objects_in_all()["Namespace"] == 6


def test_services_and_the_connectivity_job_come_on_top():
    demand = demand_of(
        settings(deployments_service_enabled=True, connectivity_enabled=True, statefulsets_enabled=False)
    )
    assert demand.objects["Service"] == 3
    assert demand.objects["Job"] == 20 + 1
    assert demand.pods_per_namespace == 3 + 1 + 3


def test_pods_and_requests_at_peak_and_in_all():
    demand = demand_of(settings())
    assert demand.pods_at_peak == 10 * (3 + 3 + 3)
    assert demand.pods_in_all == 10 * (3 + 3 + 200)
    assert demand.at_peak("cpu_request") == 10 * (3 * 10 + 3 * 50)
    assert demand.at_peak("memory_request") == 10 * (3 * 16 + 3 * 48 + 3 * 64) * MIB
    assert demand.at_peak("memory_limit") == 10 * (3 * 64 + 3 * 64 + 3 * 256) * MIB


def test_controllers_objects_are_counted():
    demand = demand_of(settings(namespaces_total=1, build_jobs_enabled=False, statefulsets_enabled=False))
    # Namespace, 6 ConfigMaps, 6 Secrets, 3 Deployments; and: default ServiceAccount, root CA, 3 ReplicaSets, 3 Pods.
    assert demand.api_objects() == 16 + 8


def test_a_limit_without_a_request_is_the_request():
    demand = demand_of(settings(namespaces_total=1, deployments_requests={}, build_jobs_enabled=False))
    assert demand.at_peak("cpu_request") == 3 * 100


def test_nothing_is_asked_for():
    demand = demand_of(settings(deployments_per_namespace=0, statefulsets_enabled=False, build_jobs_enabled=False))
    assert (demand.pods_at_peak, demand.objects_in_all()) == (0, {"Namespace": 10})


def test_a_setting_that_is_missing_is_named():
    incomplete = settings()
    del incomplete["build_jobs_parallelism"]
    with pytest.raises(MissingSetting, match="settings: build_jobs_parallelism is missing"):
        demand_of(incomplete)


def test_a_quantity_that_is_none_is_named_with_its_setting():
    with pytest.raises(ValueError, match=r"build_jobs_requests: \{'memory': '64MB2'\} holds no Kubernetes quantity"):
        demand_of(settings(build_jobs_requests={"memory": "64MB2"}))
