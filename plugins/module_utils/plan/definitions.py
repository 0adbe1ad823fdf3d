# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The kinds that a plan itself adds to the API server, by CustomResourceDefinitions. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from .fragment import Fragment
from .kinds import group_of
from .scope import OF_THE_RUN


@dataclass(frozen=True)
class DefinedKind:
    """A kind as its definition has it. `plural` is its name in paths."""

    plural: str
    namespaced: bool


def defined_kinds(fragments: Iterable[Fragment]) -> dict[tuple[str, str], DefinedKind]:
    """(apiVersion, kind) -> what a plan's fragments that are made once define. Raises TemplateError."""
    found: dict[tuple[str, str], DefinedKind] = {}
    for fragment in fragments:
        if fragment.once and any(_is_definition(*kind) for kind in fragment.kinds):
            for index in range(1, fragment.count + 1):
                found |= _defined_by(fragment, index)
    return found


def _is_definition(api_version: str, kind: str) -> bool:
    return (group_of(api_version), kind) == ("apiextensions.k8s.io", "CustomResourceDefinition")


def _defined_by(fragment: Fragment, index: int) -> dict[tuple[str, str], DefinedKind]:
    number, namespace = OF_THE_RUN
    values = fragment.values(namespace=namespace, namespace_index=number, index=index)
    found = {}
    for step in range(len(fragment.steps)):
        for rendered in fragment.render_step(step, values):
            if _is_definition(rendered.api_version, rendered.kind):
                spec = json.loads(rendered.body).get("spec") or {}
                names = spec.get("names") or {}
                kind = DefinedKind(str(names.get("plural")), namespaced=spec.get("scope") == "Namespaced")
                for version in spec.get("versions") or ():
                    if version.get("served"):
                        found[f"{spec.get('group')}/{version.get('name')}", str(names.get("kind"))] = kind
    return found
