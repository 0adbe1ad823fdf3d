"""kubestress.core.image with builder=buildah: a real buildah, where the machine has one, and a real registry."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.images.arguments import ARGUMENTS
from ansible_collections.kubestress.core.plugins.module_utils.images.image import run_module
from ansible_collections.kubestress.core.plugins.plugin_utils.sources import SOURCES
from helpers.registry import Registry, serving
from helpers.waiting import until

pytestmark = pytest.mark.skipif(shutil.which("buildah") is None, reason="there is no buildah on PATH")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def build(registry: Registry, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A function that does what the module does with a context; images are kept in a folder of the test."""
    folder = tmp_path / "context"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "train.py").write_text("print('training')\n")
    (folder / "src" / "noise.log").write_text("noise\n")
    (folder / "Dockerfile").write_text("FROM scratch\nWORKDIR /work\nCOPY . .\n")
    (folder / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
    storage = tmp_path / "storage.conf"
    storage.write_text(
        f'[storage]\ndriver = "vfs"\ngraphroot = "{tmp_path}/images"\nrunroot = "{tmp_path}/run"\n', encoding="utf-8"
    )
    environment = {**os.environ, **registry.environment, "CONTAINERS_STORAGE_CONF": str(storage)}
    environment["BUILDAH_ISOLATION"] = "chroot"

    def run(**options: Any) -> dict[str, Any]:
        common = {
            "name": f"{registry.host}/built", "builder": "buildah", "context": str(folder),
            "log_file": str(tmp_path / "image.log"), "sources_dir": str(SOURCES),
        }  # fmt: skip
        checked = ArgumentSpecValidator(ARGUMENTS).validate({**common, **options})
        assert not checked.error_messages
        return run_module(checked.validated_parameters, check_mode=False, environ=environment).result

    return run


def test_built_pushed_and_unchanged_the_second_time(
    build: Callable[..., dict[str, Any]], registry: Registry, tmp_path: Path
) -> None:
    first = build(tag="v1")
    assert registry.digests("built") == {"v1": first["digest"]}
    exported = tmp_path / "exported.tar"
    registry.crane("export", first["reference"], str(exported))
    with tarfile.open(exported) as archive:
        assert [one.name for one in archive if one.isfile()] == ["work/src/train.py"]
    config = json.loads(registry.crane("config", first["reference"]))
    assert (config["architecture"], config["config"]["WorkingDir"]) == ("amd64", "/work")
    assert "STEP 2/3: WORKDIR /work" in (tmp_path / "image.log").read_text()
    second = build(tag="v1")
    assert (first["changed"], second["changed"], second["digest"]) == (True, False, first["digest"])


def test_a_dockerfile_that_fails(build: Callable[..., dict[str, Any]], registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "context" / "Dockerfile").write_text("FROM scratch\nCOPY gone /\n")
    with pytest.raises(ModuleFailed) as caught:
        build(tag="bad")
    text = str(caught.value)
    assert text.startswith(f"image: {registry.host}/built:bad: buildah bud ended with ")
    assert "gone" in text
    assert "\n" not in text


def test_an_interrupted_play_ends_what_the_dockerfile_runs(
    build: Callable[..., dict[str, Any]], registry: Registry, tmp_path: Path
) -> None:
    """The program has started others, which do not end with it by themselves."""
    base = registry.tools(tmp_path, "stays", "exec sleep 86399\n")
    (tmp_path / "context" / "Dockerfile").write_text(f"FROM {base}\nRUN stays\n")

    def interrupt() -> None:
        until(sleepers)
        os.kill(os.getpid(), signal.SIGINT)

    helper = threading.Thread(target=interrupt)
    helper.start()
    try:
        with pytest.raises(ModuleFailed, match="image: interrupted by SIGINT; the log is "):
            build(tag="stays")
        until(lambda: not sleepers(), seconds=20)
    finally:
        helper.join()
        for pid in sleepers():
            os.kill(pid, signal.SIGKILL)


def sleepers() -> list[int]:
    """The processes of the RUN."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            if b"sleep\x0086399" in path.read_bytes():
                found.append(int(path.parent.name))
    return found
