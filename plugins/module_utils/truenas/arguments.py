# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of a box as modules take them; their documentation is in the module truenas_info."""

from __future__ import annotations

from typing import Any

from .options import AUTO, ENVIRONMENT, PARTS, TRANSPORTS


def _box_arguments() -> dict[str, dict[str, Any]]:
    from ansible.module_utils.basic import env_fallback

    arguments: dict[str, dict[str, Any]] = {
        "url": {"type": "str"},
        "username": {"type": "str"},
        "api_key": {"type": "str", "no_log": True},
        "ca_cert": {"type": "path"},
        "validate_certs": {"type": "bool"},
        "transport": {"type": "str", "default": AUTO, "choices": list(TRANSPORTS)},
        "volume_parents": {"type": "list", "elements": "str", "default": []},
        "detached_parents": {"type": "list", "elements": "str", "default": []},
        "instance_id": {"type": "str"},
        "connect_timeout": {"type": "float", "default": 10.0},
        "timeout": {"type": "float", "default": 120.0},
    }
    for name, variable in ENVIRONMENT.items():
        arguments[name]["fallback"] = (env_fallback, [variable])
    return arguments


#: Those of one box; storage_info takes them as suboptions.
BOX_ARGUMENTS = _box_arguments()
PARTS_ARGUMENT: dict[str, Any] = {"type": "list", "elements": "str", "default": list(PARTS), "choices": list(PARTS)}
