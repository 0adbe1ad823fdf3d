"""kubestress.core.image against a real registry on loopback: in a play, and where that is enough without Ansible."""

from __future__ import annotations

import base64
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.images import image as module
from ansible_collections.kubestress.core.plugins.plugin_utils.sources import SOURCES
from helpers import images
from helpers.commands import command_environment
from helpers.odd_registry import Odd, odd_registry
from helpers.one_task import returned
from helpers.registry import Registry, serving
from helpers.waiting import until

MODULE = "kubestress.core.image"
Image = Callable[..., dict[str, Any]]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with serving(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A context with something to leave out."""
    folder = tmp_path / "context"
    (folder / "lib").mkdir(parents=True)
    (folder / "train.py").write_text("print('training')\n")
    (folder / "lib" / "data.txt").write_text("data\n")
    (folder / "lib" / "secret.txt").write_text("secret\n")
    (folder / "run.log").write_text("noise\n")
    (folder / ".dockerignore").write_text("**/secret.txt\n.dockerignore\n")
    return folder


@pytest.fixture
def image(tmp_path: Path, folder: Path, registry: Registry) -> Image:
    """A function that does what the module does with the context, and returns its result."""

    def run(*, check_mode: bool = False, **options: Any) -> dict[str, Any]:
        common = {"context": str(folder), "log_file": str(tmp_path / "image.log"), "sources_dir": str(SOURCES)}
        environ = {**os.environ, **registry.environment}
        return images.image({**common, **options}, environ=environ, check_mode=check_mode).result

    return run


def files_of(registry: Registry, image: str, folder: Path) -> dict[str, bytes]:
    """What crane, and not our own code, finds in an image: its files by path."""
    target = folder / "exported.tar"
    registry.crane("export", image, str(target))
    with tarfile.open(target) as archive:
        return {one.name: archive.extractfile(one).read() for one in archive if one.isfile()}  # type: ignore[union-attr]


def test_in_a_play(registry: Registry, folder: Path, tmp_path: Path, cluster_free_playbook: Any) -> None:
    """All options as text, as AWX gives them; the log where nobody named one; a second time; check mode."""
    shown: list[str] = []

    def play(*arguments: Any) -> Any:
        done = cluster_free_playbook(*arguments, env=registry.environment, cwd=tmp_path)
        shown.append(done.output)
        return done

    base = registry.base(tmp_path)
    options = {"name": f"{registry.host}/train", "tag": "v1", "base": base, "context": folder.name}
    texts = {"registry_insecure": "true", "timeout": "600", "project": " my-project\n"}
    rc, answer = returned(play, tmp_path, MODULE, {**options, **texts})
    assert rc == 0, answer
    assert answer["changed"]
    assert answer["image"] == f"{registry.host}/train:v1"
    # The digest is the registry's own.
    assert registry.digests("train") == {"v1": answer["digest"]}
    assert answer["reference"] == f"{registry.host}/train@{answer['digest']}"
    # The lines that were shown are in the log too.
    assert "layer sha256:" in shown[0]
    assert answer["msg"] in shown[0]
    log = Path(answer["log_file"])
    assert f"pushed {answer['image']}@{answer['digest']}" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600
    log.unlink()
    rc, again = returned(play, tmp_path, MODULE, {**options, "log_file": "image.log"})
    assert (rc, again["changed"], again["digest"]) == (0, False, answer["digest"])
    assert again["log_file"] == str(tmp_path / "image.log")
    # A registry that does not even exist.
    rc, would = returned(play, tmp_path, MODULE, {**options, "name": "127.0.0.1:1/train"}, "--check")
    assert (rc, would["changed"], would["digest"]) == (0, True, None)
    assert f"would build 127.0.0.1:1/train:v1 with layers: 2 files, 23 B in /app on {base}" in shown[-1]


def test_the_content_is_that_of_the_context(image: Image, registry: Registry, tmp_path: Path) -> None:
    answer = image(name=f"{registry.host}/content", base=registry.base(tmp_path))
    assert files_of(registry, answer["reference"], tmp_path) == {
        "etc/base": b"base\n", "app/train.py": b"print('training')\n", "app/lib/data.txt": b"data\n",
    }  # fmt: skip
    config = json.loads(registry.crane("config", answer["reference"]))
    assert (config["os"], config["architecture"]) == ("linux", "amd64")
    assert (config["config"]["WorkingDir"], config["config"]["Env"]) == ("/app", ["BASE=yes"])
    assert (answer["files"], answer["builder"]) == (2, "layers")


def test_the_same_files_are_the_same_image_on_another_day_and_path(
    image: Image, registry: Registry, folder: Path, tmp_path: Path
) -> None:
    name, base = f"{registry.host}/again", registry.base(tmp_path)
    first = image(name=name, base=base)
    assert first["changed"]
    seen = len(registry.requests())
    other = shutil.copytree(folder, tmp_path / "other" / "place")
    os.utime(other / "train.py", (0, 0))
    second = image(name=name, base=base, context=str(other))
    assert (second["changed"], second["digest"]) == (False, first["digest"])
    # Not a byte was sent.
    assert [one for one in registry.requests()[seen:] if one.split()[0] not in ("GET", "HEAD")] == []
    (other / "train.py").write_text("print('training longer')\n")
    third = image(name=name, base=base, context=str(other))
    assert third["changed"]
    assert third["digest"] != first["digest"]


def test_check_mode_knows_the_digest_and_sends_nothing(
    image: Image, registry: Registry, folder: Path, tmp_path: Path
) -> None:
    """On a base and alone: what would be pushed, and then is; and that the same again would not."""
    base = registry.base(tmp_path)
    for tag, options in (("v1", {"base": base}), ("v2", {"platform": "linux/arm64"})):
        wanted = {"name": f"{registry.host}/foreseen", "tag": tag}
        seen = len(registry.requests())
        would = image(check_mode=True, **wanted, **options)
        # Not even the base's layers are read.
        read = registry.requests()[seen:]
        assert [one for one in read if one.split()[0] not in ("GET", "HEAD")] == []
        layers = {layer["digest"] for layer in json.loads(registry.crane("manifest", base))["layers"]}
        assert [one for one in read if any(layer in one for layer in layers)] == []
        assert (would["changed"], would["msg"]) == (True, f"would be pushed: {would['image']} is {would['reference']}")
        built = image(**wanted, **options)
        assert (built["changed"], built["digest"]) == (True, would["digest"])
        same = image(check_mode=True, **wanted, **options)
        assert (same["changed"], same["digest"]) == (False, built["digest"])
        assert same["msg"] == f"unchanged: {built['image']} is {built['reference']}"
    (folder / "train.py").write_text("print('other')\n")
    assert image(check_mode=True, **wanted, **options)["changed"]


def test_an_image_of_nothing_but_files(image: Image, registry: Registry, tmp_path: Path) -> None:
    options = {"name": f"{registry.host}/alone", "platform": "linux/arm64/v8"}
    answer = image(**options)
    assert sorted(files_of(registry, answer["image"], tmp_path)) == ["app/lib/data.txt", "app/train.py"]
    config = json.loads(registry.crane("config", answer["reference"]))
    assert (config["architecture"], config["variant"], config["config"]["WorkingDir"]) == ("arm64", "v8", "/app")
    registry.crane("validate", "--remote", answer["reference"])
    again = image(**options)
    assert (again["changed"], again["digest"]) == (False, answer["digest"])


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"name": "127.0.0.1:1/train"}, "connection refused (does the registry run?)"),
        ({"name": "HOST/train", "base": "HOST/gone"}, "image: HOST/gone: "),
        ({"name": "HOST/train", "base": "ARM"}, "image: base: ARM is for linux/arm64, not for linux/amd64"),
    ],
)
def test_what_a_registry_refuses_is_told_with_image_and_cause(
    image: Image, registry: Registry, tmp_path: Path, options: dict[str, str], said: str
) -> None:
    arm = registry.base(tmp_path, architecture="arm64")

    def real(text: str) -> str:
        return text.replace("HOST", registry.host).replace("ARM", arm)

    with pytest.raises(ModuleFailed) as caught:
        image(**{name: real(value) for name, value in options.items()})
    text = str(caught.value)
    assert real(said) in text
    assert "\n" not in text
    assert text.endswith(f"; the log is {tmp_path / 'image.log'}")
    assert not caught.value.result["changed"]


HTML = Odd(200, b"<html>\n<body>Please log in</body>\n</html>", {"Content-Type": "text/html"})


@pytest.mark.parametrize(
    ("pattern", "odd", "said"),
    [
        (".*", HTML, "that is not a registry's answer; is the host right, or is a proxy in between?"),
        (
            "(GET|HEAD) /v2/x/manifests",
            Odd(401),
            "401 Unauthorized (log in with `docker login` or `crane auth login`, or give",
        ),
        ("PUT /v2/x/manifests", Odd(500), "unexpected status code 500 Internal Server Error"),
        (".*", Odd(403, HTML.body, HTML.headers), "403 Forbidden: <html> <body>Please log in</body> </html>"),
        (
            "GET /v2/base/manifests",
            HTML,
            "invalid character '<' looking for beginning of value (that is not a registry's",
        ),
        ("GET /v2/base/manifests", Odd(cut=20), "unexpected EOF (the connection was cut)"),
        ("GET /v2/base/blobs/CONFIG", Odd(cut=20), "unexpected EOF"),
        ("GET /v2/base/blobs/CONFIG", Odd(200, b"{}"), "Content-Length header 2 does not match expected size"),
        ("PUT /v2/x/manifests", Odd(413), "413 Request Entity Too Large"),
        ("(HEAD|POST) /v2/x/blobs", Odd(403), "(the account may not do that there)"),
    ],
)
def test_a_registry_that_misbehaves_is_told_in_one_line(
    image: Image, registry: Registry, tmp_path: Path, pattern: str, odd: Odd, said: str
) -> None:
    base = registry.base(tmp_path)
    config = json.loads(registry.crane("manifest", base))["config"]["digest"]
    with odd_registry(registry.host) as front:
        front.odd[pattern.replace("CONFIG", config)] = odd
        with pytest.raises(ModuleFailed) as caught:
            image(name=f"{front.host}/x", base=base.replace(registry.host, front.host))
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "x" not in registry.crane("catalog", registry.host).split()


def test_a_base_that_is_not_built_for_the_platform(image: Image, registry: Registry, tmp_path: Path) -> None:
    """Its name stands for a list of images, none of them for ours."""
    registry.crane(
        "index", "append", "-m", registry.base(tmp_path, architecture="arm64"), "-t", f"{registry.host}/many"
    )
    with pytest.raises(ModuleFailed) as caught:
        image(name=f"{registry.host}/x", base=f"{registry.host}/many")
    assert "no child with platform linux/amd64 in index" in str(caught.value)
    assert "(give another platform, or a base that is built for this one); the log is " in str(caught.value)


def test_a_registry_that_does_not_answer_is_given_up_after_the_timeout(
    image: Image, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SHORTEST", 1)
    with odd_registry(registry.host) as front:
        front.odd["PUT /v2/x/manifests"] = Odd(hangs=True)
        with pytest.raises(ModuleFailed) as caught:
            image(name=f"{front.host}/x", timeout="2")
        assert f"image: {front.host}/x:latest: crane push has not ended after 2 s; the log is " in str(caught.value)


def test_two_plays_at_once_push_the_same_image(image: Image, registry: Registry, tmp_path: Path) -> None:
    options = {"name": f"{registry.host}/both", "context": str(tmp_path / "context"), "sources_dir": str(SOURCES)}
    source = (
        "import json, sys; from helpers import images; import os;"
        "print(json.dumps(images.image(json.loads(sys.argv[1]), environ=os.environ).result))"
    )
    both = [
        subprocess.Popen(
            [sys.executable, "-c", source, json.dumps(options | {"log_file": str(tmp_path / f"{number}.log")})],
            env={**os.environ, **registry.environment, "PYTHONPATH": os.pathsep.join(sys.path)},
            stdout=subprocess.PIPE,
        )
        for number in range(2)
    ]
    answers = [json.loads(one.communicate(timeout=60)[0]) for one in both]
    assert {one["digest"] for one in answers} == {registry.digests("both")["latest"]}


def test_no_login_follows_to_another_host_and_a_layer_that_is_cut_makes_no_image(
    image: Image, registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base's layers come from another registry, where they are sent on to a third host, and end too early."""
    base = registry.base(tmp_path)
    layer = json.loads(registry.crane("manifest", base))["layers"][0]["digest"]
    with serving(tmp_path) as target, odd_registry(registry.host) as front, odd_registry(registry.host) as third:
        login = {"auths": {front.host: {"auth": base64.b64encode(b"user:password").decode()}}}
        (tmp_path / "config.json").write_text(json.dumps(login))
        monkeypatch.setitem(registry.environment, "DOCKER_CONFIG", str(tmp_path))
        front.odd["GET /v2/$"] = Odd(401, headers={"WWW-Authenticate": 'Basic realm="r"'})
        front.odd[f"GET /v2/base/blobs/{layer}"] = Odd(
            307, headers={"Location": f"http://{third.host}/v2/base/blobs/{layer}"}
        )
        third.odd["GET"] = Odd(cut=10)
        with pytest.raises(ModuleFailed, match="unexpected EOF"):
            image(name=f"{target.host}/cut", base=base.replace(registry.host, front.host))
        assert any(login.startswith("Basic ") for _asked, login in front.seen)
        assert third.seen
        assert {login for _asked, login in third.seen} == {""}
        assert "cut" not in target.crane("catalog", target.host).split()
        third.odd.clear()
        assert image(name=f"{target.host}/cut", base=base.replace(registry.host, front.host))["changed"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_play_ends_the_program(folder: Path, tmp_path: Path, number: signal.Signals) -> None:
    """Of a crane that hangs, as one does whose registry does not answer, nothing is left; SIGINT as by Ctrl-C."""
    program = tmp_path / "bin" / "crane"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\n[ $1 = version ] && echo v0.22.1 && exit\necho $$ > {tmp_path}/pid\nexec sleep 300\n"
    )
    program.chmod(0o755)
    options = {"name": "127.0.0.1:1/train", "context": str(folder), "binaries_dir": str(program.parent)}
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": [{MODULE: options}]}
    (tmp_path / "play.yml").write_text(yaml.safe_dump([play]))
    process = subprocess.Popen(
        ["ansible-playbook", tmp_path / "play.yml"],
        env=command_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        pid = int(until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text()))
        os.killpg(process.pid, number)
        until(lambda: not Path(f"/proc/{pid}").exists())
    finally:
        process.kill()
        process.wait()
