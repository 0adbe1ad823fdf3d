# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A gather as a whole: a folder or an archive, its files read one after the other or by several processes."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import stat
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import NamedTuple

from ..errors import ModuleFailed
from .archives import is_tar, members, shown
from .lines import LogReader, Stream
from .notes import is_note, warnings_in
from .objects import ObjectReader, Unsound, kind_in
from .rules import RuleBook
from .streams import Peeked, Unreadable, decompressed
from .tally import Tally
from .times import stamp_of_epoch

#: Layers of compression and archives in each other.
MAX_LAYERS = 6
#: Files of a folder, and folders above one.
_MAX_FILES = 2_000_000
_MAX_FOLDERS = 40
_TAR_HEADER = 512
#: Below that size, other processes cost more than they save.
_WORTH_PROCESSES = 8 * 1024 * 1024
#: Files that go to a process together.
_GROUP_BYTES = 4 * 1024 * 1024
_GROUP_FILES = 500
#: What lies at the root of a gather, or one folder down.
LAYOUT = ("cluster-scoped-resources", "namespaces", "nodes", "host_service_logs")
_LOGS = (".log", ".gz", ".xz", ".zst", ".tar", ".tgz", ".txt", ".journal")
_NOT_TEXT = b"\0"


class FileOf(NamedTuple):
    """One file of a folder."""

    path: str
    name: str
    size: int


def read_gather(path: str, rules: RuleBook, *, option: str, workers: int) -> Tally:
    """Everything that is in a folder, an archive or a log.

    Raises ModuleFailed with `option`, the path and what is allowed, if it is no gather.
    """
    place = Path(path)
    try:
        is_folder = stat.S_ISDIR(place.stat().st_mode)
        if not is_folder and not place.is_file():
            raise ModuleFailed(f"{option}: {path} is neither a folder nor a file")
        tally = _read_folder(place, rules, option, workers) if is_folder else _read_group([_single(place)], rules)
    except OSError as error:
        raise ModuleFailed(f"{option}: cannot read {path}: {error.strerror or error}") from error
    if not tally.read.total() and not _is_laid_out(tally):
        why = next((f" ({text})" for text in tally.warnings), "")
        raise ModuleFailed(
            f"{option}: {path} is no gather: no rule reads any line of it{why}; a must-gather's folder, an archive of "
            "one (tar, gzip, xz, zstd) or a log is needed"
        )
    return tally


def _single(place: Path) -> FileOf:
    return FileOf(str(place), place.name, place.stat().st_size)


def _has_layout(place: Path) -> bool:
    return any((place / name).is_dir() for name in LAYOUT) or any(
        (folder / name).is_dir() for folder in place.iterdir() if folder.is_dir() for name in LAYOUT
    )


def _is_laid_out(tally: Tally) -> bool:
    """Whether the names of the files are those of a gather, none of whose lines a rule reads."""
    return any(part in LAYOUT for name in tally.unread for part in name.split("/")[:2])


def _read_folder(place: Path, rules: RuleBook, option: str, workers: int) -> Tally:
    if not _has_layout(place) and not any(one.name.endswith(_LOGS) for one in place.iterdir() if one.is_file()):
        raise ModuleFailed(
            f"{option}: {place} is no gather: neither it nor a folder in it has {', '.join(LAYOUT)}, and no log lies "
            "in it"
        )
    tally = Tally()
    files = list(_walk(str(place), tally))
    if len(files) < 2 or workers < 2 or sum(one.size for one in files) < _WORTH_PROCESSES:
        tally.merge(_read_group(files, rules))
        return tally
    # Forked, because the code of a module that Ansible has packed can be imported only once. The largest files first,
    # so that no process is left with one at the end.
    context = multiprocessing.get_context("fork")
    try:
        with ProcessPoolExecutor(min(workers, len(files)), mp_context=context) as pool:
            groups = _grouped(sorted(files, key=lambda one: -one.size))
            for found in [pool.submit(_read_group, group, rules) for group in groups]:
                tally.merge(found.result())
    except BrokenProcessPool as error:
        raise ModuleFailed(f"{option}: a process that read {place} was killed, perhaps for its memory") from error
    return tally


