# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options by which modules take a plan: fragments, and the namespaces that they are for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..syntax import DNS_LABEL_RULE, LABEL_VALUE_RULE, is_dns_label, is_label_key, is_label_value
from .errors import PlanError
from .fragment import FRAGMENT_OPTIONS, Context, Fragment, parse_fragments

PLAN_ARGUMENTS: dict[str, dict[str, Any]] = {
    "run_id": {"type": "str", "required": True},
    "fragments": {"type": "list", "elements": "dict", "required": True, "options": FRAGMENT_OPTIONS},
    "variables": {"type": "dict", "default": {}},
    "labels": {"type": "dict", "default": {}},
    "namespaces": {"type": "list", "elements": "str"},
    "namespace_prefix": {"type": "str"},
    "namespace_total": {"type": "int"},
    "namespace_first": {"type": "int", "default": 1},
    "existing_namespaces": {"type": "list", "elements": "str", "default": []},
}
#: For AnsibleModule: how these options go together.
PLAN_RULES: dict[str, Any] = {
    "mutually_exclusive": [("namespaces", "namespace_prefix")],
    "required_together": [("namespace_prefix", "namespace_total")],
}


def context_of(params: Mapping[str, Any]) -> Context:
    """What holds for all fragments. Raises PlanError for a run id and for labels that the API server would refuse."""
    if not params["run_id"] or not is_label_value(params["run_id"]):
        raise PlanError(f"run_id: {params['run_id']!r} is not allowed; {LABEL_VALUE_RULE}")
    for key, value in params["labels"].items():
        if not is_label_key(str(key)):
            raise PlanError(f"labels: {key!r} is no label's key; a name, or prefix/name, of {LABEL_VALUE_RULE}")
        if not isinstance(value, str) or not is_label_value(value):
            raise PlanError(f"labels: {key}: {value!r} is no label's value; a text of {LABEL_VALUE_RULE}")
    return Context(run_id=params["run_id"], variables=params["variables"], labels=params["labels"])


def fragments_of(params: Mapping[str, Any], context: Context) -> list[Fragment]:
    """The fragments, compiled. Raises PlanError or TemplateError."""
    given = [{key: value for key, value in one.items() if value is not None} for one in params["fragments"]]
    return parse_fragments(given, context)


def namespaces_of(params: Mapping[str, Any]) -> list[tuple[int, str]]:
    """The namespaces as (index, name), listed or numbered from namespace_first; perhaps none. Raises PlanError."""
    first = params["namespace_first"]
    names: list[str] = params["namespaces"] or []
    if params["namespace_prefix"] is not None:
        names = [f"{params['namespace_prefix']}-{number}" for number in range(first, first + params["namespace_total"])]
    for name in (*names[:1], *names[-1:], *(params["namespaces"] or ())):
        if not is_dns_label(name):
            option = "namespaces" if params["namespaces"] else "namespace_prefix"
            raise PlanError(f"{option}: {name!r} is no namespace's name; {DNS_LABEL_RULE}")
    if len(set(names)) < len(names):
        raise PlanError("namespaces: a name comes twice")
    return list(enumerate(names, first))


def check_namespaces(fragments: Iterable[Fragment], namespaces: Sequence[tuple[int, str]]) -> None:
    """Check that there is a namespace for what lies in one. Raises PlanError."""
    within = [fragment.role for fragment in fragments if not fragment.once]
    if within and not namespaces:
        raise PlanError(
            f"namespaces: none is given, but role {within[0]} is made in each; give namespaces, or namespace_prefix "
            "and namespace_total, or scope: run for what lies in none"
        )
