# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the pinned Go modules are that a module builds programs from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail

SOURCES = Path(__file__).resolve().parents[2] / "roles" / "local_cluster" / "files"


def with_sources(arguments: Mapping[str, Any], *, transport: str, module: str) -> dict[str, Any]:
    """A task's arguments with this collection's own folder, unless they name one.

    :raises AnsibleActionFail: on another machine, where this collection's files are not.
    """
    if arguments.get("sources_dir"):
        return dict(arguments)
    # By the connection's name, not by its type: the option names the machine on which the files have to be.
    if transport != "local":
        raise AnsibleActionFail(
            f"{module}: runs where the playbook runs; use connection: local, or copy the role local_cluster's files "
            "folder to that machine and name it with sources_dir"
        )
    return {**arguments, "sources_dir": str(SOURCES)}
