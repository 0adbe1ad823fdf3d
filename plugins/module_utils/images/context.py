# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The folder that an image is built of, as a reproducible archive.

The same files give the same bytes on another day, in another folder and for another user: sorted by name, of one time,
owned by root, and of a mode a file only keeps whether its owner may run it.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import stat
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..text import text_of
from . import ignore
from .errors import BadOption, BuildFailed

#: Where the files are in the image, and what its processes begin in.
WORKDIR = "/app"
#: 1980-01-01, the earliest time that zip files know: pip builds wheels of what lies in an image.
MTIME = 315_532_800
_FOLDER_MODE, _RUNNABLE_MODE, _FILE_MODE, _LINK_MODE = 0o755, 0o755, 0o644, 0o777


@dataclass(frozen=True)
class Entry:
    """A folder, a file or a symbolic link. `path` is relative to the context, with / between its parts."""

    path: str
    source: str
    mode: int
    size_bytes: int = 0
    target: str = ""

    @property
    def is_folder(self) -> bool:
        """Whether it is one."""
        return stat.S_ISDIR(self.mode)

    @property
    def is_file(self) -> bool:
        """Whether it has bytes."""
        return stat.S_ISREG(self.mode)


@dataclass(frozen=True)
class Context:
    """What is in an image. `skipped` are sockets, pipes and devices, which no image can have."""

    root: Path
    entries: tuple[Entry, ...]
    skipped: tuple[str, ...]

    @property
    def files(self) -> int:
        """Number of files and links."""
        return sum(not entry.is_folder for entry in self.entries)

    @property
    def text(self) -> str:
        """How much it is, such as "2 files, 1.2 KiB"."""
        return f"{self.files:,} file{'' if self.files == 1 else 's'}, {text_of(self.size_bytes, 'bytes')}"

    @property
    def size_bytes(self) -> int:
        """Bytes of all files."""
        return sum(entry.size_bytes for entry in self.entries)


@dataclass(frozen=True)
class Archive:
    """A written archive; `digest` is of its bytes before they are compressed, `sha256:` and 64 digits."""

    path: Path
    digest: str


def read_context(folder: Path, *, keep: Iterable[str] = ()) -> Context:
    """Look through a folder by the rules of its .dockerignore. `keep` are files that these cannot leave out.

    :raises BadOption: if it is no folder, cannot be read, or has nothing.
    """
    if not folder.is_dir():
        raise BadOption("context", f"there is no folder {folder}")
    try:
        kept = frozenset(keep)
        found = list(_walk(folder, _rules(folder), kept))
    except OSError as error:
        raise _unreadable(error) from error
    entries = tuple(sorted((entry for entry in found if entry.mode), key=lambda entry: _sorting(entry.path)))
    if not any(not entry.is_folder for entry in entries):
        raise BadOption(
            "context", f"{folder} has no files but those that {ignore.FILE} or the module itself leaves out"
        )
    return Context(folder, entries, tuple(sorted(entry.path for entry in found if not entry.mode)))


def write_layer(context: Context, target: Path) -> Archive:
    """Write the layer of the files below WORKDIR, not compressed. Raises BadOption for what cannot be read."""
    with target.open("wb") as file:
        return Archive(target, _write(context, file, below=WORKDIR.strip("/")))


def write_source(context: Context, target: Path) -> Archive:
    """Write the files as a compressed archive, as Cloud Build takes them. Raises BadOption for what cannot be read."""
    # Without a name and a time in it.
    with target.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        return Archive(target, _write(context, packed, below=""))


def write_folder(context: Context, target: Path) -> Path:
    """Copy the files to a folder, for a program that wants one. Raises BadOption for what cannot be read."""
    packed = target.with_name(f"{target.name}.tar")
    with packed.open("wb") as file:
        _write(context, file, below="")
    with tarfile.open(packed) as archive:
        # Our own archive: links that lead out of the folder are the context's, and stay what they are.
        archive.extractall(target, filter="tar")
    packed.unlink()
    return target


def _rules(folder: Path) -> ignore.Ignore:
    path = folder / ignore.FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    except UnicodeDecodeError as error:
        raise BadOption("context", f"{path} is not UTF-8 text") from error
    return ignore.Ignore(lines)


