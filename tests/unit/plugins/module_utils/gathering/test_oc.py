"""`oc adm must-gather`, with a small program in its place: its arguments, its connection, its bounds.

The real oc needs an OpenShift cluster; what it writes is taken from the layout of real gathers.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.gathering import oc
from ansible_collections.kubestress.core.plugins.module_utils.gathering.must_gather import run_module
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.must_gather_info import (
    run_module as analysed,
)
from ansible_collections.kubestress.core.plugins.modules.must_gather import ARGUMENTS
from helpers.collection import CHECKOUT
from helpers.gather_source import GatherSource, listing
from helpers.processes import living_in_group
from helpers.waiting import until

SCHEMA = json.loads((CHECKOUT / "docs" / "gather.schema.json").read_text())
#: Stands in for oc: notes its arguments and its kubeconfig, and writes a gather as oc does.
OC = """\
#!/bin/sh
echo "$@" >"{folder}/arguments"
cat "${{KUBECONFIG%%:*}}" >"{folder}/kubeconfig-seen"
for argument; do
    case $argument in --dest-dir=*) dest=${{argument#--dest-dir=}}/quay-io-openshift-must-gather-sha256-0a1b ;; esac
done
logs=$dest/namespaces/openshift-multus/pods/multus-1/kube-multus/kube-multus/logs
mkdir -p "$logs"
echo '2025-04-19T22:00:01Z [verbose] ADD starting CNI request ContainerID:"0a1b2c3d4e5f"' >"$logs/current.log"
{more}
"""


@pytest.fixture
def source() -> GatherSource:
    found = GatherSource()
    found.answers["/apis/config.openshift.io"] = '{"kind": "APIGroup"}'
    found.lists["/apis/config.openshift.io/v1/clusterversions"] = [{"metadata": {"name": "version"}}]
    found.node("n1")
    found.answers["/api/v1/nodes/n1/proxy/logs/"] = listing("kubelet.log")
    found.answers["/api/v1/nodes/n1/proxy/logs/kubelet.log"] = "quiet\n"
    for namespace in ("openshift-multus", "team"):
        found.pod(namespace, f"{namespace}-p")
        found.answers[f"/api/v1/namespaces/{namespace}/pods/{namespace}-p/log"] = "2025-04-19T22:00:02Z quiet\n"
    return found


@pytest.fixture
def url(source: GatherSource) -> Iterator[str]:
    with source.served() as address:
        yield address


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that puts such an oc on PATH; `more` are its last lines."""

    def put(more: str = "echo done") -> None:
        path = tmp_path / "bin" / "oc"
        path.parent.mkdir()
        path.write_text(OC.format(folder=tmp_path, more=more))
        path.chmod(0o755)
        monkeypatch.setenv("PATH", f"{path.parent}:/usr/bin:/bin")

    return put


def collected(url: str, dest: Path, **options: Any) -> dict[str, Any]:
    result = ArgumentSpecValidator(ARGUMENTS).validate({"host": url, "dest": str(dest), **options})
    assert not result.error_messages, result.error_messages
    return run_module(result.validated_parameters, check_mode=False)


def test_oc_first_and_then_what_it_leaves_out(program: Any, url: str, tmp_path: Path) -> None:
    program()
    dest = tmp_path / "gather"
    result = collected(url, dest, since=3600, time_limit=400, api_key="sesame")
    assert (tmp_path / "arguments").read_text().split() == [
        "adm", "must-gather", f"--dest-dir={dest}", "--timeout=199s", "--since=3600s",
    ]  # fmt: skip
    seen = json.loads((tmp_path / "kubeconfig-seen").read_text())
    assert seen["clusters"][0]["cluster"]["server"] == url
    assert seen["users"][0]["user"] == {"token": "sesame"}
    assert (result["state"], result["source"], result["namespaces_of_oc"]) == ("complete", "oc and api", 1)
    assert result["objects"] == {"clusterversions": 1, "nodes": 1, "pods": 1}, "no pods of a namespace that oc has"
    assert result["pod_logs"] == 1
    jsonschema.validate(json.loads((dest / "gather.json").read_text()), SCHEMA)
    assert (dest / "namespaces/team/core/pods.yaml").exists()
    gather = analysed({"path": str(dest), "window": 7200, "compare": "", "rules_file": ""})["gather"]
    assert gather["hours"][0]["sources"] == {"multus": {"add": 1, "del": 0, "failed": 0}}


def test_an_oc_that_fails_is_named_and_the_api_is_read(program: Any, url: str, tmp_path: Path) -> None:
    program('rm -r "$dest"; echo "error: you may not create namespaces" >&2; exit 3')
    result = collected(url, tmp_path / "gather")
    assert result["state"] == "incomplete"
    (row,) = result["missing"]
    assert row["what"] == "oc adm must-gather"
    assert row["cause"] == "oc adm must-gather ended with exit code 3: error: you may not create namespaces"
    assert result["objects"]["pods"] == 2
    assert "you may not create" in (tmp_path / "gather" / oc.LOG).read_text()


@pytest.mark.parametrize(
    ("more", "options", "cause"),
    [
        ("sleep 600 & wait", {"time_limit": 4}, "oc adm must-gather was ended after 2.9"),
        (
            'head -c 3000000 /dev/zero >"$dest/big"; sleep 600 & wait',
            {"max_size": 2, "max_file_size": 1},
            "limit of 2 MiB",
        ),
    ],
)
def test_oc_is_ended_at_the_bounds_with_all_its_processes(
    program: Any, url: str, tmp_path: Path, more: str, options: dict[str, int], cause: str
) -> None:
    program(f'trap "touch {tmp_path}/ended; exit 1" TERM; echo $$ >{tmp_path}/group; {more}')
    result = collected(url, tmp_path / "gather", **options)
    assert cause in " ".join([result["stopped"] or "", *(row["cause"] for row in result["missing"])])
    assert (tmp_path / "ended").exists()
    group = int((tmp_path / "group").read_text())
    until(lambda: not living_in_group(group))


def test_never_and_no_openshift_do_not_run_it(program: Any, source: GatherSource, url: str, tmp_path: Path) -> None:
    program()
    assert collected(url, tmp_path / "first", oc="never")["source"] == "api"
    del source.answers["/apis/config.openshift.io"]
    assert collected(url, tmp_path / "second")["source"] == "api"
    assert not (tmp_path / "arguments").exists()
    with pytest.raises(ModuleFailed, match=r"oc: always, but the cluster is no OpenShift: it has no API group config"):
        collected(url, tmp_path / "third", oc="always")


def test_the_connection_is_handed_over_without_a_credential_in_a_command_line(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("{}")
    with oc.environment({"kubeconfig": f"{mine}"}) as env:
        assert env["KUBECONFIG"] == str(mine)
    with oc.environment({"kubeconfig": str(mine), "context": "other"}) as env:
        first, second = env["KUBECONFIG"].split(":")
        assert json.loads(Path(first).read_text())["current-context"] == "other"
        assert second == str(mine)
    assert not Path(first).exists()
    given = {
        "host": "https://api:6443", "client_cert": "c.pem", "client_key": "k.pem", "ca_cert": "ca.pem",
        "validate_certs": False, "proxy": "http://proxy:3128", "impersonate_user": "u", "impersonate_groups": ["g"],
    }  # fmt: skip
    with oc.environment(given) as env:
        document = json.loads(Path(env["KUBECONFIG"]).read_text())
    assert document["clusters"][0]["cluster"] == {
        "server": "https://api:6443",
        "certificate-authority": str(Path("ca.pem").absolute()),
        "proxy-url": "http://proxy:3128",
        "insecure-skip-tls-verify": True,
    }
    assert document["users"][0]["user"]["as-groups"] == ["g"]
    with (
        pytest.raises(oc.OcError, match="oc is not run, because api_key beside a kubeconfig cannot be handed to it"),
        oc.environment({"kubeconfig": str(mine), "api_key": "sesame"}),
    ):
        pass
