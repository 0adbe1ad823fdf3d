"""The commands shown at the end of a run can be typed as they are, and hold no secret."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.ends import command_lines, commands


def found(results_dir: str | None = None, **variables: Any) -> dict[str, str]:
    return commands("r-1", results_dir=results_dir, task_vars=variables, template=lambda value: value)


def test_the_run_id_is_all_that_is_needed():
    assert found() == {
        "report": "ansible-playbook kubestress.core.report -e run_id=r-1",
        "clean up": "ansible-playbook kubestress.core.cleanup -e run_id=r-1",
    }
    assert found("kubestress-results")["report"] == found()["report"]
    assert found("/srv/my runs")["report"].endswith("""-e run_id=r-1 -e '{"run_results_dir": "/srv/my runs"}'""")
    assert [line.text for line in command_lines(found())][1].startswith("  clean up  ansible-playbook ")


def test_the_connection_goes_with_it_as_it_was_given():
    command = found(
        kubestress_kubeconfig="/k/config",
        kubestress_context="the one",
        kubestress_validate_certs=False,
        kubestress_impersonate_groups=["a", "b"],
        kubestress_host="",
        cleanup_namespaces=["team-a"],
        namespaces_existing=[],
    )["clean up"]
    assert shlex.split(command)[2:] == [
        *("-e", "run_id=r-1", "-e", "kubestress_kubeconfig=/k/config"),
        *("-e", '{"kubestress_context": "the one"}', "-e", "kubestress_validate_certs=false"),
        *("-e", '{"kubestress_impersonate_groups": ["a", "b"]}', "-e", '{"cleanup_namespaces": ["team-a"]}'),
    ]


@pytest.mark.parametrize(
    "secret",
    [
        {"kubestress_api_key": "s3cret"},
        {"kubestress_password": "s3cret"},
        {"kubestress_proxy_headers": {"Proxy-Authorization": "s3cret"}},
        {"kubestress_proxy": "http://me:s3cret@proxy:3128"},
        {"kubestress_kubeconfig": {"users": [{"user": {"token": "s3cret"}}]}},
    ],
    ids=lambda given: next(iter(given)),
)
def test_secrets_are_named_and_not_shown(secret: dict[str, Any]):
    command = found(**secret)["clean up"]
    assert "s3cret" not in command
    assert command.endswith(f"   # and {next(iter(secret))} as before")
