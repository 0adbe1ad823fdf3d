"""Settings that are wrong, alone or together, and the line that says so."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.images.request import BUILDERS, DEFAULT_PLATFORM
from ansible_collections.kubestress.core.plugins.module_utils.settings.rules import problems_of
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import SETTINGS

RIGHT = {
    "run_id": "nightly-7",
    "run_qps": 0.0,
    "run_burst": 0,
    "run_image_pull_secrets": ["registry.example"],
    "run_node_selector": {"kubernetes.io/os": "linux", "pool": ""},
    "namespaces_total": 100,
    "namespaces_prefix": "deploy-test",
    "namespaces_names": [],
    "namespaces_existing": ["team-a"],
    "preflight_rbac_account": "team-a/load",
    "preflight_rbac_out": "rights.yml",
    "namespaces_labels": {"pod-security.kubernetes.io/enforce": "baseline"},
    "namespaces_annotations": {"openshift.io/node-selector": "pool=a, any text"},
    "deployments_enabled": True,
    "deployments_per_namespace": 3,
    "deployments_replicas": 1,
    "deployments_service_enabled": False,
    "deployments_image": "registry.example.com:5000/team/image:1.2@sha256:" + "a" * 64,
    "deployments_requests": {"cpu": "10m", "memory": "16Mi"},
    "deployments_limits": {"cpu": 0.1, "memory": "64Mi"},
    "connectivity_enabled": False,
    "statefulsets_memory_total": "80Mi",
    "volumes_size": "1Gi",
    "volumes_expand_to": "",
    "volumes_write": 16,
    "volumes_snapshots_per_volume": 0,
    "volumes_restores_per_volume": 0,
    "volumes_pods_per_volume": 1,
    "volumes_access_mode": "ReadWriteOnce",
    "volumes_storage_class": "",
    "volumes_snapshot_class": "",
    "build_jobs_per_namespace": 20,
    "build_jobs_active_per_namespace": 1,
    "build_jobs_processes": 72,
    "build_jobs_cpu_workers": 2,
    "build_jobs_time_scale": 1.0,
    "build_jobs_wait_timeout": 0,
    "build_jobs_stall_timeout": 0,
    "run_user_id": None,
    "observe_api_interval": 0.0,
    "observe_node_interval": 5.0,
    "observe_name": "observe",
    "observe_namespaces": ["shop"],
    "capacity_id": "spring-7",
    "capacity_max_failed_pods": -1,
    "capacity_max_failed_pods_by_cause": {"OOMKilled": 2, "Evicted": -1},
    "storage_min_age": "7d",
    "storage_namespaces": ["shop"],
    "storage_exclude_namespaces": [],
    "storage_fail_on": ["orphans", "incomplete"],
}


def test_right_settings_have_no_problems():
    assert problems_of(RIGHT) == []


def test_with_listed_names_the_prefix_counts_for_nothing():
    assert problems_of(RIGHT | {"namespaces_prefix": "x" * 63}) != []
    assert problems_of(RIGHT | {"namespaces_prefix": "x" * 63, "namespaces_names": ["team-a"]}) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        (
            {"storage_min_age": "a week"},
            "storage_min_age: 'a week' is not allowed; a number of seconds, or with a unit",
        ),
        (
            {"storage_drivers": ["a b"]},
            "storage_drivers: 'a b' is not allowed; names such as zfs-nfs or org.example.csi",
        ),
        ({"storage_storage_classes": [""]}, "storage_storage_classes: '' is not allowed; names such as zfs-nfs"),
        ({"storage_thresholds": {"volume_warn": 5}}, "storage_thresholds: 'volume_warn'; allowed are volume_warning, "),
        ({"storage_thresholds": {"overcommit": "x"}}, "storage_thresholds: overcommit is 'x'; allowed are 0 to 1,000,"),
        (
            {"storage_thresholds": {"volume_warning": 99}},
            "storage_thresholds: volume_warning is 99, which is more than",
        ),
        ({"storage_min_age": "-1"}, "storage_min_age: '-1' is not allowed; a number of seconds, or with a unit"),
        ({"storage_namespaces": ["Shop"]}, "storage_namespaces: 'Shop' is not the name of a namespace"),
        (
            {"storage_exclude_namespaces": ["shop"]},
            "storage_exclude_namespaces: 'shop' is in storage_namespaces, too; name it in one of them",
        ),
        (
            {"storage_fail_on": ["none", "orphans"]},
            "storage_fail_on: none is given beside orphans; leave it out",
        ),
        ({"namespaces_total": 0}, "namespaces_total: 0 is not allowed; it must be 1 to 100,000"),
        ({"capacity_id": "x" * 41}, "is not allowed; lower-case letters, digits and hyphens, first and last"),
        ({"capacity_id": "Spring"}, "capacity_id: 'Spring' is not allowed; lower-case letters, digits and hyphens"),
        ({"capacity_max_failed_pods": -2}, "capacity_max_failed_pods: -2 is not allowed; it must be 0 to 10,000,000"),
        (
            {"capacity_max_failed_pods_by_cause": {"Evicted": "many"}},
            "capacity_max_failed_pods_by_cause: 'many' for Evicted is not allowed; a whole number from 0, or -1",
        ),
        ({"namespaces_total": -3}, "namespaces_total: -3 is not allowed; it must be 1 to 100,000"),
        ({"namespaces_total": 100_001}, "namespaces_total: 100001 is not allowed; it must be 1 to 100,000"),
        (
            {"build_jobs_time_scale": 0.0},
            "build_jobs_time_scale: 0.0 is not allowed; it must be more than 0, up to 100",
        ),
        ({"build_jobs_time_scale": 101.0}, "build_jobs_time_scale: 101.0 is not allowed"),
        ({"build_jobs_processes": 59}, "build_jobs_processes: 59 is not allowed; it must be 60 to 85"),
        ({"build_jobs_processes": 86}, "build_jobs_processes: 86 is not allowed; it must be 60 to 85"),
        ({"build_jobs_wait_timeout": -1}, "it must be 1 to 2,419,200, or 0 for no absolute limit"),
        ({"build_jobs_stall_timeout": -1}, "it must be 1 to 2,419,200, or 0 for build_jobs_timeout and a margin"),
        ({"run_user_id": 0}, "run_user_id: 0 is not allowed; it must be 1 to 4,294,967,294"),
        ({"observe_api_interval": 0.5}, "0.5 is not allowed; it must be 1 to 3,600, or 0 for only before and after"),
        ({"observe_node_interval": 4000}, "4000 is not allowed; it must be 1 to 3,600, or 0 for never"),
        ({"observe_max_seconds": 0}, "observe_max_seconds: 0 is not allowed; it must be 1 to 2,592,000"),
        ({"observe_name": "a/b"}, "observe_name: 'a/b' is not allowed; lower-case letters"),
        ({"observe_namespaces": ["Shop"]}, "observe_namespaces: 'Shop' is not the name of a namespace"),
        ({"run_id": "Nightly"}, "run_id: 'Nightly' is not allowed; lower-case letters"),
        ({"run_id": "a" * 64}, "at most 63 characters"),
        ({"run_id": "a.b"}, "run_id: 'a.b' is not allowed"),
        ({"namespaces_prefix": "Deploy"}, "namespaces_prefix: 'Deploy' is not allowed"),
        ({"namespaces_prefix": "-a"}, "namespaces_prefix: '-a' is not allowed"),
        ({"namespaces_prefix": "a_b"}, "namespaces_prefix: 'a_b' is not allowed"),
        ({"namespaces_prefix": 'x"}'}, "namespaces_prefix: 'x\"}' is not allowed"),
        ({"namespaces_prefix": "a\nb"}, "namespaces_prefix: 'a\\nb' is not allowed"),
        (
            {"namespaces_prefix": "a" * 60},
            "is 60 characters long; with the index of the last of 100 namespaces, -100, at most 59",
        ),
        ({"namespaces_prefix": "a" * 61, "namespaces_total": 10}, "-10, at most 60 are allowed"),
        ({"namespaces_names": ["Team"]}, "namespaces_names: 'Team' is not the name of a namespace"),
        ({"namespaces_names": ["a", "b", "a"]}, "namespaces_names: 'a' comes twice; each namespace once"),
        (
            {"preflight_rbac_account": "load"},
            "preflight_rbac_account: 'load' is not allowed; NAMESPACE/NAME of a ServiceAccount, such as team-a/load",
        ),
        (
            {"preflight_rbac_out": ""},
            "preflight_rbac_account: 'team-a/load' has no effect without preflight_rbac_out",
        ),
        ({"namespaces_existing": ["Team"]}, "namespaces_existing: 'Team' is not the name of a namespace"),
        ({"run_image_pull_secrets": ["a b"]}, "run_image_pull_secrets: 'a b' is not the name of a Secret"),
        ({"run_node_selector": {"a b": "c"}}, "run_node_selector: 'a b' is not a key"),
        ({"run_node_selector": {"a": "b c"}}, "run_node_selector: the value of a, 'b c', is not allowed"),
        ({"run_node_selector": {"a": True}}, "run_node_selector: the value of a, True, is not text; put it in quotes"),
        ({"namespaces_labels": {"/x": "y"}}, "namespaces_labels: '/x' is not a key"),
        ({"deployments_image": "two words"}, "deployments_image: 'two words' is not an image"),
        ({"deployments_image": "a:b:c"}, "deployments_image: 'a:b:c' is not an image"),
        (
            {"deployments_requests": {"cpu": "lots"}},
            "deployments_requests: cpu 'lots' is not allowed; a Kubernetes quantity",
        ),
        ({"deployments_requests": {"cpu": "-1"}}, "deployments_requests: cpu '-1' is not allowed"),
        ({"deployments_requests": {"cpu": True}}, "deployments_requests: cpu True is not allowed"),
        ({"deployments_limits": {"memory": "64MB"}}, "deployments_limits: memory '64MB' is not allowed"),
        (
            {"deployments_requests": {"memory": "65Mi"}},
            "deployments_requests: memory 65Mi is more than the limit of 64Mi in deployments_limits",
        ),
        ({"deployments_requests": {"cpu": "101m"}}, "deployments_requests: cpu 101m is more than the limit of 0.1"),
        ({"statefulsets_memory_total": "0"}, "statefulsets_memory_total: '0' is not allowed"),
        ({"statefulsets_memory_total": "many"}, "statefulsets_memory_total: 'many' is not allowed"),
        (
            {"build_jobs_active_per_namespace": 21},
            "21 is more than build_jobs_per_namespace, 20; 1 to 20, or 0 for all",
        ),
        (
            {"build_jobs_cpu_workers": 72},
            "build_jobs_cpu_workers: 72 is not allowed; at most build_jobs_processes - 2, 70",
        ),
        ({"run_burst": 10}, "run_burst: 10 has no effect without run_qps"),
        ({"connectivity_enabled": True}, "connectivity_enabled: true needs deployments_service_enabled=true"),
        (
            {"connectivity_enabled": True, "deployments_service_enabled": True, "deployments_per_namespace": 0},
            "connectivity_enabled: true needs Deployments",
        ),
        (
            {"connectivity_enabled": True, "deployments_service_enabled": True, "deployments_replicas": 0},
            "connectivity_enabled: true needs deployments_replicas of 1 or more",
        ),
        ({"volumes_size": "0"}, "volumes_size: '0' is not allowed; a Kubernetes quantity"),
        ({"volumes_expand_to": "big"}, "volumes_expand_to: 'big' is not allowed; a Kubernetes quantity"),
        ({"volumes_expand_to": "1Gi"}, "volumes_expand_to: 1Gi is not more than volumes_size, 1Gi; volumes only grow"),
        ({"volumes_write": 2000}, "volumes_write: 2000 MiB do not fit into volumes_size, 1Gi; at most 1024"),
        ({"volumes_restores_per_volume": 1}, "volumes_restores_per_volume: 1 needs volumes_snapshots_per_volume of 1"),
        ({"volumes_pods_per_volume": 2}, "volumes_pods_per_volume: 2 needs volumes_access_mode=ReadWriteMany"),
        ({"volumes_storage_class": "No Name"}, "volumes_storage_class: 'No Name' is not the name of a class"),
    ],
)
def test_wrong_settings(changes, told):
    problems = problems_of(RIGHT | changes)
    assert len(problems) == 1, problems
    assert told in problems[0]
    assert "\n" not in problems[0]


@pytest.mark.parametrize(
    "changes",
    [
        {"namespaces_prefix": "a" * 59},
        {"namespaces_prefix": "a" * 61, "namespaces_total": 9},
        {"namespaces_prefix": "7"},
        {"build_jobs_active_per_namespace": 20},
        {"build_jobs_active_per_namespace": 0},
        {"build_jobs_active_per_namespace": 1, "build_jobs_per_namespace": 0},
        {"build_jobs_processes": 60},
        {"build_jobs_processes": 85},
        {"run_qps": 10.0, "run_burst": 20},
        {"connectivity_enabled": True, "deployments_service_enabled": True},
        {"deployments_requests": {"cpu": "100m", "memory": "64Mi"}},
        {"deployments_requests": {"example.com/gpu": 1}},
        {"deployments_limits": {}},
    ],
)
def test_edges_that_are_allowed(changes):
    assert problems_of(RIGHT | changes) == []


def test_a_rule_bears_with_settings_that_are_missing():
    """After an error of type, the variable is not there; the other rules must still be read."""
    for name in RIGHT:
        assert problems_of({key: value for key, value in RIGHT.items() if key != name}) == []


IMAGE = {"context": "train", "name": "train", "base": "python:3.12-slim", "builder": "layers"}


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ""),
        ({"builder": "buildah", "base": ""}, ""),
        ({"context": "", "name": "", "base": ""}, ""),
        ({"name": ""}, "name: none is given; the image of accelerator_run_image_context needs one"),
        (
            {"base": ""},
            "base: none is given; the jobs run a shell, which accelerator_run_image_builder=layers has only",
        ),
        ({"context": "", "name": ""}, "base: 'python:3.12-slim' has no effect without accelerator_run_image_context"),
    ],
)
def test_image_of_the_jobs(changes, told):
    problems = problems_of({f"accelerator_run_image_{name}": value for name, value in (IMAGE | changes).items()})
    assert [problem[: len(told) + 22] for problem in problems] == ([f"accelerator_run_image_{told}"] if told else [])


def test_builders_are_those_of_the_module():
    assert SETTINGS["accelerator_run_image_builder"].choices == BUILDERS
    assert SETTINGS["accelerator_run_image_platform"].default == DEFAULT_PLATFORM
