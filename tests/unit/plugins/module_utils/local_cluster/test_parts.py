"""The command lines: loopback only, no brakes of the clients' own, and a fingerprint that tells when to restart."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.layout import Layout
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.pki import Pki
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.settings import Settings
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.simulated import (
    scheduler_config,
    simulated_tier,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.upstreams import CONTROL_PLANE

from .test_settings import FILES, PARAMS

BINARIES = {name: Path("/programs") / name for name in CONTROL_PLANE}


def parts(**changes):
    settings = Settings.from_params({**PARAMS, "data_dir": "/data", "cache_dir": "/cache", **changes})
    layout = Layout(settings.data_dir)
    tier = simulated_tier(settings, layout, Pki(layout.pki), BINARIES)
    return {part.name: part for part in tier}


def test_every_part_has_its_program_and_a_place_in_the_order():
    tier = parts()
    assert list(tier) == list(CONTROL_PLANE)
    seen: set[str] = set()
    for name, part in tier.items():
        assert part.command[0] == f"/programs/{name}"
        assert set(part.after) <= seen
        seen.add(name)


def test_nothing_listens_beyond_loopback():
    for part in parts().values():
        assert part.ready_url.partition("://")[2].startswith("127.0.0.1:")
        for argument in part.command:
            assert "0.0.0.0" not in argument
    tier = parts()
    for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
        assert "--bind-address=127.0.0.1" in tier[name].command
    assert "--listen-client-urls=http://127.0.0.1:22379" in tier["etcd"].command
    assert "--server-address=127.0.0.1:20247" in tier["kwok"].command


def test_no_client_slows_the_control_plane():
    flags = dict(item.partition("=")[::2] for item in parts()["kube-controller-manager"].command)
    assert int(flags["--kube-api-qps"]) >= 5000
    assert int(flags["--kube-api-burst"]) >= 10000
    for controller in ("namespace", "job", "deployment", "replicaset", "statefulset", "serviceaccount-token"):
        assert int(flags[f"--concurrent-{controller}-syncs"]) >= 20
    config = yaml.safe_load(scheduler_config(Path("/k")))
    assert config["clientConnection"] == {"kubeconfig": "/k", "qps": 5000, "burst": 10000}


def test_the_servers_own_limits_are_untouched():
    assert not [item for item in parts()["kube-apiserver"].command if "inflight" in item or "priority" in item]


@pytest.mark.parametrize(
    ("changes", "outdated"),
    [
        ({}, set()),
        ({"nodes": 3, "pods_per_node": 7, "node_cpu": "1"}, set()),
        ({"kwok_port": 1}, {"kwok"}),
        ({"scheduler_port": 1}, {"kube-scheduler"}),
        ({"etcd_peer_port": 1}, {"etcd"}),
        ({"api_port": 1}, {"kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"}),
    ],
)
def test_fingerprints_change_with_what_a_part_reads(changes, outdated):
    before, after = parts(), parts(**changes)
    assert {name for name in before if before[name].fingerprint != after[name].fingerprint} == outdated


def test_a_changed_stage_makes_kwok_outdated_and_only_kwok(tmp_path):
    (tmp_path / "go").mkdir()
    (tmp_path / "stages").mkdir()
    stage = tmp_path / "stages" / "10-x.yaml"
    stage.write_text("one")
    before = parts(sources_dir=tmp_path)
    stage.write_text("two")
    after = parts(sources_dir=tmp_path)
    assert [name for name in before if before[name].fingerprint != after[name].fingerprint] == ["kwok"]
    assert [name for name, part in after.items() if part.replaceable] == ["kwok"]


def test_every_shipped_stage_is_given_to_kwok():
    stages = {path.name for path in (FILES / "stages").iterdir()}
    named = {Path(item.partition("=")[2]).name for item in parts()["kwok"].command if "/stages/" in item}
    assert named == stages
    kinds = [yaml.safe_load((FILES / "stages" / name).read_text())["kind"] for name in stages]
    assert set(kinds) == {"Stage"}


def test_parts_write_their_own_configuration(tmp_path):
    layout = Layout(tmp_path)
    layout.create()
    settings_parts = parts()
    scheduler = settings_parts["kube-scheduler"]
    assert [path.name for path in scheduler.files] == ["kube-scheduler.yaml"]
    assert "leaderElect: false" in next(iter(scheduler.files.values()))
