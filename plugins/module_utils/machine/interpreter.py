# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python's collector of cycles, told that a batch makes many objects and next to no cycles."""

from __future__ import annotations

import contextlib
import gc
import importlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import ModuleType


def import_light(
    names: Sequence[str], *, without: Sequence[str], unused: Mapping[str, str] | None = None
) -> list[ModuleType]:
    """The modules `names`; the code of the packages `without` (parents before their children) is not run for it.

    `unused` are further modules whose code is not run, each with the one name that is imported from it but never
    called; its value is None. Where a release of the library does not bear this, all are imported as usual. Raises
    ImportError.
    """
    try:
        with _bare(without, unused or {}):
            return [importlib.import_module(name) for name in names]
    except (ImportError, AttributeError):
        return [importlib.import_module(name) for name in names]


@contextmanager
def _bare(packages: Sequence[str], unused: Mapping[str, str]) -> Iterator[None]:
    """Let the packages be empty meanwhile. Afterwards nobody who imports them finds them, or a part of them, so."""
    loaded = set(sys.modules)
    try:
        for name in packages:
            spec = importlib.util.find_spec(name)
            if name not in sys.modules and spec is not None:
                sys.modules[name] = importlib.util.module_from_spec(spec)
        for name, attribute in unused.items():
            if name not in sys.modules:
                sys.modules[name] = ModuleType(name)
                setattr(sys.modules[name], attribute, None)
        yield
    finally:
        for name in set(sys.modules) - loaded:
            if name in unused or any(name == package or name.startswith(package + ".") for package in packages):
                del sys.modules[name]


def leave_cycles() -> None:
    """For the end of a process: Python would search all its objects for cycles once more, some 70 ms after a batch."""
    gc.freeze()


#: Objects made more than freed before a collection; Python's 700 is reached by every other page of watch events.
_THRESHOLD = 50_000


@contextlib.contextmanager
def collected_seldom() -> Iterator[None]:
    """Inside, what exists now is never looked through again, and the rest seldom: that saves a tenth of the time.

    Events and requests are freed by their reference counts. Afterwards everything is as it was before.
    """
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_THRESHOLD, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
