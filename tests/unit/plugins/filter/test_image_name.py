"""The filter passes its options on, and an error is Ansible's."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.kubestress.core.plugins.filter.image_name import FilterModule

image_name = FilterModule().filters()["image_name"]


def test_all_options_are_passed_on() -> None:
    full = image_name("train", project="p", region="us", repository="jobs", tag="v1")
    assert full == "us-docker.pkg.dev/p/jobs/train:v1"
    assert image_name("train", project="p") == "gcr.io/p/train:latest"


def test_an_error_names_filter_and_option() -> None:
    with pytest.raises(AnsibleFilterError, match=r"image_name: project: missing; 'train' has no registry"):
        image_name("train")
