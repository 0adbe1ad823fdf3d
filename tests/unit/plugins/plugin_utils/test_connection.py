"""Connection variables complete a task's arguments, and never override them."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.connection import with_connection


@pytest.mark.parametrize(
    ("arguments", "variables", "expected"),
    [
        ({"a": 1}, {}, {"a": 1}),
        ({}, {"kubestress_kubeconfig": "/k"}, {"kubeconfig": "<</k>>"}),
        ({}, {"kubestress_validate_certs": False}, {"validate_certs": "<<False>>"}),
        ({}, {"kubestress_kubeconfig": "", "kubestress_host": None}, {}),
        ({"kubeconfig": "/mine"}, {"kubestress_kubeconfig": "/k"}, {"kubeconfig": "/mine"}),
        ({"ssl_ca_cert": "/mine"}, {"kubestress_ca_cert": "/k"}, {"ssl_ca_cert": "/mine"}),
        ({}, {"kubestress_settings": {}, "kubestress_other": 1}, {}),
    ],
)
def test_arguments(arguments, variables, expected):
    assert with_connection(arguments, variables, template=lambda value: f"<<{value}>>") == expected


def test_a_template_that_comes_out_empty_is_not_set():
    assert with_connection({}, {"kubestress_context": "{{ x }}"}, template=lambda _value: "") == {}
