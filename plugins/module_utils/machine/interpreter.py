# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Less work and memory for the Python interpreter: imports without their parent packages, rare garbage collection."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType

#: Objects made more than freed before a collection; Python's 700 is reached by every other page of watch events.
_GC_THRESHOLD = 50_000
#: mallopt's number for the bytes from which a block is mapped by itself; its default grows with the blocks freed.
#: Source: mallopt(3).
_M_MMAP_THRESHOLD = -3
_MAPPED_BYTES = 128 * 1024


def import_without_parents(
    names: Sequence[str], *, parents: Sequence[str], stubs: Mapping[str, str] | None = None
) -> list[ModuleType]:
    """Import the modules `names` without running the code of their packages `parents` (outermost first).

    `stubs` are more modules whose code is not run, each with the one name that is imported from it but never
    called; its value is None. If a release of the library cannot be imported in this way, all are imported as usual.
    Raises ImportError.
    """
    try:
        with _empty_packages(parents, stubs or {}):
            return [importlib.import_module(name) for name in names]
    except (ImportError, AttributeError):
        return [importlib.import_module(name) for name in names]


@contextmanager
def _empty_packages(packages: Sequence[str], stubs: Mapping[str, str]) -> Iterator[None]:
    """Inside, the packages are empty. Afterwards they are forgotten: the next import of them is a real one."""
    loaded = set(sys.modules)
    try:
        for name in packages:
            spec = importlib.util.find_spec(name)
            if name not in sys.modules and spec is not None:
                sys.modules[name] = importlib.util.module_from_spec(spec)
        for name, attribute in stubs.items():
            if name not in sys.modules:
                sys.modules[name] = ModuleType(name)
                setattr(sys.modules[name], attribute, None)
        yield
    finally:
        for name in set(sys.modules) - loaded:
            if name in stubs or any(name == package or name.startswith(package + ".") for package in packages):
                del sys.modules[name]


def return_large_blocks() -> None:
    """Give large blocks, such as buffers of connections and of large answers, back to the system once they are freed.

    glibc stops doing so after the first of them, and then they take half a megabyte of the heap even of a small run.
    Another C library goes its own way.
    """
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_MMAP_THRESHOLD, _MAPPED_BYTES)


def skip_final_collection() -> None:
    """At the end of a process, spare Python its last search for cycles, which takes about 70 ms after a batch."""
    gc.freeze()


@contextmanager
def rare_garbage_collection() -> Iterator[None]:
    """Inside, existing objects are never searched for cycles, and new ones rarely: a batch takes a tenth less time.

    Events and requests have no cycles: their reference counts free them. Afterwards the old settings are back.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_GC_THRESHOLD, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
