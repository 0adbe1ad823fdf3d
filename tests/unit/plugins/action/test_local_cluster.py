"""The action plugin tells the module where the collection's files are, and refuses where they are not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.kubestress.core.plugins.action.local_cluster import ActionModule
from ansible_collections.kubestress.core.plugins.plugin_utils.sources import SOURCES
from helpers.actions import act


def run(transport: str, arguments: dict[str, Any]) -> dict[str, Any]:
    return act(ActionModule, arguments, transport=transport)[0]["module_args"]


def test_the_collections_files_are_named():
    assert run("local", {"nodes": 3}) == {"nodes": 3, "sources_dir": str(SOURCES)}
    assert (SOURCES / "go" / "kubernetes" / "go.mod").exists()
    assert (SOURCES / "stages").is_dir()


@pytest.mark.parametrize("transport", ["local", "ssh"])
def test_a_named_folder_is_kept(transport):
    assert run(transport, {"sources_dir": "/mine"}) == {"sources_dir": "/mine"}


def test_another_machine_is_refused_in_one_line():
    with pytest.raises(AnsibleActionFail, match="use connection: local") as caught:
        run("ssh", {})
    assert "\n" not in str(caught.value)


def test_removal_works_anywhere():
    assert run("ssh", {"state": "absent"})["state"] == "absent"
