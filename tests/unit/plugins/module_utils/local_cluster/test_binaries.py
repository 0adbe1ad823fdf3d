"""Which program is used: the user's first, then the machine's if its version fits, then the cache's."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.binaries import (
    Binary,
    check_skew,
    find_binaries,
    provide_binaries,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.build import cached_path
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import BuildError

FILES = Path(__file__).resolve().parents[5] / "roles" / "local_cluster" / "files"


def program(path, says, code=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{says}'\nexit {code}\n")
    path.chmod(0o755)
    return path


def find(tmp_path, names=("etcd",), **changes):
    environ = {"KUBEBUILDER_ASSETS": str(tmp_path / "assets"), "PATH": str(tmp_path / "path")}
    options = {"sources_dir": FILES, "cache_dir": tmp_path / "cache", "binaries_dir": None, "environ": environ}
    return find_binaries(names, **{**options, **changes})


def test_nothing_there(tmp_path):
    assert find(tmp_path) == {}


def test_order(tmp_path):
    cached = program(cached_path(tmp_path / "cache", FILES, "etcd"), "etcd Version: 3.6.16")
    assert find(tmp_path)["etcd"] == Binary("etcd", cached, "3.6.16", "cache")
    on_path = program(tmp_path / "path" / "etcd", "etcd Version: 3.6.1")
    assert find(tmp_path)["etcd"] == Binary("etcd", on_path, "3.6.1", "PATH")
    asset = program(tmp_path / "assets" / "etcd", "etcd Version: 3.6.2")
    assert find(tmp_path)["etcd"] == Binary("etcd", asset, "3.6.2", "KUBEBUILDER_ASSETS")
    own = program(tmp_path / "own" / "etcd", "etcd Version: 3.5.0")
    assert find(tmp_path, binaries_dir=tmp_path / "own")["etcd"] == Binary("etcd", own, "3.5.0", "binaries_dir")


@pytest.mark.parametrize(
    ("name", "says", "code", "taken"),
    [
        ("etcd", "etcd Version: 3.6.99", 0, True),
        ("etcd", "etcd Version: 3.4.30", 0, False),
        ("etcd", "no number", 0, False),
        ("etcd", "etcd Version: 3.6.1", 1, False),
        ("kube-apiserver", "Kubernetes v1.36.0", 0, True),
        ("kube-apiserver", "Kubernetes v1.35.0", 0, False),
        ("kubectl", "Client Version: v1.35.2", 0, True),
        ("kubectl", "Client Version: v1.30.2", 0, False),
        ("kwok", "kwok version v0.8.1 go1.26.8 (linux/amd64)", 0, True),
        ("kwok", "kwok version v0.7.0 go1.24.0 (linux/amd64)", 0, False),
    ],
)
def test_only_what_fits_is_taken_from_the_path(tmp_path, name, says, code, taken):
    program(tmp_path / "path" / name, says, code)
    assert (name in find(tmp_path, [name])) == taken


@pytest.mark.parametrize(
    ("noted", "code", "taken"),
    [
        ("\ndep\tsigs.k8s.io/jobset\tv0.12.3\th1:abc=\n", 0, "0.12.3"),
        ("\nmod\tsigs.k8s.io/jobset\tv0.12.0\n", 0, "0.12.0"),
        ("\ndep\tsigs.k8s.io/jobset\tv0.11.0\th1:abc=\n", 0, None),
        ("\ndep\tsigs.k8s.io/jobset/client-go\tv0.12.0\th1:abc=\n", 0, None),
        ("\ndep\tsigs.k8s.io/jobset\tv0.12.0\th1:abc=\n", 2, None),
    ],
)
def test_one_that_prints_no_version_has_the_one_that_its_compiler_noted(tmp_path, noted, code, taken):
    path = program(tmp_path / "path" / "jobset", "Usage of jobset", code)
    path.write_text(path.read_text() + noted)
    found = find(tmp_path, ("jobset",))
    assert (found["jobset"].version if found else None) == taken


def test_a_named_program_that_does_not_run_is_an_error_and_not_passed_over(tmp_path):
    program(tmp_path / "own" / "etcd", "broken", 1)
    program(tmp_path / "path" / "etcd", "etcd Version: 3.6.1")
    with pytest.raises(BuildError, match="own/etcd in binaries_dir does not run"):
        find(tmp_path, binaries_dir=tmp_path / "own")


def test_only_what_is_missing_is_built(tmp_path, monkeypatch):
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    program(tmp_path / "own" / "etcd", "etcd Version: 3.6.1")
    asked = []

    def builder(upstream, binaries, folder):
        asked.append((upstream.folder, list(binaries)))
        for name in binaries:
            program(folder / name, "kwok version v0.8.0")

    options = {"sources_dir": FILES, "cache_dir": tmp_path / "cache", "binaries_dir": tmp_path / "own"}
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    found = provide_binaries(["etcd", "kwok"], builder=builder, **options)
    assert asked == [("kwok", ["kwok"])]
    assert {name: item.source for name, item in found.items()} == {"etcd": "binaries_dir", "kwok": "built"}
    again = provide_binaries(["etcd", "kwok"], builder=builder, **options)
    assert len(asked) == 1
    assert again["kwok"].source == "cache"


def test_versions_that_do_not_belong_together_are_refused():
    def binary(name, version):
        return Binary(name, Path("/x") / name, version, "PATH")

    fitting = {"kube-apiserver": binary("kube-apiserver", "1.36.3"), "etcd": binary("etcd", "3.6.1")}
    check_skew(fitting)
    check_skew({**fitting, "kubectl": binary("kubectl", "1.35.0")})
    with pytest.raises(BuildError, match=r"kube-scheduler 1\.35\.0 \(PATH\)"):
        check_skew({**fitting, "kube-scheduler": binary("kube-scheduler", "1.35.0")})
