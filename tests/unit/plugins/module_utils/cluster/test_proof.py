"""What proves that something is stored, whichever way it is written; and that a search finds what parsing finds."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster import proof
from ansible_collections.kubestress.core.plugins.module_utils.cluster.proof import Unproven, prove_stored

METADATA: dict[str, Any] = {"name": "c-1", "namespace": "n-1", "uid": "6f1a", "resourceVersion": "7"}
PARTIAL = {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": METADATA}


def written(document: Any) -> bytes:
    """Return it as the API server writes it."""
    return json.dumps(document, separators=(",", ":")).encode() + b"\n"


def test_the_usual_answer_is_proof_without_parsing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(proof, "object_of")
    prove_stored("c-1", "n-1", written(PARTIAL))
    bare = {"name": "n-1", "uid": "u", "resourceVersion": "7"}
    assert prove_stored("n-1", "", written({**PARTIAL, "metadata": bare})) == ("u", "7")


@pytest.mark.parametrize(
    "document",
    [
        {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": dict(reversed(METADATA.items()))},
        {"metadata": METADATA, "spec": {"text": '"}]}'}},
        {**PARTIAL, "metadata": {"name": "c-1", "generateName": "c-", "namespace": "n-1", "uid": "u"}},
    ],
    ids=["custom resource", "whole object", "generateName"],
)
def test_other_orders_are_proof_as_well(document: Any):
    prove_stored("c-1", "n-1", written(document))
    prove_stored("c-1", "n-1", json.dumps(document, indent=2).encode())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"null",
        b"{}",
        written(PARTIAL)[:-3],
        written({**PARTIAL, "metadata": None}),
        written({**PARTIAL, "metadata": {**METADATA, "uid": ""}}),
        written({**PARTIAL, "metadata": {**METADATA, "name": "c-2"}}),
        written({**PARTIAL, "metadata": {**METADATA, "namespace": "n-2"}}),
        written({**PARTIAL, "metadata": {"name": "c-1", "uid": "u"}}),
        written({"kind": "Page", "text": written(PARTIAL).decode()}),
    ],
)
def test_nothing_else_is_proof(body: bytes):
    with pytest.raises(Unproven):
        prove_stored("c-1", "n-1", body)
