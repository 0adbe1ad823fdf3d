"""The collector of cycles is left as it was found, whatever happens inside."""

from __future__ import annotations

import gc

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.machine.interpreter import collected_seldom


def test_the_collector_is_as_before_also_after_a_failure():
    before = gc.get_threshold()
    assert gc.get_freeze_count() == 0
    with pytest.raises(ValueError, match="inside"), collected_seldom():  # noqa: PT012  (what holds inside is the point)
        assert gc.get_threshold()[0] > before[0]
        assert gc.get_freeze_count() > 1000
        assert gc.isenabled()
        raise ValueError("inside")
    assert gc.get_threshold() == before
    assert gc.get_freeze_count() == 0