def _grouped(files: list[FileOf]) -> Iterator[list[FileOf]]:
    group: list[FileOf] = []
    size = 0
    for one in files:
        group.append(one)
        size += one.size
        if size >= _GROUP_BYTES or len(group) >= _GROUP_FILES:
            yield group
            group, size = [], 0
    if group:
        yield group


def _walk(root: str, tally: Tally) -> Iterator[FileOf]:
    """The files below a folder. Links are not followed, and what is no file is not opened."""
    number = 0
    for folder, folders, names in os.walk(root, onerror=lambda error: tally.warn(f"a folder cannot be read: {error}")):
        if folder.removeprefix(root).count(os.sep) >= _MAX_FOLDERS and folders:
            tally.warn(f"what is nested deeper than {_MAX_FOLDERS} folders is not read")
            folders.clear()
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        if links:
            tally.warn("links are not followed", len(links))
        for name in names:
            path = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError):
                known = os.lstat(path)
                if stat.S_ISLNK(known.st_mode):
                    tally.warn("links are not followed")
                elif not stat.S_ISREG(known.st_mode):
                    tally.warn("devices, pipes and sockets are not read")
                elif number >= _MAX_FILES:
                    tally.warn(f"only the first {_MAX_FILES:,} files are read")
                else:
                    number += 1
                    yield FileOf(path, os.path.relpath(path, root), known.st_size)


def _read_group(files: list[FileOf], rules: RuleBook) -> Tally:
    tally = Tally()
    for one in files:
        try:
            # Not waiting, should it have become a pipe in the meantime.
            with open(os.open(one.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb", buffering=0) as file:
                _newest_file(int(os.fstat(file.fileno()).st_mtime), tally)
                _read(_Whole(file), shown(one.name), rules, tally, layers=0)
        except OSError as error:
            tally.warn(f"{shown(one.name)}: cannot be read: {error.strerror or error}")
    return tally


class _Whole:
    """A file whose reads are never short of None."""

    def __init__(self, file: io.FileIO) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return self._file.read(size) or b""


def _newest_file(changed: int, tally: Tally) -> None:
    stamp = stamp_of_epoch(changed)
    if stamp is not None:
        tally.newest_file = max(tally.newest_file, stamp)


def _read(stream: Stream, name: str, rules: RuleBook, tally: Tally, *, layers: int) -> None:
    """Read a file of whatever kind. What is not sound is a warning, and what was read before it counts."""
    try:
        peeked = Peeked(stream)
        if layers > MAX_LAYERS:
            raise Unreadable(f"archives nested deeper than {MAX_LAYERS} are not read")
        inner = decompressed(peeked)
        if inner is not None:
            _read(inner, _unpacked(name), rules, tally, layers=layers + 1)
            return
        head = peeked.peek(_TAR_HEADER)
        if is_tar(head):
            for member, changed, content in members(peeked, lambda text: tally.warn(f"{name}: {text}")):
                _newest_file(changed, tally)
                within = f"{name}/{shown(member)}" if layers > 1 else shown(member)
                _read(content, within, rules, tally, layers=layers + 1)
            return
        if is_note(name):
            for text in warnings_in(name, peeked):
                tally.warn(text)
            return
        kind = kind_in(name)
        if kind is not None:
            ObjectReader(name, kind, rules, tally).read(peeked)
        elif _NOT_TEXT in head:
            tally.warn("files that are no text are not read")
        else:
            LogReader(name, rules, tally).read(peeked)
    except (Unreadable, Unsound) as error:
        tally.warn(f"{name}: {error}")


def _unpacked(name: str) -> str:
    for suffix in (".gz", ".xz", ".zst"):
        name = name.removesuffix(suffix)
    return name.removesuffix(".tgz")
