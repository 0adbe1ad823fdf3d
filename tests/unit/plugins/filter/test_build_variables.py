"""What build Jobs' templates need, from the settings."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.filter.build_variables import build_variables


def test_lengths_follow_the_time_scale():
    found = build_variables({"build_jobs_time_scale": 0.1})
    assert (found["build_shortest"], found["build_longest"]) == ("2.9s", "8.8s")
    assert "compile:compile:1000:3000" in found["build_phases"].split()
    assert [sum(bounds) for bounds in zip(*found["build_phase_bounds"], strict=True)] == pytest.approx([2.9, 8.8])


def test_a_missing_setting_is_named():
    with pytest.raises(AnsibleFilterError, match="the settings have no build_jobs_time_scale"):
        build_variables({})
