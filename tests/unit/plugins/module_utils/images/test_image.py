"""What the module refuses before anything is built or sent, and what check mode says."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils import libraries
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.images.image import Outcome
from ansible_collections.kubestress.core.plugins.plugin_utils.sources import SOURCES
from helpers import images

DIGEST = f"sha256:{'0' * 64}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "train.py").write_text("print('training')\n")
    return tmp_path


def image(folder: Path, *, check_mode: bool = False, **options: Any) -> Outcome:
    common = {"name": "h:1/train", "context": str(folder)}
    return images.image({**common, **options}, environ={"PATH": ""}, check_mode=check_mode)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "train"}, "project: missing; 'train' has no registry"),
        ({"context": " "}, "context: empty; name the folder"),
        ({"name": "h:65536/train"}, "name: 'h:65536/train'; allowed is"),
        ({"binaries_dir": "/gone"}, "binaries_dir: there is no folder /gone"),
        ({"context": f"/{'x' * 300}"}, f"/{'x' * 300} cannot be read: File name too long"),
        ({"binaries_dir": f"/{'x' * 300}"}, f"/{'x' * 300} cannot be read: File name too long"),
        ({"context": "/gone"}, "context: there is no folder /gone"),
        ({"platform": "amd64"}, "platform: 'amd64'; allowed is OS/ARCHITECTURE"),
        ({"dockerfile": "Dockerfile"}, "dockerfile: Dockerfile, but builder=layers runs none"),
        ({"base": "Base Image"}, "base: 'Base Image'; allowed is"),
        ({"name": f"h:1/train@{DIGEST}"}, "name: 'h:1/train@sha256:0000"),
        ({"timeout": 1}, "timeout: 1; allowed are 60 to 86,400 seconds"),
        ({"log_file": "CONTEXT/lib/../log.txt"}, "log_file: CONTEXT/lib/../log.txt is in the context; allowed is"),
        ({"builder": "job", "dockerfile": "loop"}, "dockerfile: CONTEXT/loop cannot be read"),
        ({"builder": "job", "dockerfile": "loop/x"}, "dockerfile: CONTEXT/loop/x cannot be read"),
        ({"builder": "job", "dockerfile": "x" * 300}, "dockerfile: CONTEXT/xxx"),
        ({"builder": "job", "dockerfile": "a\0b"}, "dockerfile: CONTEXT/a\0b cannot be read: embedded null byte"),
        ({"name": "h:1/Train"}, "name: 'h:1/Train'; allowed is [HOST/]PATH"),
        ({"log_file": "/proc/x/image.log"}, "log_file: /proc/x/image.log cannot be written"),
    ],
)
def test_bad_input_is_refused_in_one_line(folder: Path, options: dict[str, Any], said: str) -> None:
    (folder / "loop").symlink_to("loop")
    given = {
        key: value.replace("CONTEXT", str(folder)) if isinstance(value, str) else value
        for key, value in options.items()
    }
    with pytest.raises(ModuleFailed) as caught:
        image(folder, **given)
    text = str(caught.value)
    assert text.startswith(f"image: {said.replace('CONTEXT', str(folder))}")
    assert "\n" not in text


def test_check_mode(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    files = {"log_file": str(folder / "new" / "image.log"), "cache_dir": str(folder / "cache")}
    outcome = image(folder, check_mode=True, base="python:3.12", sources_dir=str(SOURCES), **files)
    assert outcome.result == {
        "changed": True, "image": "h:1/train:latest", "builder": "layers", "files": 1, "bytes": 18, "digest": None,
        "reference": None, "log_file": None, "seconds": 0.0,
        "msg": "would build h:1/train:latest with layers: 1 file, 18 B in /app on python:3.12, for linux/amd64; "
        "whether its digest would differ is not known: there is no crane, which would be built first",
    }  # fmt: skip
    assert outcome.warnings == ["left out of the image, because they are sockets, pipes or devices: pipe"]
    assert not (folder / "new").exists()
    assert not (folder / "cache").exists()


def test_planned_is_checked_and_named_and_nobody_is_asked(folder: Path) -> None:
    # A registry would be needed for the digest, and crane, which is nowhere here.
    result = image(folder, state="planned", name="h:1/train:v1", base="python:3.12").result
    assert (result["changed"], result["image"], result["reference"]) == (False, "h:1/train:v1", None)
    assert result["msg"].endswith("on python:3.12, for linux/amd64; its digest is known once it is built")
    with pytest.raises(ModuleFailed, match="image: project: missing"):
        image(folder, state="planned", name="train")


@pytest.mark.parametrize(
    ("builder", "said"),
    [
        ("cloud_build", "each build is a new one, and its digest is known after it"),
        ("job", "whether its digest would differ is not known before the Dockerfile is run"),
    ],
)
def test_check_mode_says_what_cannot_be_known(folder: Path, builder: str, said: str) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\n")
    result = image(folder, builder=builder, project="my-project", check_mode=True).result
    assert (result["changed"], result["digest"]) == (True, None)
    assert result["msg"].endswith(f"Dockerfile, for linux/amd64; {said}")


@pytest.mark.parametrize(
    "options", [{"builder": "cloud_build", "project": "p"}, {"name": "gcr.io/p/x", "credentials_file": "/key.json"}]
)
def test_libraries_that_are_not_installed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    """What needs a token, whichever builder, says what to install."""
    monkeypatch.setattr(libraries, "_is_installed", lambda name: name != "google.auth")
    (folder / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(ModuleFailed, match=r"google.auth.* -m pip install 'google-auth>=2.40.0,<3'$"):
        image(folder, sources_dir=str(SOURCES), log_file=str(folder / "image.log"), **options)


def test_a_builder_whose_program_is_missing(folder: Path) -> None:
    (folder / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(ModuleFailed) as caught:
        image(folder, builder="buildah", check_mode=True)
    assert str(caught.value) == (
        "image: builder: buildah is not on PATH; install it (package buildah), or use layers, which needs no program"
    )
