"""JobSet and Kueue as parts of a cluster: their ports, their configuration, and what they may do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.controllers import (
    WEBHOOK_KINDS,
    certificates,
    controller_parts,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.installing import definitions
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.layout import Layout
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.parts import Inside, Part
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.pki import Pki
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.programs import Programs
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.settings import (
    CONTROLLERS_OF_JOBS,
    Settings,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.tier import part_names

from .test_settings import FILES, PARAMS

KINDS_OF = {"jobset": {"JobSet"}, "kueue": {"ClusterQueue", "LocalQueue", "ResourceFlavor", "Workload"}}


def settings(**changes: Any) -> Settings:
    both = {"jobset": True, "kueue": True}
    return Settings.from_params({**PARAMS, "data_dir": "/data", "cache_dir": "/cache", **both, **changes})


def parts(folder: str = "/data", calls: list[str] | None = None, **changes: Any) -> dict[str, Part]:
    made = settings(data_dir=folder, **changes)
    layout = Layout(made.data_dir)
    paths = {name: Path("/programs") / name for name in CONTROLLERS_OF_JOBS}
    noted: list[str] = [] if calls is None else calls
    return {part.name: part for part in controller_parts(made, layout, Pki(layout.pki), paths, prepare=noted.append)}


def test_each_is_a_program_and_a_part_of_its_own_switch():
    none = settings(jobset=False, kueue=False)
    for name in CONTROLLERS_OF_JOBS:
        one = settings(**{"jobset": False, "kueue": False, name: True})
        assert part_names(one) == (*part_names(none), name)
        assert set(Programs(one).names) - set(Programs(none).names) == {name}
        assert list(parts(**{"jobset": False, "kueue": False, name: True})) == [name]


def test_they_listen_where_the_cluster_does():
    made = parts(jobset_port=21000, kueue_port=21010)
    assert made["jobset"].ports == {"jobset_port": 21000, "jobset_port + 1": 21001}
    for name, port in (("jobset", 21000), ("kueue", 21010)):
        (text,) = made[name].files.values()
        config = yaml.safe_load(text)
        assert (config["webhook"]["host"], config["webhook"]["port"]) == ("127.0.0.1", port)
        assert config["health"]["healthProbeBindAddress"] == f"127.0.0.1:{port + 1}"
        assert made[name].ready_url == f"http://127.0.0.1:{port + 1}/readyz"
        assert made[name].replaceable
    real = parts(real_node=True)
    assert real["kueue"].inside is Inside.NETWORK
    assert "10.231.0.2" in real["kueue"].ready_url


def test_kueue_starts_when_jobsets_are_there():
    assert parts()["kueue"].after == ("kube-apiserver", "jobset")
    assert parts(jobset=False)["kueue"].after == ("kube-apiserver",)


def test_the_start_prepares_the_cluster_and_the_certificates(tmp_path):
    calls: list[str] = []
    made = parts(str(tmp_path), calls)["kueue"]
    pki = Pki(tmp_path / "pki")
    pki.folder.mkdir()
    pki.create(["127.0.0.1"])
    assert made.before is not None
    made.before()
    made.before()
    assert calls == ["kueue", "kueue"]
    assert (certificates(pki) / "tls.crt").read_bytes() == pki.server_certificate.read_bytes()
    assert (certificates(pki) / "tls.key").read_bytes() == pki.server_key.read_bytes()


@pytest.mark.parametrize("name", CONTROLLERS_OF_JOBS)
def test_what_is_shipped_of_each(name):
    kinds = {one["spec"]["names"]["kind"] for one in definitions(FILES / "crds" / name)}
    assert KINDS_OF[name] <= kinds
    given = json.loads((FILES / "controllers" / f"{name}.json").read_text())
    assert set(given) == {"rules", *WEBHOOK_KINDS}
    for kind in WEBHOOK_KINDS:
        for one in given[kind]:
            assert one["path"].startswith("/")
            assert "clientConfig" not in one
            # A webhook of pods that nobody serves would stop the whole cluster.
            assert ("objectSelector" in one) is (one["name"][1:] == "pod.kb.io")
