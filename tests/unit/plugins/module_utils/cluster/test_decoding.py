"""Bodies to typed documents, and what is said where that cannot be."""

from __future__ import annotations

import sys
from typing import TypedDict

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.cluster.decoding import decoder
from ansible_collections.kubestress.core.plugins.module_utils.cluster.proof import Unproven
from ansible_collections.kubestress.core.plugins.module_utils.libraries import MissingLibrary


class Size(TypedDict, total=False):
    cpu: str
    memory: str


def test_only_the_named_fields_are_decoded():
    assert decoder(Size)(b'{"cpu": "1", "gpu": [1, {"a": null}]}') == {"cpu": "1"}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"cpu": {}}'])
def test_a_body_of_another_form_proves_nothing(body):
    with pytest.raises(Unproven):
        decoder(Size)(body)


def test_without_the_library_it_is_named_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "msgspec", None)
    with pytest.raises(MissingLibrary, match=r"^Failed to import .*msgspec.* -m pip install 'msgspec>=0"):
        decoder(Size)
