# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where users' own files are looked for, beside the places that Ansible itself knows for a task."""

from __future__ import annotations

from pathlib import Path

from ansible import context


def user_folders() -> list[Path]:
    """The folders of the playbooks on the command line, and the one in which the user stands.

    Ansible looks for a play's files beside that play. A playbook of ours lies in the collection, where no user puts
    files; the user's own lie beside the playbook that imports ours, or in the working directory.
    """
    arguments = context.CLIARGS.get("args")
    # Of `ansible`, it is the pattern of hosts, a text.
    named = [Path(argument) for argument in arguments or ()] if not isinstance(arguments, str) else []
    # A playbook of a collection, named as in kubestress.core.stress, is no file here.
    folders = [path.absolute().parent for path in named if path.is_file()]
    return list(dict.fromkeys([*folders, Path.cwd()]))
