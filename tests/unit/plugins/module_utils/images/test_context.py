"""A context as a reproducible archive: what is in it, and that the same files give the same bytes."""

from __future__ import annotations

import gzip
import io
import os
import socket
import stat
import tarfile
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.images.context import (
    MTIME,
    Context,
    Entry,
    read_context,
    write_folder,
    write_layer,
    write_source,
)
from ansible_collections.kubestress.core.plugins.module_utils.images.errors import BadOption, BuildFailed
from ansible_collections.kubestress.core.plugins.module_utils.images.request import checked_dockerfile


def make(folder: Path, *paths: str) -> Path:
    for path in paths:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"this is {path}\n")
    return folder


def names(context: Context) -> list[str]:
    return [entry.path for entry in context.entries]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = make(tmp_path / "context", "train.py", "lib/deep/a.py", "run.sh", "lib/ä ö", "lib-2/b")
    (made / "run.sh").chmod(0o700)
    (made / "empty").mkdir(mode=0o700)
    (made / "link").symlink_to("lib/deep")
    return made


def test_the_layer_has_the_files_below_app(folder: Path, tmp_path: Path) -> None:
    archive = write_layer(read_context(folder), tmp_path / "layer.tar")
    with tarfile.open(archive.path) as layer:
        members = layer.getmembers()
        read = {member.name: layer.extractfile(member).read() for member in members if member.isfile()}  # type: ignore[union-attr]
    assert [member.name for member in members] == [
        "app", "app/empty", "app/lib", "app/lib/deep", "app/lib/deep/a.py", "app/lib/ä ö", "app/lib-2", "app/lib-2/b",
        "app/link", "app/run.sh", "app/train.py",
    ]  # fmt: skip
    assert read["app/train.py"] == b"this is train.py\n"
    assert {(member.uid, member.gid, member.uname, member.mtime) for member in members} == {(0, 0, "", MTIME)}
    modes = {member.name: member.mode for member in members}
    assert (modes["app/run.sh"], modes["app/train.py"], modes["app/empty"]) == (0o755, 0o644, 0o755)
    assert next(member.linkname for member in members if member.issym()) == "lib/deep"


def test_the_same_files_give_the_same_bytes_on_another_day_in_another_folder(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "somewhere" / "else"
    other.mkdir(parents=True)
    # Made in another order, of another day, with other modes of group and others.
    (other / "link").symlink_to("lib/deep")
    make(other, "lib-2/b", "lib/ä ö", "run.sh", "lib/deep/a.py", "train.py")
    (other / "empty").mkdir()
    (other / "run.sh").chmod(0o755)
    (other / "train.py").chmod(0o600)
    os.utime(other / "train.py", (1, 1))
    os.utime(other, (1, 1))
    layers = [write_layer(read_context(one), tmp_path / f"{number}.tar") for number, one in enumerate((folder, other))]
    assert layers[0].digest == layers[1].digest
    assert layers[0].path.read_bytes() == layers[1].path.read_bytes()
    sources = [
        write_source(read_context(one), tmp_path / f"{number}.tgz") for number, one in enumerate((folder, other))
    ]
    assert sources[0].path.read_bytes() == sources[1].path.read_bytes()
    (other / "train.py").write_text("this is another\n")
    assert write_layer(read_context(other), tmp_path / "2.tar").digest != layers[0].digest


def test_the_source_has_the_files_at_its_root(folder: Path, tmp_path: Path) -> None:
    archive = write_source(read_context(folder), tmp_path / "source.tgz")
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(archive.path.read_bytes()))) as source:
        assert source.getnames()[-2:] == ["run.sh", "train.py"]


def test_dockerignore_and_what_is_always_left_out(tmp_path: Path) -> None:
    folder = make(
        tmp_path, "a.py", "b.txt", "doc/one.md", "doc/keep.md", ".git/config", "lib/node_modules/x", "lib/out.log",
        "tmp/x", "lib/tmp/y", "lib/z", ".dockerignore", "only/tmp/x",
    )  # fmt: skip
    (folder / ".dockerignore").write_text("*.txt\ndoc\n!doc/keep.md\n!lib/out.log\n")
    assert names(read_context(folder)) == [
        ".dockerignore", "a.py", "doc", "doc/keep.md", "lib", "lib/z", "only",
    ]  # fmt: skip


def test_a_dockerignore_that_windows_wrote(tmp_path: Path) -> None:
    """A byte order mark, and lines that end with CR LF."""
    folder = make(tmp_path, "a.txt", "doc/a.txt", "doc/keep.txt", "b.py")
    (folder / ".dockerignore").write_bytes(
        b"\xef\xbb\xbf# comment\r\n**/*.txt\r\n\r\n!doc/keep.txt\r\n.dockerignore\r\n"
    )
    assert names(read_context(folder)) == ["b.py", "doc", "doc/keep.txt"]


@pytest.mark.parametrize("content", [b"a\xff", "a".encode("utf-16")])
def test_a_dockerignore_that_is_no_text(tmp_path: Path, content: bytes) -> None:
    (make(tmp_path, "a") / ".dockerignore").write_bytes(content)
    with pytest.raises(BadOption, match=r"^context: .*/.dockerignore is not UTF-8 text$"):
        read_context(tmp_path)


