"""The filter that says what a manifest says of an accelerator."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.filter.accelerator import FilterModule, accelerator


def test_a_slice_of_four_nodes():
    found = FilterModule().filters()["accelerator"]("v5e", topology="4x4", slices="2")
    assert (found["completions"], found["slices"], found["limits"]) == (4, 2, {"google.com/tpu": "4"})


def test_nothing_is_a_job_of_cpus():
    assert accelerator(None, topology=None, machine=None, nodes="2")["completions"] == 2


def test_errors_name_the_option():
    with pytest.raises(AnsibleFilterError, match=r"accelerator: type: 'v5p-8' is ambiguous"):
        accelerator("v5p-8")
    with pytest.raises(AnsibleFilterError, match=r"accelerator: slices: 'two' is not allowed; a whole number"):
        accelerator("v5e", topology="4x4", slices="two")
