# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Modules of a large library without what the packages above them import on their own account.

Every module task of a play pays for its imports anew: `kubernetes` alone brings along its synchronous client, which
takes 0.25 s and 15 MB, and none of which is used here.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import ModuleType


def import_light(names: Sequence[str], *, without: Sequence[str]) -> list[ModuleType]:
    """The modules `names`; the code of the packages `without` (parents before their children) is not run for it.

    Where a release of the library does not bear this, they are imported as usual. Raises ImportError.
    """
    try:
        with _bare(without):
            return [importlib.import_module(name) for name in names]
    except (ImportError, AttributeError):
        return [importlib.import_module(name) for name in names]


@contextmanager
def _bare(packages: Sequence[str]) -> Iterator[None]:
    """Let the packages be empty meanwhile. Afterwards nobody who imports them finds them, or a part of them, so."""
    loaded = set(sys.modules)
    try:
        for name in packages:
            spec = importlib.util.find_spec(name)
            if name not in sys.modules and spec is not None:
                sys.modules[name] = importlib.util.module_from_spec(spec)
        yield
    finally:
        for name in set(sys.modules) - loaded:
            if any(name == package or name.startswith(package + ".") for package in packages):
                del sys.modules[name]