def test_a_kept_file_is_there_whatever_the_rules_say(tmp_path: Path) -> None:
    folder = make(tmp_path, "a.py", "build/Dockerfile", "build/x")
    (folder / ".dockerignore").write_text("build\n.dockerignore\n")
    assert names(read_context(folder)) == ["a.py"]
    assert names(read_context(folder, keep=["build/Dockerfile"])) == ["a.py", "build", "build/Dockerfile"]


def test_what_no_image_can_have_is_skipped_and_named(tmp_path: Path) -> None:
    folder = make(tmp_path, "a.py")
    os.mkfifo(folder / "pipe")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "sock"))
        context = read_context(folder)
    assert (names(context), context.skipped) == (["a.py"], ("pipe", "sock"))
    assert (context.files, context.size_bytes) == (1, len("this is a.py\n"))


def test_names_that_are_long_or_no_text(tmp_path: Path) -> None:
    long = "/".join(["d" * 100] * 3)
    folder = make(tmp_path / "context", f"{long}/file")
    with open(os.fsencode(folder) + b"/\xff", "wb"):
        pass
    archive = write_layer(read_context(folder), tmp_path / "layer.tar")
    with tarfile.open(archive.path, errors="surrogateescape") as layer:
        found = layer.getnames()
    assert f"app/{long}/file" in found
    assert "app/\udcff" in found
    copied = write_folder(read_context(folder), tmp_path / "copy")
    assert b"\xff" in os.listdir(os.fsencode(copied))


@pytest.mark.parametrize(
    ("made", "said"), [([], "has no files but those"), ([".git/config", "a/b.log"], "has no files but those")]
)
def test_nothing_to_build_of(tmp_path: Path, made: list[str], said: str) -> None:
    with pytest.raises(BadOption, match=f"^context: {tmp_path} {said}"):
        read_context(make(tmp_path, *made))


def test_no_folder(tmp_path: Path) -> None:
    with pytest.raises(BadOption, match="context: there is no folder"):
        read_context(tmp_path / "gone")


def test_a_file_that_changes_while_it_is_read(tmp_path: Path) -> None:
    folder = make(tmp_path / "context", "a")
    context = read_context(folder)
    for text, said in (("longer than it was before", "grew"), ("x", "became shorter")):
        (folder / "a").write_text(text)
        with pytest.raises(BadOption, match=said):
            write_layer(context, tmp_path / "layer.tar")


def test_a_file_that_is_gone_when_it_is_read(tmp_path: Path) -> None:
    folder = make(tmp_path / "context", "a")
    context = read_context(folder)
    (folder / "a").unlink()
    with pytest.raises(BadOption, match=r"/a cannot be read: No such file"):
        write_layer(context, tmp_path / "layer.tar")


def test_a_link_that_leads_out_of_the_context_is_not_followed(tmp_path: Path) -> None:
    outside = make(tmp_path / "outside", "secret", "deep/secret")
    folder = make(tmp_path / "context", "a")
    (folder / "file").symlink_to(outside / "secret")
    (folder / "folder").symlink_to("../outside")
    (folder / "loop").symlink_to(".")
    archive = write_layer(read_context(folder), tmp_path / "layer.tar")
    with tarfile.open(archive.path) as layer:
        assert {member.name: member.linkname for member in layer if member.issym()} == {
            "app/file": str(outside / "secret"), "app/folder": "../outside", "app/loop": ".",
        }  # fmt: skip
    assert b"this is secret" not in archive.path.read_bytes()
    assert (write_folder(read_context(folder), tmp_path / "copy") / "folder").readlink() == Path("../outside")


def test_a_dockerfile_that_leads_out_of_the_context_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "context", "a")
    make(tmp_path, "Dockerfile")
    (folder / "Dockerfile").symlink_to("../Dockerfile")
    for given in ("", "../Dockerfile", str(tmp_path / "Dockerfile")):
        with pytest.raises(BadOption, match=f"^dockerfile: {tmp_path}/Dockerfile is not in the context {folder}"):
            checked_dockerfile(folder, given)


def test_a_full_disk_is_named_as_one() -> None:
    context = Context(Path("/"), (Entry("a", __file__, stat.S_IFREG | 0o644, Path(__file__).stat().st_size),), ())
    with pytest.raises(BuildFailed, match=r"^the archive of the context cannot be written: No space left on device$"):
        write_layer(context, Path("/dev/full"))


def test_many_rules_with_exceptions_in_a_tree(tmp_path: Path) -> None:
    folder = make(
        tmp_path, "a.md", "src/x.md", "src/keep/y.md", "src/keep/z.txt", "build/out/a.bin", "build/out/b.bin",
        "b/c/d.md",
    )  # fmt: skip
    (folder / ".dockerignore").write_text("**/*.md\n!src/**/*.md\nsrc/x.md\nbuild/**\n!build/**/b.bin\n.docker*\n")
    assert names(read_context(folder)) == [
        "b", "b/c", "build", "build/out", "build/out/b.bin", "src", "src/keep", "src/keep/y.md", "src/keep/z.txt",
    ]  # fmt: skip
