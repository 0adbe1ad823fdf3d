"""The action plugin of `cleanup` shows progress where it can be had, and passes everything else on."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.action.cleanup import ActionModule
from helpers.actions import SILENT, check_progress, check_silence


def test_the_module_gets_its_arguments_and_a_file_for_progress() -> None:
    check_progress(ActionModule)


@pytest.mark.parametrize("where", SILENT, ids=["remote", "async", "check mode"])
def test_it_is_silent_where_progress_cannot_be_had(where: dict[str, Any]) -> None:
    check_silence(ActionModule, where)
