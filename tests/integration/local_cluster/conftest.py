"""A cluster of these tests' own, driven through the real module, and kubectl as a witness that is not ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers.control_plane import PORT_VARIABLES, free_ports
from helpers.local_cluster import Driver

PREFIX = "local_cluster_"
Kubectl = Callable[..., Any]


@pytest.fixture(scope="module")
def driver(short_folder: Callable[[], Path]) -> Iterator[Driver]:
    """A cluster's options: free ports, a folder of its own, few nodes. Whatever a test left is removed."""
    folder = short_folder() / "data"
    names = [name.removeprefix(PREFIX) for name in PORT_VARIABLES]
    options = dict(zip(names, free_ports(len(names)), strict=True))
    result = Driver({**options, "data_dir": str(folder), "nodes": 3})
    yield result
    result.ok(state="absent")


@pytest.fixture(scope="module")
def kubectl_path(driver: Driver) -> str:
    """kubectl, as a witness that is not ours."""
    binaries = driver.ok(state="built", kubectl=True)["binaries"]
    return binaries["kubectl"]["path"]


@pytest.fixture(scope="module")
def own_kubectl(driver: Driver, kubectl_path: str) -> Kubectl:
    """A function that runs kubectl on this module's own cluster; JSON comes back parsed."""

    def run(*arguments: str, stdin: str = "", parse: bool = True) -> Any:
        output = ["-o", "json"] if parse else []
        command = [kubectl_path, "--kubeconfig", str(driver.data_dir / "kubeconfig"), *arguments, *output]
        home = str(driver.data_dir.parent)
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=300, check=False, env={"HOME": home}
        )
        assert done.returncode == 0, f"{' '.join(arguments)}: {done.stderr}"
        return json.loads(done.stdout) if parse else done.stdout

    return run


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system of one megabyte."""
    if os.geteuid() != 0 or not shutil.which("mount"):
        pytest.skip("only root can make a file system that is full at one megabyte")
    folder = tmp_path / "small"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"cannot mount a small file system here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)
