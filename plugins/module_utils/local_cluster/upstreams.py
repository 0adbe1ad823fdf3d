# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The upstream projects of the programs, each with its version pinned in a go.mod of ours."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from .errors import BuildError

VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Upstream:
    """A project that programs are built from.

    `folder` is the name below `sources_dir`/go, `packages` the main package of each binary.
    `version_variable` is set by the linker if the project does not determine its version by itself: a package with the
    version's parts, or with `whole_version` one variable. With `own_sources` the program's code is in `folder`, and
    `module` only what its version starts with. Without `prints_version` the version is that of `module` in what the
    compiler notes in the program.
    """

    folder: str
    module: str
    packages: dict[str, str]
    version_variable: str | None = None
    prints_version: bool = True
    whole_version: bool = False
    own_sources: bool = False

    def version(self, sources_dir: Path) -> str:
        """The pinned version, such as `v1.36.3`; with our own code also a hash of it, such as `v1.12.0-0a1b2c3d`.

        :raises BuildError: if our go.mod does not name the module.
        """
        path = self.go_mod(sources_dir)
        try:
            text = path.read_text()
        except OSError as error:
            raise BuildError(f"cannot read {path}: {error.strerror}; is the collection complete?") from error
        found = re.search(rf"^\s*(?:require\s+)?{re.escape(self.module)}\s+(v\S+)", text, re.MULTILINE)
        if not found:
            raise BuildError(f"{path} does not pin {self.module}")
        return f"{found.group(1)}-{_hash(path.parent)}" if self.own_sources else found.group(1)

    def go_mod(self, sources_dir: Path) -> Path:
        """Our go.mod for this project."""
        return sources_dir / "go" / self.folder / "go.mod"

    def linker_flags(self, version: str) -> str:
        """Flags for `go build -ldflags`: no debug information, and the version where it is needed."""
        flags = ["-s", "-w"]
        if self.whole_version:
            return " ".join([*flags, f"-X {self.version_variable}={version}"])
        numbers = VERSION.match(version)
        if self.version_variable and numbers:
            values = {"gitVersion": version, "gitMajor": numbers.group(1), "gitMinor": numbers.group(2)}
            flags += [f"-X {self.version_variable}.{name}={value}" for name, value in values.items()]
            # For agnhost; other programs have no such variable.
            flags.append(f"-X main.Version={version}")
        return " ".join(flags)


KUBERNETES = Upstream(
    folder="kubernetes",
    module="k8s.io/kubernetes",
    packages={
        **{
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in (
                "kube-apiserver",
                "kube-controller-manager",
                "kube-scheduler",
                "kubectl",
                "kubelet",
                "kube-proxy",
            )
        },
        "agnhost": "k8s.io/kubernetes/test/images/agnhost",
    },
    # Otherwise the server's version is v0.0.0-master.
    version_variable="k8s.io/component-base/version",
)
ETCD = Upstream(folder="etcd", module="go.etcd.io/etcd/server/v3", packages={"etcd": "go.etcd.io/etcd/server/v3"})
KWOK = Upstream(folder="kwok", module="sigs.k8s.io/kwok", packages={"kwok": "sigs.k8s.io/kwok/cmd/kwok"})
# The main package is ours: CoreDNS with only a few plug-ins.
COREDNS = Upstream(folder="coredns", module="github.com/coredns/coredns", packages={"coredns": "."})

# Of one folder, so that what they share is the same and compiled once: the versions that were made for our Kubernetes.
_CSI_FOLDER = "csi"
_CSI = "github.com/kubernetes-csi"
_MAIN_VERSION = "main.version"


def _sidecar(module: str, *programs: str) -> Upstream:
    packages = {name: f"{_CSI}/{module}/cmd/{name}" for name in programs}
    return Upstream(_CSI_FOLDER, f"{_CSI}/{module}", packages, version_variable=_MAIN_VERSION, whole_version=True)


PROVISIONER = _sidecar("external-provisioner/v6", "csi-provisioner")
ATTACHER = _sidecar("external-attacher/v4", "csi-attacher")
RESIZER = _sidecar("external-resizer/v2", "csi-resizer")
SNAPSHOTTER = _sidecar("external-snapshotter/v8", "csi-snapshotter", "snapshot-controller")
# The program is ours; its version is that of the specification.
HOSTPATH = Upstream(
    folder=_CSI_FOLDER,
    module="github.com/container-storage-interface/spec",
    packages={"csi-hostpath": "."},
    version_variable=_MAIN_VERSION,
    whole_version=True,
    own_sources=True,
)
_STORAGE = (PROVISIONER, ATTACHER, RESIZER, SNAPSHOTTER, HOSTPATH)

JOBSET = Upstream("jobset", "sigs.k8s.io/jobset", {"jobset": "sigs.k8s.io/jobset"}, prints_version=False)
# The main package is ours: Kueue without what needs a container's files.
KUEUE = Upstream(
    folder="kueue",
    module="sigs.k8s.io/kueue",
    packages={"kueue": "."},
    version_variable=_MAIN_VERSION,
    whole_version=True,
    own_sources=True,
)

# A client of registries; no part of a cluster.
CRANE = Upstream(
    folder="crane",
    module="github.com/google/go-containerregistry",
    packages={"crane": "github.com/google/go-containerregistry/cmd/crane"},
    version_variable="github.com/google/go-containerregistry/cmd/crane/cmd.Version",
    whole_version=True,
)

# What a cluster may consist of.
PARTS_OF_A_CLUSTER = (ETCD, KUBERNETES, KWOK, COREDNS, *_STORAGE, JOBSET, KUEUE)
UPSTREAMS = (*PARTS_OF_A_CLUSTER, CRANE)
UPSTREAM_OF = {binary: upstream for upstream in UPSTREAMS for binary in upstream.packages}

# What a real node needs besides the control plane.
NODE_PROGRAMS = ("kubelet", "kube-proxy", "agnhost", "coredns")
# What the option `storage` needs.
STORAGE_PROGRAMS = tuple(name for upstream in _STORAGE for name in upstream.packages)
# What the simulated tier runs.
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


def _hash(folder: Path) -> str:
    """A short hash of the Go files and pinned modules of a folder."""
    paths = sorted([*folder.glob("*.go"), folder / "go.mod", folder / "go.sum"])
    content = b"\0".join(path.name.encode() + b"\0" + path.read_bytes() for path in paths)
    return hashlib.sha256(content).hexdigest()[:8]


def numbers_of(version: str) -> tuple[int, int, int] | None:
    """The first version number in a text, such as a program's answer to `--version`."""
    found = VERSION.search(version)
    return (int(found.group(1)), int(found.group(2)), int(found.group(3))) if found else None
