# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Members of tar archives, as a stream: nothing is unpacked. Names that lead elsewhere, and links, are refused."""

from __future__ import annotations

import tarfile
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO, Any

from .lines import Stream
from .streams import Unreadable

#: Members of one archive; a gather of a large cluster has a tenth of that.
MAX_MEMBERS = 1_000_000
#: Folders above a member.
MAX_FOLDERS = 40
#: Bytes of a member's header, a long name included.
_MAX_HEADER = 256 * 1024
#: A multiple of tar's records.
_RECORDS = 128 * 1024
_HEADERS = (
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
)


def is_tar(head: bytes) -> bool:
    """Whether these first 512 bytes are a tar header."""
    return len(head) >= 512 and head[257:262] == b"ustar"


def shown(name: str) -> str:
    """A name out of an archive, fit for a terminal."""
    return "".join(one if one.isprintable() else "?" for one in name[:300])


def members(stream: Stream, warn: Callable[[str], None]) -> Iterator[tuple[str, int, Stream]]:
    """(name, time of change, content) of each file, to be read before the next one is asked for.

    Raises Unreadable at the place from which the archive is not sound.
    """
    info = _bounded_info()
    try:
        with tarfile.open(fileobj=stream, mode="r|", bufsize=_RECORDS, tarinfo=info) as archive:  # type: ignore[call-overload]
            for number, member in enumerate(archive):
                archive.members = []  # it would keep them all
                if number >= MAX_MEMBERS:
                    raise Unreadable(f"has more than {MAX_MEMBERS:,} members; the rest is not read")
                problem = _refused(member)
                if problem:
                    warn(problem)
                elif member.isfile() and (content := archive.extractfile(member)) is not None:
                    yield member.name, int(member.mtime), _Member(content)
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise Unreadable(f"is no sound tar archive from there on: {error}") from error
    if not info.ended:
        raise Unreadable("the tar archive ends too early")


class _Member:
    """A member's content. Raises Unreadable where the archive ends before it does."""

    def __init__(self, content: IO[bytes]) -> None:
        self._content = content

    def read(self, size: int) -> bytes:
        try:
            return self._content.read(size)
        except tarfile.TarError as error:
            raise Unreadable(f"the archive ends too early: {error}") from error


def _refused(member: tarfile.TarInfo) -> str | None:
    """Why a member is not read; None if it may be, or is a folder."""
    path = PurePosixPath(member.name)
    if path.is_absolute() or ".." in path.parts:
        return "members whose names lead out of the archive are not read"
    if len(path.parts) > MAX_FOLDERS:
        return f"members nested deeper than {MAX_FOLDERS} folders are not read"
    if member.issym() or member.islnk():
        return "links are not followed"
    if member.isfile() and member.issparse():
        return "files with holes are not read"
    if not member.isfile() and not member.isdir():
        return "devices, pipes and other members that are no files are not read"
    return None


def _bounded_info() -> Any:
    """A class of headers that refuses large ones, and knows whether the archive's end was seen."""

    class Info(tarfile.TarInfo):
        ended = False

        @classmethod
        def frombuf(cls, buf: Any, encoding: str, errors: str) -> Any:
            try:
                found = super().frombuf(buf, encoding, errors)
            except tarfile.HeaderError:
                # A block of zeros is the end.
                cls.ended = cls.ended or (len(buf) == tarfile.BLOCKSIZE and not any(buf))
                raise
            if found.size < 0 or (found.type in _HEADERS and found.size > _MAX_HEADER):
                raise tarfile.ReadError(f"a header of {found.size:,} bytes")
            return found

    return Info