def _walk(folder: Path, rules: ignore.Ignore, keep: frozenset[str], above: str = "") -> Iterator[Entry]:
    """Everything below a folder that is not left out; an entry without a mode is one that no image can have."""
    with os.scandir(folder / above) as found:
        for item in found:
            path = f"{above}/{item.name}" if above else item.name
            is_folder = item.is_dir(follow_symlinks=False)
            if path in keep:
                yield _entry(item, path)
            elif ignore.is_always_left_out(path, is_folder=is_folder):
                continue
            elif is_folder:
                yield from _walk_below(folder, rules, keep, item, path)
            elif not rules.leaves_out(path, is_folder=False):
                yield _entry(item, path)


def _walk_below(
    folder: Path, rules: ignore.Ignore, keep: frozenset[str], item: os.DirEntry[str], path: str
) -> Iterator[Entry]:
    is_out = rules.leaves_out(path, is_folder=True)
    if is_out and not rules.takes_back and not any(kept.startswith(f"{path}/") for kept in keep):
        return
    below = list(_walk(folder, rules, keep, path))
    # A folder that is left out is there for what of it was taken back.
    if below or not is_out:
        yield _entry(item, path)
    yield from below


def _entry(item: os.DirEntry[str], path: str) -> Entry:
    status = item.stat(follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        return Entry(path, item.path, stat.S_IFDIR | _FOLDER_MODE)
    if stat.S_ISLNK(status.st_mode):
        return Entry(path, item.path, stat.S_IFLNK | _LINK_MODE, target=os.readlink(item.path))
    if stat.S_ISREG(status.st_mode):
        mode = _RUNNABLE_MODE if status.st_mode & stat.S_IXUSR else _FILE_MODE
        return Entry(path, item.path, stat.S_IFREG | mode, size_bytes=status.st_size)
    return Entry(path, item.path, 0)


def _sorting(path: str) -> list[bytes]:
    # By parts, so that a folder comes right before what is in it, and by bytes, whatever the locale.
    return [os.fsencode(part) for part in path.split("/")]


def _write(context: Context, file: Any, *, below: str) -> str:
    writer: Any = _Hashing(file)
    with tarfile.open(fileobj=writer, mode="w|", format=tarfile.PAX_FORMAT, encoding="utf-8") as archive:
        if below:
            archive.addfile(_info(Entry(below, "", stat.S_IFDIR | _FOLDER_MODE), below))
        for entry in context.entries:
            info = _info(entry, f"{below}/{entry.path}" if below else entry.path)
            if entry.is_file:
                _add_file(archive, info, entry)
            else:
                archive.addfile(info)
    return f"sha256:{writer.digest()}"


def _info(entry: Entry, name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.mode = stat.S_IMODE(entry.mode)
    info.mtime = MTIME
    info.size = entry.size_bytes
    if entry.is_folder:
        info.type = tarfile.DIRTYPE
    elif not entry.is_file:
        info.type, info.linkname = tarfile.SYMTYPE, entry.target
    return info


def _add_file(archive: tarfile.TarFile, info: tarfile.TarInfo, entry: Entry) -> None:
    try:
        with open(entry.source, "rb") as file:
            archive.addfile(info, file)
            if file.read(1):
                raise BadOption("context", f"{entry.source} grew while it was read")
    except OSError as error:
        # tarfile says a file that ends too early with an OSError without a number.
        if error.errno is None:
            raise BadOption("context", f"{entry.source} became shorter while it was read") from error
        raise _unreadable(error) from error


def _unreadable(error: OSError) -> BadOption:
    return BadOption("context", f"{error.filename} cannot be read: {error.strerror or error}")


class _Hashing:
    """Writes on, and computes the digest of what was written."""

    def __init__(self, file: Any) -> None:
        self._file = file
        self._hash = hashlib.sha256()

    def write(self, data: bytes) -> int:
        """Write the bytes. Raises BuildFailed, such as for a full disk."""
        self._hash.update(data)
        try:
            written: int = self._file.write(data)
        except OSError as error:
            raise BuildFailed(f"the archive of the context cannot be written: {error.strerror or error}") from error
        return written

    def digest(self) -> str:
        """The digest of all bytes, as hexadecimal digits."""
        return self._hash.hexdigest()
