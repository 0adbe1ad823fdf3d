"""Settings are refused whole, before anything is created, and say option, value and what is allowed."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import SettingsError
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.settings import (
    Settings,
    default_cache_dir,
    default_data_dir,
)

FILES = Path(__file__).resolve().parents[5] / "roles" / "local_cluster" / "files"
PARAMS = {
    "state": "present",
    "nodes": 10,
    "pods_per_node": 500,
    "node_cpu": "64",
    "node_memory": "256Gi",
    "node_pools": [],
    "accelerators": None,
    "api_port": 26443,
    "etcd_client_port": 22379,
    "etcd_peer_port": 22380,
    "controller_manager_port": 20257,
    "scheduler_port": 20259,
    "kwok_port": 20247,
    "storage_port": 20270,
    "jobset_port": 20275,
    "kueue_port": 20277,
    "data_dir": None,
    "cache_dir": None,
    "sources_dir": str(FILES),
    "binaries_dir": None,
    "kubectl": False,
    "ready_timeout": 120,
    "build_timeout": 3600,
    "restart": False,
    "storage": False,
    "jobset": False,
    "kueue": False,
    "real_node": False,
    "node_network": "10.231.0.0/30",
    "real_node_max_pods": 110,
    "real_node_pod_pids_limit": -1,
    "real_node_reserved_pids": 0,
    "real_node_eviction_pids": "",
    "real_node_pid_max": 0,
    "real_node_cni_delay_ms": 0,
    "real_node_cni_fail_percent": 0,
    "real_node_registries": [],
}


def test_folders_follow_the_environment():
    environ = {"XDG_STATE_HOME": "/state", "XDG_CACHE_HOME": "/cache"}
    settings = Settings.from_params(PARAMS, environ)
    assert settings.data_dir == Path("/state/kubestress/local_cluster")
    assert settings.cache_dir == Path("/cache/kubestress")
    assert settings.endpoint == "https://127.0.0.1:26443"


def test_folders_without_any_environment():
    assert default_data_dir({}) == Path.home() / ".local" / "state" / "kubestress" / "local_cluster"
    assert default_cache_dir({}) == Path.home() / ".cache" / "kubestress"
    assert default_cache_dir({"KUBESTRESS_CACHE": "/mine", "XDG_CACHE_HOME": "/cache"}) == Path("/mine")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"nodes": -1}, "nodes: -1 is not allowed; it must be 0 to 5,000"),
        ({"nodes": 5001}, "nodes: 5001 is not allowed; it must be 0 to 5,000"),
        ({"pods_per_node": 0}, "pods_per_node: 0 is not allowed; it must be 1 to 10,000"),
        ({"node_cpu": "many"}, "node_cpu is 'many'; allowed is a quantity of Kubernetes such as 64 or 500m"),
        ({"node_memory": "-1Gi"}, "node_memory is '-1Gi'; allowed is a quantity of Kubernetes such as 256Gi"),
        ({"api_port": 70000}, "api_port: 70000 is not allowed; it must be 1 to 65,535"),
        (
            {"storage": True, "storage_port": 20245},
            "kwok_port and storage_port + 2 are both 20247; each part needs its own port",
        ),
        ({"storage": True, "data_dir": f"/{'x' * 94}"}, "95 characters; with storage allowed are 94 at most"),
        ({"kwok_port": 26443}, "api_port and kwok_port are both 26443; each part needs its own port"),
        (
            {"nodes": 4990, "node_pools": [{"name": "a", "count": 20}]},
            "node_pools: with nodes, 4990, they are 5,010 nodes; at most 5,000 are allowed",
        ),
        ({"node_pools": [{"name": "a", "type": "v5p-8"}]}, "node_pools: entry 1, type: 'v5p-8' is ambiguous"),
        ({"ready_timeout": 0}, "ready_timeout: 0 is not allowed; it must be 1 to 3,600"),
        ({"binaries_dir": "/does/not/exist"}, "binaries_dir is /does/not/exist; allowed is an existing folder"),
        ({"data_dir": "/"}, "data_dir is /; allowed is a dedicated folder"),
        ({"data_dir": "~"}, f"data_dir is {Path.home()}; allowed is a dedicated folder"),
        ({"sources_dir": "/tmp"}, "sources_dir is /tmp, which has no folder 'go'"),
    ],
)
def test_bad_value_is_named_with_its_cure(changes, message):
    with pytest.raises(SettingsError) as caught:
        Settings.from_params({**PARAMS, **changes}, {})
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_bad_values_are_told_at_once():
    with pytest.raises(SettingsError) as caught:
        Settings.from_params({**PARAMS, "nodes": -1, "api_port": 0}, {})
    assert "nodes" in str(caught.value)
    assert "api_port" in str(caught.value)


def test_removal_needs_no_sources():
    settings = Settings.from_params({**PARAMS, "state": "absent", "sources_dir": None, "binaries_dir": "/gone"}, {})
    assert settings.nodes == 10


def test_the_same_folder_has_the_same_key(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    keys = {
        Settings.from_params({**PARAMS, "data_dir": str(folder)}, {}).key
        for folder in (tmp_path / "c", tmp_path / "link" / "c", f"{tmp_path}/x/../c")
    }
    assert len(keys) == 1
