"""The action plugin tells the module where the collection's files are, and refuses where they are not."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.kubestress.core.plugins.action.local_cluster import SOURCES, ActionModule


class Recorder(ActionModule):
    """The plugin with the one step that would need a running playbook replaced: what it sends off is kept."""

    def _execute_module(self, **options: Any) -> dict[str, Any]:
        self.sent = options
        return {"changed": False}


def run(transport: str, arguments: dict[str, Any]) -> dict[str, Any]:
    task = SimpleNamespace(
        args=arguments, async_val=0, check_mode=False, diff=False, action="kubestress.core.local_cluster"
    )
    connection = SimpleNamespace(transport=transport, _shell=SimpleNamespace(tmpdir=None))
    plugin = Recorder(task, connection, SimpleNamespace(), None, None, None)
    plugin.run(task_vars={})
    return plugin.sent["module_args"]


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
