"""The parts of storage: what each is started with and where, and what they expect in the cluster."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.capacity.storage import class_of_object
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster import storage
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.installing import definitions
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.layout import Layout
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.parts import Inside
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.pki import STORAGE_CLIENT, Pki
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.programs import Programs
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.settings import (
    MAX_REAL_DATA_DIR,
    MAX_STORAGE_DATA_DIR,
    Settings,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.state import fixed_settings
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.storage_objects import (
    DRIVER_NAME,
    csi_node,
    rules,
    storage_objects,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.tier import (
    Decision,
    part_names,
    restarted_with_driver,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.upstreams import STORAGE_PROGRAMS

from .test_settings import FILES, PARAMS

# A path of a socket on Linux, see unix(7).
MAX_SOCKET_PATH = 107


def settings(**changes: object) -> Settings:
    return Settings.from_params({**PARAMS, "data_dir": "/data", "cache_dir": "/cache", "storage": True, **changes})


def parts(*, prepare=lambda: None, programs: str = "/programs", **changes: object):
    made = settings(**changes)
    layout = Layout(made.data_dir)
    paths = {name: Path(programs) / name for name in STORAGE_PROGRAMS}
    found = storage.storage_parts(made, layout, Pki(layout.pki), paths, prepare=prepare)
    return {part.name: part for part in found}


def test_every_part_has_its_program_and_comes_after_what_it_needs():
    made = parts()
    assert tuple(made) == storage.STORAGE_PARTS
    assert set(made) == set(STORAGE_PROGRAMS)
    seen = {"kube-apiserver"}
    for name, part in made.items():
        assert part.command[0] == f"/programs/{name}"
        assert set(part.after) <= seen
        assert part.inside is None
        seen.add(name)


def test_controllers_are_alone_unbraked_and_on_loopback_ports_of_their_own():
    made = parts(storage_port=21000)
    controllers = [made[name] for name in storage.CONTROLLERS]
    assert [next(iter(part.ports.items())) for part in controllers] == [
        ("storage_port", 21000),
        ("storage_port + 1", 21001),
        ("storage_port + 2", 21002),
        ("storage_port + 3", 21003),
        ("storage_port + 4", 21004),
    ]
    for part in controllers:
        flags = dict(item.partition("=")[::2] for item in part.command)
        assert flags["--http-endpoint"] == f"127.0.0.1:{next(iter(part.ports.values()))}"
        assert part.ready_url == f"http://{flags['--http-endpoint']}/metrics"
        assert flags["--leader-election"] == "false"
        assert int(flags["--kube-api-qps"]) >= 5000
        assert flags["--kubeconfig"] == "/data/pki/storage.kubeconfig"
        assert flags.get("--csi-address") == (None if part.name == "snapshot-controller" else "/data/csi/csi.sock")


def test_the_driver_mounts_only_where_there_is_a_node():
    simulated = parts()["csi-hostpath"]
    assert simulated.command[1:] == ("-endpoint=/data/csi/csi.sock", "-folder=/data/csi")
    made = parts(real_node=True)
    driver = made["csi-hostpath"]
    assert driver.inside is Inside.NODE
    assert driver.forks
    assert driver.command[3:] == (
        "-node-id=real-0001",
        "-registration-socket=/data/node/kubelet/plugins_registry/hp.sock",
    )
    controllers = [made[name] for name in storage.CONTROLLERS]
    assert {part.inside for part in controllers} == {Inside.NETWORK}
    assert {part.ready_url.split(":")[1] for part in controllers} == {"//10.231.0.2"}
    assert all("node" in part.after for part in made.values())


def test_sockets_fit_into_the_longest_allowed_folder():
    def longest(most: int, **changes: object) -> int:
        command = parts(data_dir="/" + "x" * (most - 1), **changes)["csi-hostpath"].command
        return max(len(item.partition("=")[2]) for item in command if item.endswith(".sock"))

    assert longest(MAX_STORAGE_DATA_DIR) == MAX_SOCKET_PATH
    assert longest(MAX_REAL_DATA_DIR, real_node=True) == MAX_SOCKET_PATH


def test_controllers_are_restarted_with_another_driver():
    first, second = parts(), parts()
    assert {name: part.fingerprint for name, part in first.items()} == {
        name: part.fingerprint for name, part in second.items()
    }
    made = settings()
    layout = Layout(made.data_dir)
    paths = {name: Path("/programs") / name for name in STORAGE_PROGRAMS}
    paths["csi-hostpath"] = Path("/programs/newer")
    newer = storage.storage_parts(made, layout, Pki(layout.pki), paths, prepare=lambda: None)
    assert all(part.fingerprint != first[part.name].fingerprint for part in newer)
    assert all(part.replaceable for part in newer)


def test_controllers_that_have_not_ended_yet_are_restarted_with_a_driver_that_has():
    started = Decision(start=("csi-hostpath", "csi-attacher"))
    alive = ("etcd", "csi-provisioner")
    assert restarted_with_driver(started, alive=alive).replace == ("csi-provisioner",)
    other = Decision(start=("csi-attacher",))
    assert restarted_with_driver(other, alive=alive) == other


def test_the_drivers_start_takes_away_an_old_socket_and_prepares_the_cluster(tmp_path):
    calls: list[str] = []
    driver = parts(data_dir=str(tmp_path), prepare=lambda: calls.append("prepared"))["csi-hostpath"]
    (tmp_path / "csi").mkdir()
    assert driver.ready_file is not None
    driver.ready_file.write_text("")
    assert driver.before is not None
    driver.before()
    assert not driver.ready_file.exists()
    assert calls == ["prepared"]


def test_programs_and_parts_only_with_storage():
    without, with_it = settings(storage=False), settings()
    assert not set(STORAGE_PROGRAMS) & set(Programs(without).names)
    assert set(STORAGE_PROGRAMS) < set(Programs(with_it).names)
    assert part_names(with_it) == (*part_names(without), *storage.STORAGE_PARTS)


def test_it_can_be_switched_while_a_simulated_cluster_runs():
    assert set(fixed_settings(settings())) - set(fixed_settings(settings(storage=False))) == {"storage_port"}
    assert fixed_settings(settings(real_node=True))["storage"] is True


def test_definitions_are_of_the_three_kinds_of_snapshots():
    made = definitions(FILES / "crds")
    assert {one["spec"]["names"]["kind"] for one in made} == {
        "VolumeSnapshot",
        "VolumeSnapshotClass",
        "VolumeSnapshotContent",
    }


@pytest.mark.parametrize("mounted", [False, True])
def test_one_class_is_the_default_and_only_what_is_mounted_is_in_memory(mounted):
    made = [one for _path, one in storage_objects(mounted=mounted)]
    by_kind: dict[str, list[dict]] = {}
    for one in made:
        by_kind.setdefault(one["kind"], []).append(one)
    classes = {one["metadata"]["name"]: one for one in by_kind["StorageClass"]}
    default = "storageclass.kubernetes.io/is-default-class"
    assert [name for name, one in classes.items() if one["metadata"]["annotations"][default] == "true"] == ["hostpath"]
    assert ("hostpath-memory" in classes) is mounted
    assert {one["provisioner"] for one in classes.values()} == {DRIVER_NAME}
    assert {class_of_object(one).modes for one in classes.values()} == {("Filesystem",)}
    (snapshots,) = by_kind["VolumeSnapshotClass"]
    assert snapshots["metadata"]["annotations"] == {"snapshot.storage.kubernetes.io/is-default-class": "true"}
    assert snapshots["driver"] == DRIVER_NAME == by_kind["CSIDriver"][0]["metadata"]["name"]


def test_controllers_may_do_only_what_they_need():
    for rule in rules():
        assert "*" not in (*rule["apiGroups"], *rule["resources"], *rule["verbs"])
    secrets = [rule["verbs"] for rule in rules() if "secrets" in rule["resources"]]
    assert secrets == [["get", "list"]]
    (binding,) = [one for _path, one in storage_objects(mounted=False) if one["kind"] == "ClusterRoleBinding"]
    assert [one["name"] for one in binding["subjects"]] == [STORAGE_CLIENT]


def test_a_csi_node_goes_with_its_node():
    made = csi_node("simulated-0001", "uid-1")
    assert made["metadata"]["ownerReferences"] == [
        {"apiVersion": "v1", "kind": "Node", "name": "simulated-0001", "uid": "uid-1"}
    ]
    assert made["spec"]["drivers"] == [{"name": DRIVER_NAME, "nodeID": "simulated-0001", "topologyKeys": []}]


def test_only_the_controllers_own_message_is_removed(tmp_path, monkeypatch):
    log = tmp_path / "termination-log"
    monkeypatch.setattr(storage, "TERMINATION_LOG", log)
    storage.clean_up()
    log.write_text("something else")
    storage.clean_up()
    assert log.exists()
    log.write_bytes(b"\xff")
    storage.clean_up()
    assert log.exists()
    log.write_text("Lost connection to CSI driver, exiting")
    storage.clean_up()
    assert not log.exists()
