# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the API server says of the kinds of a plan, those included that the plan itself defines."""

from __future__ import annotations

from collections.abc import Sequence

from ..cluster.discovery import Discovery, Resource
from ..plan.definitions import defined_kinds
from ..plan.fragment import Fragment
from ..plan.scope import check_scope


async def resources_of(discovery: Discovery, fragments: Sequence[Fragment]) -> dict[tuple[str, str], Resource]:
    """(apiVersion, kind) -> its resource, for all kinds of the fragments.

    Raises Invalid for a kind that the server does not have and the plan does not define, and PlanError for a fragment
    that is made once although its objects lie in namespaces.
    """
    for (api_version, kind), defined in defined_kinds(fragments).items():
        discovery.expect(api_version, kind, plural=defined.plural, namespaced=defined.namespaced)
    kinds = {kind for fragment in fragments for kind in fragment.kinds}
    found = {kind: await discovery.resource(*kind) for kind in sorted(kinds)}
    namespaced = {kind for kind, resource in found.items() if resource.namespaced}
    for fragment in fragments:
        if fragment.once:
            check_scope(fragment.role, fragment.kinds, namespaced)
    return found
