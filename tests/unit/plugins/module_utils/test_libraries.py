"""What a module needs is looked for before it begins; what is missing is named with the command that installs it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.libraries import (
    AIOHTTP,
    CLUSTER,
    GOOGLE,
    JINJA2,
    KUBERNETES,
    MSGSPEC,
    PROMETHEUS_CLIENT,
    TEMPLATES,
    Library,
    check_libraries,
)

CHECKOUT = Path(__file__).resolve().parents[4]


def test_what_is_installed_is_found_without_being_imported() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "kubernetes"]:
        del sys.modules[name]
    check_libraries(*CLUSTER, *TEMPLATES, MSGSPEC)
    assert "kubernetes" not in sys.modules


def test_all_that_is_missing_is_in_one_sentence_and_one_command() -> None:
    gone = Library("ks_gone", "ks-gone>=2,<3"), Library("json.ks_gone_too", "ks-gone-too")
    with pytest.raises(ModuleFailed) as caught:
        check_libraries(JINJA2, *gone)
    text = str(caught.value)
    assert "(ks_gone, json.ks_gone_too)" in text
    assert f"Python {sys.executable}" in text
    assert text.endswith(f"{sys.executable} -m pip install 'ks-gone>=2,<3' ks-gone-too")


def test_the_versions_are_those_of_the_requirements() -> None:
    lines = (CHECKOUT / "requirements.txt").read_text().splitlines()
    wanted = {line for line in lines if line and not line.startswith("#")}
    assert {library.requirement for library in (KUBERNETES, AIOHTTP, MSGSPEC, PROMETHEUS_CLIENT, *GOOGLE)} == wanted
