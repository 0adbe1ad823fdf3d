# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of the module `image`."""

from __future__ import annotations

from typing import Any

from .job_manifest import BUILDKIT_IMAGE, CARRIER_IMAGE
from .request import BUILDERS, DEFAULT_PLATFORM, LAYERS, PLANNED, PRESENT

ARGUMENTS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": [PRESENT, PLANNED], "default": PRESENT},
    "name": {"type": "str", "required": True},
    "tag": {"type": "str"},
    "builder": {"type": "str", "choices": list(BUILDERS), "default": LAYERS},
    "context": {"type": "path", "required": True},
    "base": {"type": "str"},
    "dockerfile": {"type": "str"},
    "platform": {"type": "str", "default": DEFAULT_PLATFORM},
    "project": {"type": "str"},
    "region": {"type": "str"},
    "repository": {"type": "str"},
    "credentials_file": {"type": "path"},
    "endpoints": {
        "type": "dict",
        "options": {
            "storage": {"type": "str"},
            "cloud_build": {"type": "str"},
            "token": {"type": "str", "no_log": False},
        },
    },
    "cloud_build": {
        "type": "dict",
        "options": {"bucket": {"type": "str"}, "bucket_location": {"type": "str"}, "location": {"type": "str"}},
    },
    "job": {
        "type": "dict",
        "options": {
            "namespace": {"type": "str", "default": "default"},
            "kubeconfig": {"type": "path"},
            "context": {"type": "str"},
            "buildkit": {"type": "str", "default": BUILDKIT_IMAGE},
            "carrier": {"type": "str", "default": CARRIER_IMAGE},
            "secret": {"type": "str", "no_log": False},
        },
    },
    "registry_insecure": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 3600},
    "log_file": {"type": "path"},
    "cache_dir": {"type": "path"},
    "binaries_dir": {"type": "path"},
    "sources_dir": {"type": "path"},
    "progress_file": {"type": "path"},
}
