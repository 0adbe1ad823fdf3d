"""Folders and archives that are hostile, broken or large: refused, or read as far as they are sound, and it is said."""

from __future__ import annotations

import gzip
import io
import os
import subprocess
import sys
import tarfile
import zlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.must_gather import gather as room
from ansible_collections.kubestress.core.plugins.module_utils.must_gather import streams
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.gather import read_gather
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.rules import RuleBook
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.tally import Tally
from helpers import gather_maker as maker
from helpers.waiting import until

LINE = maker.multus(maker.DAY, "ADD", "starting", maker.container("one"))
LOG = "namespaces/openshift-multus/pods/multus-a/kube-multus/kube-multus/logs/current.log"


def read(path: Path, workers: int = 1) -> Tally:
    return read_gather(str(path), RuleBook(), option="must_gather_path", workers=workers)


def requests(tally: Tally) -> int:
    return sum(len(one) for one in tally.operations.values())


def member(tar: tarfile.TarFile, name: str, content: bytes = b"", **attributes: object) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    for key, value in attributes.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(content))


HOSTILE: dict[str, tuple[str, dict[str, Any], str]] = {
    "absolute": ("/etc/kubestress/current.log", {}, "lead out of the archive"),
    "parent": ("../../current.log", {}, "lead out of the archive"),
    "parent inside": ("namespaces/../../current.log", {}, "lead out of the archive"),
    "symbolic link": ("current.log", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}, "links are not followed"),
    "hard link": ("current.log", {"type": tarfile.LNKTYPE, "linkname": "/etc/passwd"}, "links are not followed"),
    "device": ("current.log", {"type": tarfile.CHRTYPE}, "devices, pipes"),
    "pipe": ("current.log", {"type": tarfile.FIFOTYPE}, "devices, pipes"),
    "nested": ("/".join(["a"] * 60) + "/current.log", {}, "nested deeper than 40 folders"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_member_is_refused_and_the_rest_is_read(tmp_path: Path, case: str) -> None:
    name, attributes, told = HOSTILE[case]
    other = maker.text([maker.multus(maker.DAY, "ADD", "starting", maker.container("two"))])

    def more(tar: tarfile.TarFile) -> None:
        member(tar, name, b"" if attributes else other, **attributes)
        member(tar, LOG.replace("current", "previous"), other)

    path = maker.archive(tmp_path / "x.tar.gz", {LOG: maker.text([LINE])}, more=more)
    before = sorted(tmp_path.rglob("*"))
    tally = read(path)
    assert requests(tally) == 2
    assert [text for text in tally.warnings if told in text], tally.warnings
    assert sorted(tmp_path.rglob("*")) == before, "nothing is unpacked"


@pytest.mark.parametrize("share", [0.3, 0.6, 0.999])
@pytest.mark.parametrize("name", ["x.tar", "x.tar.gz", "x.tar.xz"])
def test_truncated_archive_is_read_as_far_as_it_is_sound(tmp_path: Path, name: str, share: float) -> None:
    lines = [maker.multus(maker.DAY, "ADD", "starting", maker.container(number)) for number in range(3000)]
    files = {LOG: maker.text(lines), "namespaces/ns/pods/p/c/c/logs/current.log": os.urandom(2**18)}
    path = maker.archive(tmp_path / name, files)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)] if share < 0.9 else whole[: -len(whole) // 1000 - 9000])
    tally = read(path)
    assert 0 < requests(tally) <= 3000
    assert any("too early" in text or "sound" in text for text in tally.warnings), tally.warnings


def test_garbage_behind_the_first_member_is_said(tmp_path: Path) -> None:
    path = maker.archive(tmp_path / "x.tar", {LOG: maker.text([LINE])})
    path.write_bytes(path.read_bytes()[:1024] + b"garbage " * 4096)
    tally = read(path)
    assert requests(tally) == 1
    assert any("tar archive" in text for text in tally.warnings), tally.warnings


def test_bomb_of_zeros_is_left(tmp_path: Path) -> None:
    """A gigabyte in a megabyte; the log before it counts."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    packed = b"".join(packer.compress(bytes(2**24)) for _block in range(16)) + packer.flush()
    files = {LOG: maker.text([LINE]), "namespaces/ns/pods/p/c/c/logs/current.log.gz": packed}
    tally = read(maker.archive(tmp_path / "x.tar", files))
    assert requests(tally) == 1
    assert any("no text" in text or "times its size" in text for text in tally.warnings)


def test_bomb_of_text_is_left_at_the_bound(tmp_path: Path) -> None:
    log = tmp_path / "bomb.log.gz"
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b"x" * 1023 + b"\n"
    packed = packer.compress(maker.text([LINE]))
    packed += b"".join(packer.compress(block * 2**14) for _block in range(16)) + packer.flush()
    log.write_bytes(packed)
    tally = read(log)
    assert requests(tally) == 1
    assert any(f"expands to more than {streams.MAX_RATIO} times" in text for text in tally.warnings)
    assert tally.bytes < 2**28


def test_archives_in_each_other_up_to_a_depth(tmp_path: Path) -> None:
    content = maker.text([LINE])
    for _layer in range(room.MAX_LAYERS + 1):
        content = gzip.compress(content)
    (tmp_path / "deep.log.gz").write_bytes(content)
    with pytest.raises(ModuleFailed, match=f"nested deeper than {room.MAX_LAYERS} are not read"):
        read(tmp_path / "deep.log.gz")
    (tmp_path / "deep.log.gz").write_bytes(gzip.decompress(content))
    assert requests(read(tmp_path / "deep.log.gz")) == 1


def test_header_that_would_fill_the_memory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tar"
    with tarfile.open(path, "w") as tar:
        member(tar, LOG, maker.text([LINE]))
        info = tarfile.TarInfo("././@PaxHeader")
        info.type, info.size = tarfile.XHDTYPE, 2**33
        tar.fileobj.write(info.tobuf(tarfile.GNU_FORMAT))  # type: ignore[union-attr]
    tally = read(path)
    assert requests(tally) == 1
    assert any("header of 8,589,934,592 bytes" in text for text in tally.warnings), tally.warnings


def test_links_and_pipes_of_a_folder_are_not_opened(tmp_path: Path) -> None:
    folder = maker.write(tmp_path / "gather", {LOG: maker.text([LINE])})
    (tmp_path / "elsewhere.log").write_bytes(maker.text([maker.multus(maker.DAY, "DEL", "starting", "ab12ab12")]))
    (folder / "namespaces" / "link.log").symlink_to(tmp_path / "elsewhere.log")
    (folder / "namespaces" / "folder").symlink_to(tmp_path)
    os.mkfifo(folder / "namespaces" / "pipe.log")
    tally = read(folder)
    assert requests(tally) == 1
    assert tally.warnings["links are not followed"] == 2
    assert tally.warnings["devices, pipes and sockets are not read"] == 1


def test_name_with_control_characters_is_shown_without(tmp_path: Path) -> None:
    name = LOG.replace("current", "cur\x1b[31mrent\n")
    tally = read(maker.archive(tmp_path / "x.tar", {name: maker.text([LINE])}))
    assert [one for one in tally.read if one.isprintable()] == list(tally.read)


def test_several_processes_count_what_one_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = maker.outage_files()
    # The same log under another pod: its requests are the same.
    files[maker.MULTUS.format("zzzzz", "current")] = files[maker.MULTUS.format("aaaaa", "current")]
    folder = maker.write(tmp_path / "gather", files)
    monkeypatch.setattr(room, "_GROUP_BYTES", 1)
    alone, together = read(folder), read(folder, workers=3)
    assert sorted((key, len(one)) for key, one in together.operations.items()) == sorted(
        (key, len(one)) for key, one in alone.operations.items()
    )
    assert len(together.operations["multus", True]) == sum(maker.OUTAGE.values())
    assert (together.read, together.unread, together.marks) == (alone.read, alone.unread, alone.marks)
    assert {key: sorted(one) for key, one in together.errors.items()} == {
        key: sorted(one) for key, one in alone.errors.items()
    }


room_read_group = room._read_group


def waiting_group(files: list[room.FileOf], rules: RuleBook) -> Tally:
    """Like the real one, but nobody reads before two processes have come."""
    place = Path(os.environ["KUBESTRESS_TEST_MEETING"])
    (place / str(os.getpid())).touch()
    until(lambda: len(list(place.iterdir())) >= 2)
    return room_read_group(files, rules)


def test_a_tree_of_files_is_read_by_several_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [f"namespaces/ns/pods/p{number}/c/c/logs/current.log" for number in range(4)]
    folder = maker.write(tmp_path / "gather", dict.fromkeys(names, maker.text([LINE])))
    meeting = tmp_path / "meeting"
    meeting.mkdir()
    monkeypatch.setenv("KUBESTRESS_TEST_MEETING", str(meeting))
    monkeypatch.setattr(room, "_GROUP_FILES", 1)
    monkeypatch.setattr(room, "_WORTH_PROCESSES", 0)
    monkeypatch.setattr(room, "_read_group", waiting_group)
    assert read(folder, workers=2).read.total() == 4
    pids = {int(path.name) for path in meeting.iterdir()}
    assert len(pids) == 2
    assert os.getpid() not in pids


_CHILD = """
import resource, sys
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.must_gather_info import run_module
def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
run_module({"path": sys.argv[1], "window": 7200, "compare": "", "rules_file": ""})
print(before, peak())
"""
# A process begins with the peak of the one that started it: the shell's is small.
_SHELL = '"$1" -c "$2" "$3"; exit $?'


@pytest.mark.parametrize("kind", ["log", "log.gz", "yaml"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    """A hundred megabytes of log, and a list of ten megabytes."""
    lines = [maker.multus(maker.DAY, "ADD", "starting", maker.container(number)) for number in range(300)]
    noise = b"2025-04-19T22:00:00Z I0419 nothing of interest, pod web-0 on worker-1, queue length 17\n" * 12_000
    if kind == "yaml":
        path = tmp_path / "namespaces" / "ns" / "core" / "events.yaml"
        path.parent.mkdir(parents=True)
        items = maker.listed("Event", [maker.event("a", maker.DAY, "Failed", maker.FORK)]).splitlines(keepends=True)
        begin = items.index("items:\n") + 1
        end = next(number for number, line in enumerate(items) if line.startswith("kind: EventList"))
        path.write_text("".join([*items[:begin], "".join(items[begin:end]) * 12_000, *items[end:]]))
        path = tmp_path
    else:
        path = tmp_path / f"multus.{kind}"
        with gzip.open(path, "wb", compresslevel=1) if kind.endswith("gz") else path.open("wb") as file:
            file.write(maker.text(lines))
            for _block in range(100):
                file.write(noise)
    command = ["sh", "-c", _SHELL, "sh", sys.executable, _CHILD, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    before, peak = map(int, done.stdout.split())
    assert (peak - before) / 1024 < 20, f"{before / 1024:.0f} MiB before, {peak / 1024:.0f} MiB at the peak"
    assert peak * 1024 < 80_000_000
