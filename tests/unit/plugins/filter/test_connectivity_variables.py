"""How long the connectivity check may take."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.filter.connectivity_variables import connectivity_variables

CHECK = {
    "connectivity_count": 10,
    "connectivity_interval": 30,
    "connectivity_request_timeout": 5,
    "connectivity_warm_up": 60,
    "deployments_per_namespace": 3,
    "deployments_ready_timeout": 600,
}


def test_the_checks_deadline_leaves_time_for_everything_at_its_longest():
    """A minute to start, the warm-up, 3 Services x 11 requests x 7 s, 10 pauses of 30 s."""
    found = connectivity_variables(CHECK)
    assert found["connectivity_deadline_seconds"] == 60 + 60 + 3 * 11 * 7 + 10 * 30
    assert found["connectivity_wait_timeout"] == found["connectivity_deadline_seconds"] + 600


def test_the_check_names_a_missing_setting():
    with pytest.raises(AnsibleFilterError, match="connectivity_variables: the settings have no connectivity_warm_up"):
        connectivity_variables({name: value for name, value in CHECK.items() if name != "connectivity_warm_up"})
