"""Where pods run and as whom."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.placement import placement

UNSET: dict[str, Any] = {
    "run_user_id": None,
    "run_node_selector": {},
    "run_tolerations": [],
    "run_image_pull_secrets": [],
}


@pytest.mark.parametrize(
    ("user_id", "openshift", "expected"),
    [
        (None, False, 65534),
        ("", False, 65534),
        (None, True, None),
        (1000, False, 1000),
        (1000, True, 1000),
        (0, False, 0),
    ],
)
def test_user_id(user_id, openshift, expected):
    assert placement(UNSET | {"run_user_id": user_id}, openshift=openshift)["pod_user_id"] == expected


def test_unset_is_what_a_pod_without_placement_has():
    assert placement(UNSET, openshift=True) == {
        "pod_user_id": None,
        "pod_node_selector": {},
        "pod_tolerations": [],
        "pod_image_pull_secrets": [],
    }


def test_names_of_pull_secrets_become_references():
    given = {"run_image_pull_secrets": ["registry", {"name": "mirror"}]}
    assert placement(UNSET | given, openshift=False)["pod_image_pull_secrets"] == [
        {"name": "registry"},
        {"name": "mirror"},
    ]


def test_node_selector_and_tolerations_stay_as_they_are():
    tolerations = [{"key": "stress", "operator": "Exists"}]
    given = {"run_node_selector": {"pool": "stress"}, "run_tolerations": tolerations}
    found = placement(UNSET | given, openshift=False)
    assert (found["pod_node_selector"], found["pod_tolerations"]) == ({"pool": "stress"}, tolerations)
