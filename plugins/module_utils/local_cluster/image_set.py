# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The images that the roles' defaults name, made from a static busybox and Kubernetes' own test program agnhost.

The names are those of the public images, so that the same defaults serve here and on any other cluster. What is in them
is what the roles use: the programs, not the public images' whole content.
"""

from __future__ import annotations

import platform
import subprocess
from pathlib import Path

from .errors import LocalClusterError
from .images import Image
from .nodes import ARCHITECTURES

BUSYBOX_IMAGE = "registry.k8s.io/e2e-test-images/busybox:1.36.1-1"
AGNHOST_IMAGE = "registry.k8s.io/e2e-test-images/agnhost:2.53"
# The kubelet and containerd must agree on it; it holds a pod's namespaces.
PAUSE_IMAGE = "registry.k8s.io/pause:3.10.1"

ACCOUNTS = {
    "/etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/home:/bin/false\n",
    "/etc/group": "root:x:0:\nnogroup:x:65534:\n",
}
FOLDERS = {"/tmp": 0o1777, "/root": 0o700, "/home": 0o755, "/var": 0o755, "/var/tmp": 0o1777}
# What the roles' scripts call, the public images have, and not every busybox brings.
REPLACED = ("cksum",)
# The longest that busybox's sleep takes as a plain number of seconds: 68 years.
FOREVER = "2147483647"


def image_set(*, busybox: Path, agnhost: Path, scripts: Path) -> list[Image]:
    """The images.

    :param scripts: the folder of what stands in for applets that this machine's busybox was built without.

    :raises LocalClusterError: if busybox does not tell its applets, or needs libraries that an image has not.
    """
    architecture = ARCHITECTURES.get(platform.machine(), platform.machine())
    known = applets(busybox)
    links = {f"/bin/{applet}": "busybox" for applet in known}
    shell = {"/bin/busybox": busybox} | {
        f"/bin/{applet}": scripts / f"{applet}.sh" for applet in REPLACED if applet not in known
    }
    return [
        Image(
            name=BUSYBOX_IMAGE,
            architecture=architecture,
            files=shell,
            links=links,
            texts=ACCOUNTS,
            folders=FOLDERS,
            command=["sh"],
        ),
        Image(
            name=AGNHOST_IMAGE,
            architecture=architecture,
            files={**shell, "/agnhost": agnhost},
            links=links,
            texts=ACCOUNTS,
            folders=FOLDERS,
            entrypoint=["/agnhost"],
            command=["pause"],
        ),
        # One process of half a megabyte. Unlike the public one it does not collect processes of a pod whose containers
        # share their process namespace.
        Image(
            name=PAUSE_IMAGE,
            architecture=architecture,
            files={"/pause/busybox": busybox},
            command=["/pause/busybox", "sleep", FOREVER],
        ),
    ]


def applets(busybox: Path) -> list[str]:
    """The names under which busybox can be called."""
    if b"/ld-linux" in busybox.read_bytes()[:4096]:
        raise LocalClusterError(f"{busybox} needs libraries; images need a static one (Debian package busybox-static)")
    answer = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=False, timeout=30)
    names = [name for name in answer.stdout.split() if name != "busybox"]
    if answer.returncode != 0 or "sh" not in names:
        raise LocalClusterError(f"{busybox} --list names no applets: {answer.stderr.strip() or answer.stdout[:200]}")
    return names
