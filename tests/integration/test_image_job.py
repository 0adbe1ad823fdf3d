"""The builder `job` against a real API server. Its pods are simulated here, so that nothing is really built."""

from __future__ import annotations

import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.images import job as jobs
from ansible_collections.kubestress.core.plugins.module_utils.images.context import read_context
from ansible_collections.kubestress.core.plugins.module_utils.images.job_manifest import BUILDKIT_IMAGE, job
from ansible_collections.kubestress.core.plugins.module_utils.images.names import parsed
from ansible_collections.kubestress.core.plugins.module_utils.images.request import Request
from ansible_collections.kubestress.core.plugins.plugin_utils.sources import SOURCES
from helpers import images
from helpers.commands import run
from helpers.odd_registry import Odd, odd_registry
from helpers.registry import Registry, serving
from helpers.waiting import until


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "Dockerfile").write_text("FROM scratch\nCOPY . /app\n")
    return folder


@pytest.fixture
def build(
    registry: Registry, folder: Path, tmp_path: Path, kubeconfig: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., dict[str, Any]]:
    """A function that does what the module does with builder=job."""
    monkeypatch.setattr(jobs, "_POLL_SECONDS", 0.1)

    def built(job: dict[str, str], **options: Any) -> dict[str, Any]:
        common = {
            "name": f"{registry.host}/built", "builder": "job", "context": str(folder), "timeout": "60",
            "log_file": str(tmp_path / "image.log"), "sources_dir": str(SOURCES),
            "job": {"kubeconfig": str(kubeconfig), "carrier": registry.base(tmp_path), **job},
        }  # fmt: skip
        return images.image({**common, **options}, environ={**os.environ, **registry.environment}).result

    return built


@pytest.mark.parametrize("secret", ["", "logins"])
def test_the_api_server_takes_the_job_and_knows_all_its_fields(
    folder: Path, kubectl_binary: str, kubeconfig: Path, secret: str
) -> None:
    request = Request(
        image=parsed("h:1/train:v1"), context=read_context(folder), dockerfile="Dockerfile", insecure=True
    )
    manifest = job(
        request, name="image-1", namespace="default", carrier="h:1/train:context-1", buildkit=BUILDKIT_IMAGE,
        secret=secret, timeout_seconds=600,
    )  # fmt: skip
    create = ["create", "--dry-run=server", "--validate=strict", "-f", "-", "-o", "json"]
    done = run(kubectl_binary, "--kubeconfig", kubeconfig, *create, stdin=json.dumps(manifest))
    assert done.rc == 0, done.output
    stored = json.loads(done.stdout)
    (container,) = stored["spec"]["template"]["spec"]["containers"]
    assert "--output=type=image,name=h:1/train:v1,push=true,registry.insecure=true" in container["args"]
    assert stored["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "kubestress"


def test_a_job_that_ends_without_an_image_is_told_and_removed(
    build: Callable[..., dict[str, Any]], registry: Registry, kubectl: Any, tmp_path: Path
) -> None:
    """A simulated pod ends well and has done nothing."""
    with pytest.raises(ModuleFailed) as caught:
        build({}, tag="v1")
    text = str(caught.value)
    assert text.startswith(
        f"image: {registry.host}/built:v1: the Job has finished, but the registry has no such image; "
    )
    assert "\n" not in text
    # The context was pushed as an image, for the pod to copy it from, and is there no more.
    log = (tmp_path / "image.log").read_text()
    (carrier,) = re.findall(r"goes to the cluster as (\S+)", log)
    assert any(one.startswith("PUT /v2/built/manifests/context-image-") for one in registry.requests())
    assert f"removed {carrier} from the registry" in log
    assert registry.digests("built") == {}
    selector = "app.kubernetes.io/managed-by=kubestress,kubestress.core/role=image"
    assert kubectl("get", "jobs", "-A", "-l", selector)["items"] == []


def test_an_interrupted_play_removes_the_job(
    build: Callable[..., dict[str, Any]], registry: Registry, kubectl: Any, tmp_path: Path, prefix: str
) -> None:
    """No pod can be made there, so that the Job waits."""
    kubectl("create", "namespace", prefix)
    kubectl("create", "quota", "none", "--hard=pods=0", "-n", prefix)
    until(lambda: kubectl("get", "quota", "none", "-n", prefix).get("status", {}).get("hard"))

    def interrupt() -> None:
        (found,) = until(lambda: kubectl("get", "jobs", "-n", prefix)["items"])
        seen.append(found)
        os.kill(os.getpid(), signal.SIGTERM)

    seen: list[dict[str, Any]] = []
    helper = threading.Thread(target=interrupt)
    helper.start()
    try:
        with pytest.raises(ModuleFailed, match="image: interrupted by SIGTERM; the log is "):
            build({"namespace": prefix}, tag="v2")
    finally:
        helper.join()
        kubectl("delete", "namespace", prefix, "--wait=false")
    carrier = seen[0]["spec"]["template"]["spec"]["initContainers"][0]["image"]
    assert carrier.startswith(f"{registry.host}/built@sha256:")
    until(lambda: not kubectl("get", "jobs", "-n", prefix)["items"])


def test_a_registry_that_deletes_nothing_is_told_of(
    build: Callable[..., dict[str, Any]], registry: Registry, tmp_path: Path
) -> None:
    """The image of the context stays there, and the cause of the failure is still the build's."""
    with odd_registry(registry.host) as front:
        front.odd["DELETE"] = Odd(
            405, b'{"errors": [{"code": "UNSUPPORTED", "message": "The operation is unsupported."}]}'
        )
        with pytest.raises(ModuleFailed, match="the Job has finished, but the registry has no such image"):
            build({}, name=f"{front.host}/kept", tag="v1")
    (tag,) = registry.digests("kept")
    log = (tmp_path / "image.log").read_text()
    assert f"{front.host}/kept:{tag} stays in the registry: {front.host}/kept:{tag}: DELETE " in log
    assert "UNSUPPORTED: The operation is unsupported." in log


def test_what_the_cluster_refuses_is_named_and_nothing_is_pushed(
    build: Callable[..., dict[str, Any]], registry: Registry
) -> None:
    seen = len(registry.requests())
    with pytest.raises(ModuleFailed, match=r"image: .*namespaces \"gone\" not found"):
        build({"namespace": "gone"})
    with pytest.raises(ModuleFailed, match=r"image: job.namespace: 'No'; "):
        build({"namespace": "No"})
    with pytest.raises(ModuleFailed, match=r"image: .*/gone"):
        build({"kubeconfig": "/gone"})
    # But for the image that stands for BusyBox here, which each call of `build` pushes first.
    assert [one for one in registry.requests()[seen:] if " /v2/built/" in one] == []
