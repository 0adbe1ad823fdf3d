# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs that several modules share; their documentation is in doc_fragments of the same names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..settings.roles.run import ROLE as RUN
from .connection import AUTH_ENVIRONMENT

#: The connection, without environment variables.
CONNECTION_ARGUMENTS: dict[str, dict[str, Any]] = {
    "kubeconfig": {"type": "raw"},
    "context": {"type": "str"},
    "host": {"type": "str"},
    "api_key": {"type": "str", "no_log": True},
    "username": {"type": "str"},
    "password": {"type": "str", "no_log": True},
    "client_cert": {"type": "path", "aliases": ["cert_file"]},
    "client_key": {"type": "path", "aliases": ["key_file"], "no_log": False},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"]},
    "validate_certs": {"type": "bool", "aliases": ["verify_ssl"]},
    "proxy": {"type": "str"},
    # No dict: of one that comes as text, Ansible would hide the whole text, and show the values that it made of it.
    "proxy_headers": {"type": "raw", "no_log": True},
    "no_proxy": {"type": "str"},
    "impersonate_user": {"type": "str"},
    "impersonate_groups": {"type": "list", "elements": "str"},
}


def _auth_arguments() -> dict[str, dict[str, Any]]:
    from ansible.module_utils.basic import env_fallback

    return {
        name: {**spec, "fallback": (env_fallback, [AUTH_ENVIRONMENT[name]])}
        for name, spec in CONNECTION_ARGUMENTS.items()
    }


AUTH_ARGUMENTS = _auth_arguments()

_LIMITS = {
    "max_concurrent": RUN["run_max_concurrent"],
    "qps": RUN["run_qps"],
    "burst": RUN["run_burst"],
    "request_timeout": RUN["run_request_timeout"],
    "retry_deadline": RUN["run_retry_deadline"],
    "outage_limit": RUN["run_outage_limit"],
}

LIMIT_ARGUMENTS = {option: setting.argument_spec() for option, setting in _LIMITS.items()}

OUTAGE_LIMIT = RUN["run_outage_limit"]

WAIT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 600},
}


def check_limits(params: Mapping[str, Any]) -> None:
    """Check the options of LIMIT_ARGUMENTS. Raises SettingError."""
    for option, setting in _LIMITS.items():
        setting.check(option, params[option])


def auth_options(params: dict[str, Any]) -> dict[str, Any]:
    """The connection options out of a module's parameters."""
    return {name: params[name] for name in CONNECTION_ARGUMENTS if params.get(name) is not None}
