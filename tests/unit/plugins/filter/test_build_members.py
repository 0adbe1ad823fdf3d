"""A Job for each name of the build farm."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.filter.build_members import build_members
from ansible_collections.kubestress.core.plugins.module_utils.plan.build_farm import build_names


def test_members_carry_the_names():
    assert build_members(2, 1) == [{"build_name": name} for name in build_names(seed=1, count=2)]


def test_a_count_given_as_text_is_one():
    assert build_members("2", 1) == build_members(2, 1)


def test_too_many_members_are_refused_by_number():
    with pytest.raises(AnsibleFilterError, match="build names: 720001 asked for"):
        build_members(720001, 1)
