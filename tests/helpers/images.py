"""What the module `image` does, without Ansible around it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.images.arguments import ARGUMENTS
from ansible_collections.kubestress.core.plugins.module_utils.images.image import Outcome, run_module


def image(options: Mapping[str, Any], *, environ: Mapping[str, str], check_mode: bool = False) -> Outcome:
    """Check the options as Ansible does, and run the module."""
    checked = ArgumentSpecValidator(ARGUMENTS).validate(dict(options))
    assert not checked.error_messages
    return run_module(checked.validated_parameters, check_mode=check_mode, environ=environ)
