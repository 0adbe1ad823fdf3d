"""csi-sanity, the checks that the project of the CSI specification's tests has for every driver."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path

import devenv
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.build import GoBuilder
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.upstreams import Upstream
from ansible_collections.kubestress.core.plugins.module_utils.machine.sync import exclusive

NAME = "csi-sanity"
SOURCES = Path(__file__).parent
MODULE = "github.com/kubernetes-csi/csi-test/v5"
SANITY = Upstream(folder=NAME, module=MODULE, packages={NAME: f"{MODULE}/cmd/{NAME}"})


def build() -> Path:
    """The program, built like those of the local cluster, and kept in the same cache by its version."""
    cache = devenv.cache_dir()
    target = cache / "bin" / f"{NAME}-{SANITY.version(SOURCES)}" / NAME
    with exclusive(cache / "locks" / f"build-{NAME}.lock"):
        if not target.exists():
            with tempfile.TemporaryDirectory(prefix="build-", dir=cache) as temporary:
                builder = GoBuilder(cache_dir=cache, sources_dir=SOURCES, timeout_seconds=600)
                builder(SANITY, [NAME], Path(temporary))
                target.parent.mkdir(parents=True, exist_ok=True)
                (Path(temporary) / NAME).replace(target)
    return target


def check(socket: Path, folder: Path, *, parameters: Path, skipped: str) -> subprocess.CompletedProcess[str]:
    """Run it against the driver at a socket, with an empty folder for its mounts.

    :param parameters: YAML of the parameters of its volumes.
    :param skipped: regular expression of the checks that are left out.
    """
    command = [str(build()), f"-csi.endpoint={socket}", f"-csi.mountdir={folder / 'mounted'}"]
    command += [f"-csi.stagingdir={folder / 'staged'}", f"-csi.testvolumeparameters={parameters}"]
    command += [f"-ginkgo.skip={skipped}", "-ginkgo.no-color"]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
