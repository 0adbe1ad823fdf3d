"""kubestress.core.image with builder=cloud_build in a play: the stand-in really builds, and pushes to a registry."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers.cloud import PROJECT, Cloud, running
from helpers.commands import command_environment
from helpers.one_task import returned
from helpers.processes import descendants, kill_tree
from helpers.registry import Registry, serving
from helpers.waiting import until

MODULE = "kubestress.core.image"


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("registry")) as running_one:
        yield running_one


@pytest.fixture
def cloud(registry: Registry) -> Iterator[Cloud]:
    with running(Cloud(registry)) as stand_in:
        yield stand_in


@pytest.fixture
def options(cloud: Cloud, registry: Registry, tmp_path: Path) -> dict[str, Any]:
    """The module's options for a context with a Dockerfile, all as text."""
    folder = tmp_path / "context"
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "train.py").write_text("print('training')\n")
    (folder / "Dockerfile").write_text('FROM scratch\nWORKDIR /work\nCOPY src code/\nCMD ["python", "code/train.py"]\n')
    (folder / ".dockerignore").write_text("Dockerfile\n")
    return {
        "name": f"{registry.host}/built", "tag": "v1", "builder": "cloud_build", "project": f"{PROJECT}\n",
        "context": "context", "timeout": "600", "credentials_file": str(cloud.key_file(tmp_path)),
        "log_file": "image.log", "endpoints": {"storage": cloud.url, "cloud_build": cloud.url},
    }  # fmt: skip


def test_built_pushed_and_no_secret_anywhere(
    cloud: Cloud, registry: Registry, options: dict[str, Any], tmp_path: Path, cluster_free_playbook: Any
) -> None:
    shown: list[str] = []
    # What it is asked with it says back, in the log of the build and in errors.
    cloud.uses_per_token, cloud.echoes = 4, True

    def play(*arguments: Any) -> Any:
        done = cluster_free_playbook(*arguments, cwd=tmp_path, env={"ANSIBLE_DISPLAY_TRACEBACK": "always"})
        shown.append(done.output)
        return done

    rc, answer = returned(play, tmp_path, MODULE, options, "-vvv")
    assert rc == 0, answer
    # The digest is what the registry has, not what anybody says.
    assert registry.digests("built") == {"v1": answer["digest"]}
    assert answer["reference"] == f"{registry.host}/built@{answer['digest']}"
    exported = tmp_path / "exported.tar"
    registry.crane("export", answer["reference"], str(exported))
    assert (
        "work/code/train.py"
        in subprocess.run(["tar", "-tf", exported], capture_output=True, text=True, check=True).stdout
    )
    # The log was shown while it grew, and is in the file.
    assert "half a looked at 5 times" in shown[0]
    assert "Step 4/4 : CMD" in (tmp_path / "image.log").read_text()
    assert len(cloud.tokens) > 1
    assert "asked with ***" in (tmp_path / "image.log").read_text()
    told = "".join(shown) + str(answer) + (tmp_path / "image.log").read_text()
    assert [secret for secret in cloud.secrets() if secret in told] == []
    # Nor where it fails, in the result or a traceback.
    cloud.refused["POST /v1/projects"] = (403, "no right")
    rc, refused = returned(play, tmp_path, MODULE, options, "-vvv")
    assert rc != 0
    assert "Bearer *** no right; the log is " in refused["msg"]
    assert "Traceback (most recent call last)" in shown[1]
    told = shown[1] + str(refused) + (tmp_path / "image.log").read_text()
    assert [secret for secret in cloud.secrets() if secret in told] == []
    # Check mode asks nobody.
    asked = len(cloud.requests)
    rc, would = returned(play, tmp_path, MODULE, options, "--check")
    assert (rc, would["changed"], would["digest"]) == (0, True, None)
    assert f"would build {registry.host}/built:v1 with cloud_build: 3 files" in would["msg"]
    assert len(cloud.requests) == asked


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_play_cancels_the_build(
    cloud: Cloud, options: dict[str, Any], tmp_path: Path, number: signal.Signals
) -> None:
    """SIGTERM at the module's process, as systemd and AWX end all of a group; Ctrl-C; SIGKILL at the playbook only."""
    cloud.stays = True
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [{MODULE: options}]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    process = subprocess.Popen(
        ["ansible-playbook", tmp_path / "play.yml"],
        env=command_environment(),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        (build,) = until(lambda: [one for one in cloud.builds.values() if one.document["status"] == "WORKING"])
        if number == signal.SIGKILL:
            process.send_signal(number)
        elif number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            for pid in modules_of(process.pid):
                subprocess.run(["kill", f"-{number}", str(pid)], check=False)
        until(lambda: cloud.cancelled)
        identity = build.document["id"]
        assert cloud.cancelled == [identity]
        if number == signal.SIGTERM:
            output, _nothing = process.communicate(timeout=60)
            assert f"interrupted by SIGTERM; build {identity} was cancelled" in output
    finally:
        process.kill()
        process.wait()


def test_ctrl_c_at_accelerator_run_cancels_the_build_and_leaves_the_cluster_as_it_was(
    cloud: Cloud, options: dict[str, Any], run_id: str, kubeconfig: Path, kubectl: Any, tmp_path: Path
) -> None:
    """As at a terminal: SIGINT reaches the playbook and all that it started. The jobs would be CPUs'."""
    cloud.stays = True
    image = {name: value for name, value in options.items() if name not in ("log_file", "tag")}
    given = {
        "run_id": run_id,
        "kubestress_kubeconfig": str(kubeconfig),
        "preflight_accept_over_limit": True,
        **{f"accelerator_run_image_{name}": value for name, value in image.items()},
    }
    screen = tmp_path / "screen.txt"
    with screen.open("w") as file:
        process = subprocess.Popen(
            ["ansible-playbook", "kubestress.core.accelerator_run", "-e", json.dumps(given)],
            env=command_environment(),
            cwd=tmp_path,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        working = until(
            lambda: (
                process.poll() is not None
                or [one.document["id"] for one in cloud.builds.values() if one.document["status"] == "WORKING"]
            )
        )
        assert process.poll() is None, screen.read_text()
        os.killpg(process.pid, signal.SIGINT)
        process.wait(timeout=60)
        until(lambda: cloud.cancelled)
        assert cloud.cancelled == working
    finally:
        kill_tree(process)
    assert "User interrupted execution" in screen.read_text()
    assert kubectl("get", "namespaces", "-l", f"kubestress.core/run-id={run_id}")["items"] == []
    assert not (tmp_path / "kubestress-results").exists()


def modules_of(pid: int) -> list[int]:
    """The processes of the module below a playbook's: those that Ansible's own machinery runs."""
    return [one for one in descendants(pid) if b"AnsiballZ" in Path(f"/proc/{one}/cmdline").read_bytes()]
