"""Images that are the same bytes wherever and whenever they are made, in the layout that containerd imports."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import tarfile
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster import images as images_of_roles
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.errors import LocalClusterError
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.images import Image, write_archive

NODE_FILES = Path(__file__).resolve().parents[5] / "roles" / "local_cluster" / "files" / "node"


def image(program: Path) -> Image:
    return Image(
        name="example.org/tools:1.0",
        architecture="amd64",
        files={"/bin/program": program},
        links={"/bin/other": "program"},
        texts={"/etc/passwd": "root:x:0:0::/:/bin/sh\n"},
        folders={"/tmp": 0o1777},
        entrypoint=["/bin/program"],
        command=["run"],
    )


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "program"
    path.write_bytes(b"\x7fELF program")
    return path


def test_the_same_content_gives_the_same_bytes(tmp_path: Path, program: Path) -> None:
    first = write_archive(image(program), tmp_path / "first.tar")
    os.utime(program, (1, 1))
    program.chmod(0o700)
    second = write_archive(image(program), tmp_path / "second.tar")
    assert first == second
    assert (tmp_path / "first.tar").read_bytes() == (tmp_path / "second.tar").read_bytes()
    program.write_bytes(b"another")
    assert write_archive(image(program), tmp_path / "third.tar") != first
    assert not list(tmp_path.glob("*.layer"))


def test_every_digest_is_that_of_its_blob(tmp_path: Path, program: Path) -> None:
    digest = write_archive(image(program), tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        contents = {entry.name: archive.extractfile(entry).read() for entry in archive}
    blobs = {name: content for name, content in contents.items() if name.startswith("blobs/")}
    assert len(blobs) == 3
    for name, content in blobs.items():
        assert name == f"blobs/sha256/{hashlib.sha256(content).hexdigest()}"
    (described,) = json.loads(contents["index.json"])["manifests"]
    assert described["digest"] == digest
    assert described["annotations"]["io.containerd.image.name"] == "example.org/tools:1.0"
    manifest = json.loads(contents[f"blobs/{digest.replace(':', '/')}"])
    for part in (manifest["config"], *manifest["layers"]):
        assert len(contents[f"blobs/{part['digest'].replace(':', '/')}"]) == part["size"]
    config = json.loads(contents[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
    assert config["config"]["Entrypoint"] == ["/bin/program"]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_layer_has_programs_links_and_folders_of_nobody_in_particular(tmp_path: Path, program: Path) -> None:
    write_archive(image(program), tmp_path / "image.tar")
    with tarfile.open(tmp_path / "image.tar") as archive:
        largest = max((entry for entry in archive if entry.name.startswith("blobs/")), key=lambda entry: entry.size)
        with tarfile.open(fileobj=archive.extractfile(largest)) as layer:
            entries = {entry.name: entry for entry in layer}
    assert list(entries) == ["bin", "etc", "tmp", "etc/passwd", "bin/program", "bin/other"]
    assert stat.S_IMODE(entries["tmp"].mode) == 0o1777
    assert entries["bin/program"].mode == 0o755
    assert entries["bin/other"].linkname == "program"
    assert {(entry.uid, entry.gid, entry.mtime) for entry in entries.values()} == {(0, 0, 0)}


def test_what_busybox_lacks_is_brought(tmp_path: Path) -> None:
    busybox = tmp_path / "busybox"
    busybox.write_text("#!/bin/sh\nprintf 'busybox\\nsh\\nsleep\\n'\n")
    busybox.chmod(0o755)
    made = images_of_roles.image_set(busybox=busybox, agnhost=tmp_path / "agnhost", scripts=NODE_FILES)
    by_name = {item.name: item for item in made}
    assert set(by_name) == {images_of_roles.BUSYBOX_IMAGE, images_of_roles.AGNHOST_IMAGE, images_of_roles.PAUSE_IMAGE}
    assert by_name[images_of_roles.AGNHOST_IMAGE].entrypoint == ["/agnhost"]
    assert by_name[images_of_roles.BUSYBOX_IMAGE].files["/bin/cksum"].is_file()
    assert by_name[images_of_roles.BUSYBOX_IMAGE].links == {"/bin/sh": "busybox", "/bin/sleep": "busybox"}


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("#!/bin/sh\necho broken >&2; exit 1\n", "printed no applets: broken"),
    ],
)
def test_an_unfit_busybox_is_refused(tmp_path: Path, content: str, complaint: str) -> None:
    busybox = tmp_path / "busybox"
    busybox.write_text(content)
    busybox.chmod(0o755)
    with pytest.raises(LocalClusterError, match=complaint):
        images_of_roles.applets(busybox)


def test_default_images_of_the_roles_are_made() -> None:
    """The names stand in the roles' defaults and here."""
    roles = NODE_FILES.parents[2]
    texts = "".join(path.read_text() for path in roles.glob("*/defaults/main.yml"))
    for name in (images_of_roles.BUSYBOX_IMAGE, images_of_roles.AGNHOST_IMAGE):
        assert f"default='{name}'" in texts
    assert texts.count("default='registry.") == texts.count(images_of_roles.BUSYBOX_IMAGE) + texts.count(
        images_of_roles.AGNHOST_IMAGE
    )
