# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The objects of a plan as documents for `kubectl apply`, without a cluster. Pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Sequence
from typing import Any

from .errors import PlanError
from .fragment import Fragment
from .scope import OF_THE_RUN, is_cluster_scoped


def manifest_of(
    fragments: Sequence[Fragment], namespaces: Sequence[tuple[int, str]], *, existing: Collection[str] = ()
) -> Iterator[dict[str, Any]]:
    """The objects as they are sent, in an order in which each finds what it needs.

    First the Namespaces, without those of `existing`, then what is made once for the run, then what lies in each of the
    `namespaces`, which are (index, name). Only `metadata.namespace` is added, which requests have in their path; of
    kinds that Kubernetes does not define it is taken for granted that they lie in namespaces, unless their fragment is
    made once. Raises PlanError for a fragment that patches, since a patch is no object, and TemplateError.
    """
    patching = [fragment.role for fragment in fragments if fragment.patch]
    if patching:
        raise PlanError(
            f"fragments (role {patching[0]}).patch: it changes objects that others make, and is none itself"
        )
    makers = [fragment for fragment in fragments if fragment.makes_namespace]
    for index, name in namespaces:
        if name not in existing:
            for fragment in makers:
                yield from _objects(fragment, index, name)
    for fragment in fragments:
        if fragment.once:
            yield from _objects(fragment, *OF_THE_RUN)
    for index, name in namespaces:
        for fragment in fragments:
            if not fragment.once and not fragment.makes_namespace:
                yield from _objects(fragment, index, name)


def _objects(fragment: Fragment, index: int, namespace: str) -> Iterator[dict[str, Any]]:
    for member in range(1, fragment.count + 1):
        values = fragment.values(namespace=namespace, namespace_index=index, index=member)
        for step in range(len(fragment.steps)):
            for rendered in fragment.render_step(step, values):
                document: dict[str, Any] = json.loads(rendered.body)
                if not fragment.once and not is_cluster_scoped(rendered.api_version, rendered.kind):
                    document["metadata"] = {**document["metadata"], "namespace": namespace}
                yield document
