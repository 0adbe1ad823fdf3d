# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Argument specs that several modules share; their documentation is in doc_fragments of the same names."""

from __future__ import annotations

from typing import Any

from .connection import AUTH_ENVIRONMENT

_AUTH_TYPES: dict[str, dict[str, Any]] = {
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
    "proxy_headers": {"type": "dict"},
    "no_proxy": {"type": "str"},
    "impersonate_user": {"type": "str"},
    "impersonate_groups": {"type": "list", "elements": "str"},
}


def _auth_arguments() -> dict[str, dict[str, Any]]:
    from ansible.module_utils.basic import env_fallback

    return {name: {**spec, "fallback": (env_fallback, [AUTH_ENVIRONMENT[name]])} for name, spec in _AUTH_TYPES.items()}


AUTH_ARGUMENTS = _auth_arguments()

LIMIT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "max_concurrent": {"type": "int", "default": 50},
    "qps": {"type": "float", "default": 0.0},
    "burst": {"type": "int", "default": 0},
    "request_timeout": {"type": "float", "default": 60.0},
    "retry_deadline": {"type": "float", "default": 120.0},
}

WAIT_ARGUMENTS: dict[str, dict[str, Any]] = {
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 600},
}


def auth_options(params: dict[str, Any]) -> dict[str, Any]:
    """The connection options out of a module's parameters."""
    return {name: params[name] for name in _AUTH_TYPES if params.get(name) is not None}
