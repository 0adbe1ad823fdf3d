# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the user of a connection may do: in the whole cluster, or in single namespaces. And who that user is."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from .access import Access, Missing
from .client import Cluster
from .errors import Forbidden, NotFound
from .proof import Unproven, document_of
from .scopes import MAX_NAMESPACES

_REVIEWS = "/apis/authorization.k8s.io/v1"
_IDENTITY = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
#: Verbs by which all objects of a kind are followed: in one namespace after the other only where these are few.
_FOLLOWING = frozenset({"list", "watch"})


async def missing_access(cluster: Cluster, needed: Iterable[Access], *, within: Sequence[str] = ()) -> list[Missing]:
    """The permissions that the user of this connection lacks, in the order given. Raises ClusterError.

    `within`: the namespaces in which permissions on what lies in namespaces are enough; without, and for all else,
    they are needed in the whole cluster. Of very many namespaces, the first MAX_NAMESPACES are asked about.
    """
    # A cluster administrator needs only this one request.
    if await _allowed(cluster, Access("*", "*", "*")):
        return []
    needed = list(needed)
    answers = await asyncio.gather(*(_allowed(cluster, access) for access in needed))
    left = [access for access, allowed in zip(needed, answers, strict=True) if not allowed]
    inside = [access for access in left if _is_enough_within(access, within)]
    names = within[:MAX_NAMESPACES] if inside else ()
    lacking = await asyncio.gather(*(_lacking(cluster, name, inside) for name in names))
    missing = []
    for access in left:
        where = tuple(name for name, them in zip(names, lacking, strict=True) if access in them)
        if access not in inside or where:
            missing.append(Missing(access, where))
    return missing


def _is_enough_within(access: Access, namespaces: Sequence[str]) -> bool:
    if not access.namespaced or not namespaces:
        return False
    return access.verb not in _FOLLOWING or len(namespaces) <= MAX_NAMESPACES


async def _lacking(cluster: Cluster, namespace: str, needed: Sequence[Access]) -> set[Access]:
    """Those that the user lacks in a namespace. The list of the user's rules there saves most questions."""
    rules = await _rules(cluster, namespace)
    open_questions = [access for access in needed if not any(_grants(rule, access) for rule in rules)]
    answers = await asyncio.gather(*(_allowed(cluster, access, namespace) for access in open_questions))
    return {access for access, allowed in zip(open_questions, answers, strict=True) if not allowed}


async def _rules(cluster: Cluster, namespace: str) -> list[Mapping[str, Any]]:
    """The user's rules in a namespace; not all of them, where an authorizer cannot list its own."""
    review = {"kind": "SelfSubjectRulesReview", "spec": {"namespace": namespace}}
    try:
        rules: list[Mapping[str, Any]] = await _review(cluster, review, _rules_of)
    except (Forbidden, NotFound):
        return []  # each permission is then asked for by itself
    return rules


def _grants(rule: Mapping[str, Any], access: Access) -> bool:
    """Whether a rule gives a permission on all objects of a resource."""
    if rule.get("resourceNames"):
        return False
    wanted = (("apiGroups", access.group), ("resources", access.resource), ("verbs", access.verb))
    return all(value in rule.get(key, ()) or "*" in rule.get(key, ()) for key, value in wanted)


async def _allowed(cluster: Cluster, access: Access, namespace: str = "") -> bool:
    attributes = {"group": access.group, "resource": access.resource, "verb": access.verb}
    attributes |= {"namespace": namespace} if namespace else {}
    review = {"kind": "SelfSubjectAccessReview", "spec": {"resourceAttributes": attributes}}
    return bool(await _review(cluster, review, _verdict))


async def _review(cluster: Cluster, review: Mapping[str, Any], decode: Callable[[bytes], Any]) -> Any:
    body = json.dumps({"apiVersion": "authorization.k8s.io/v1", **review}).encode()
    path = f"{_REVIEWS}/{review['kind'].lower()}s"
    return (await cluster.request("POST", path, body=body, decode=decode)).document


def _verdict(body: bytes) -> bool:
    status = document_of(body).get("status")
    if not isinstance(status, dict) or not isinstance(status.get("allowed"), bool):
        raise Unproven("a review of access was asked for")
    return bool(status["allowed"])


def _rules_of(body: bytes) -> list[Mapping[str, Any]]:
    status = document_of(body).get("status")
    rules = status.get("resourceRules", []) if isinstance(status, dict) else None
    if not isinstance(rules, list | None):
        raise Unproven("a review of rules was asked for")
    return [rule for rule in rules or () if isinstance(rule, dict)]


async def user_name(cluster: Cluster) -> str:
    """What the API server calls the user of this connection; "" where it does not say (Kubernetes before 1.28)."""
    body = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}).encode()
    try:
        name: str = (await cluster.request("POST", _IDENTITY, body=body, decode=_name_of)).document
    except (Forbidden, NotFound):
        return ""
    return name


def _name_of(body: bytes) -> str:
    status = document_of(body).get("status")
    user = status.get("userInfo") if isinstance(status, dict) else None
    if not isinstance(user, dict) or not isinstance(user.get("username"), str):
        raise Unproven("a review of the user was asked for")
    return str(user["username"])
