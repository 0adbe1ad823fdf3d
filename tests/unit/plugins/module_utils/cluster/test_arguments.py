"""Secrets among the connection options are hidden by every module that has them, however they are given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from helpers.commands import CHECKOUT

MODULES = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())["action_groups"]["kubestress"]
HEADERS = {"Proxy-Authorization": "Basic s3cret"}


def shown_by(module: str, options: dict, environment: dict[str, str], folder: Path) -> str:
    """What a module shows that was started as Ansible starts it. It lacks options, or finds no such kubeconfig."""
    (folder / "arguments.json").write_text(json.dumps({"ANSIBLE_MODULE_ARGS": {"kubeconfig": "/nowhere", **options}}))
    done = subprocess.run(
        [sys.executable, "-m", f"ansible_collections.kubestress.core.plugins.modules.{module}", "arguments.json"],
        cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert json.loads(done.stdout)["invocation"]["module_args"]["proxy_headers"], done.stdout
    return done.stdout + done.stderr


@pytest.mark.parametrize("module", MODULES)
def test_proxy_headers_given_as_text_are_hidden(module: str, tmp_path: Path) -> None:
    assert "s3cret" not in shown_by(module, {"proxy_headers": json.dumps(HEADERS)}, {}, tmp_path)


def test_proxy_headers_given_in_any_way_are_hidden(tmp_path: Path) -> None:
    whole = {"kinds": [{"api_version": "v1", "kind": "Pod"}]}
    assert "s3cret" not in shown_by("wait", {**whole, "proxy_headers": HEADERS}, {}, tmp_path)
    assert "s3cret" not in shown_by("wait", {**whole, "proxy_headers": "Proxy-Authorization=s3cret"}, {}, tmp_path)
    assert "s3cret" not in shown_by("wait", whole, {"K8S_AUTH_PROXY_HEADERS": json.dumps(HEADERS)}, tmp_path)
