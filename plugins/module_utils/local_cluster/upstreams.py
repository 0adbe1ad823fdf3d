# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The upstream projects of the programs, each with its version pinned in a go.mod of ours."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from .errors import BuildError

VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class Upstream:
    """A project that programs are built from.

    `folder` is the name below `sources_dir`/go, `packages` the main package of each binary.
    `version_variable` is set by the linker if the project does not determine its version by itself.
    """

    folder: str
    module: str
    packages: dict[str, str]
    version_variable: str | None = None

    def version(self, sources_dir: Path) -> str:
        """The pinned version, such as `v1.36.3`.

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
        return found.group(1)

    def go_mod(self, sources_dir: Path) -> Path:
        """Our go.mod for this project."""
        return sources_dir / "go" / self.folder / "go.mod"

    def linker_flags(self, version: str) -> str:
        """Flags for `go build -ldflags`: no debug information, and the version where it is needed."""
        flags = ["-s", "-w"]
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

UPSTREAMS = (ETCD, KUBERNETES, KWOK, COREDNS)
UPSTREAM_OF = {binary: upstream for upstream in UPSTREAMS for binary in upstream.packages}

# What a real node needs besides the control plane.
NODE_PROGRAMS = ("kubelet", "kube-proxy", "agnhost", "coredns")
# What the simulated tier runs.
CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok")


def numbers_of(version: str) -> tuple[int, int, int] | None:
    """The first version number in a text, such as a program's answer to `--version`."""
    found = VERSION.search(version)
    return (int(found.group(1)), int(found.group(2)), int(found.group(3))) if found else None
