"""A stand-in for Google Cloud, and the module run against it without Ansible around it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.gcp import session
from ansible_collections.kubestress.core.plugins.module_utils.images import cloud_build
from helpers import images
from helpers.cloud import PROJECT, Cloud, running


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    """A running stand-in, at which nobody waits for seconds."""
    monkeypatch.setattr(cloud_build, "_POLL_SECONDS", 0.01)
    monkeypatch.setattr(session, "_FIRST_PAUSE_SECONDS", 0.01)
    with running(Cloud()) as stand_in:
        yield stand_in


@pytest.fixture
def build(cloud: Cloud, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """A function that does what the module does with builder=cloud_build, and returns its result."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /app\nRUN true\n")
    common = {
        "name": "train", "builder": "cloud_build", "project": PROJECT, "context": str(folder),
        "log_file": str(tmp_path / "image.log"), "credentials_file": str(cloud.key_file(tmp_path)),
        "endpoints": {"storage": cloud.url, "cloud_build": cloud.url},
    }  # fmt: skip

    def run(**options: Any) -> dict[str, Any]:
        return images.image({**common, **options}, environ={}).result

    return run
