# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A permission, as RBAC counts them. Pure, so that a plan can name what it needs."""

from __future__ import annotations

from typing import NamedTuple


class Access(NamedTuple):
    """One verb on one resource; `group` "" is the core group.

    `namespaced`: the resource lies in namespaces, so that the right may be given in some of them only.
    """

    group: str
    resource: str
    verb: str
    namespaced: bool = True

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}" + (f".{self.group}" if self.group else "")


class Missing(NamedTuple):
    """A permission that somebody lacks, in these namespaces, or if there are none named, in the whole cluster."""

    access: Access
    namespaces: tuple[str, ...] = ()
