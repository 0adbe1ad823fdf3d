# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write the document of a scan to files, each of them whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ..errors import ModuleFailed


def _json(document: Mapping[str, Any]) -> bytes:
    import msgspec

    return msgspec.json.format(msgspec.json.encode(document), indent=1) + b"\n"


#: Format -> (name of the file, what makes its content of the document).
WRITERS: dict[str, tuple[str, Callable[[Mapping[str, Any]], bytes]]] = {"json": ("storage.json", _json)}


def write(document: Mapping[str, Any], dest: str, formats: Collection[str], *, only_say: bool = False) -> list[str]:
    """Write the formats into the folder `dest`, which is made if need be; return the paths.

    `only_say`: write nothing. Raises ModuleFailed.
    """
    folder = Path(os.path.abspath(os.path.expanduser(dest)))
    paths = [folder / WRITERS[name][0] for name in formats]
    if only_say:
        return [str(path) for path in paths]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, path in zip(formats, paths, strict=True):
            beside = path.with_name(f".{path.name}.{os.getpid()}")
            try:
                beside.write_bytes(WRITERS[name][1](document))
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)
    except OSError as error:
        raise ModuleFailed(f"dest: {dest!r} cannot be written: {error.strerror or error}") from error
    return [str(path) for path in paths]
