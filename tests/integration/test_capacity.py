"""The playbook capacity: it finds the value that breaks a node with few pod slots, also after it was killed."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.page.capacity import render_capacity
from helpers import pages
from helpers.commands import Completed, started_playbook
from helpers.example_searches import cluster_that_bears, search, searched
from helpers.processes import kill_tree
from helpers.waiting import until
from playwright.sync_api import Browser

PLAYBOOK = "kubestress.core.capacity"
#: Pods that the node takes at once, and those of the steps: below it and above it.
SLOTS, FITS, TOO_MANY = 1, 1, 3
ADDRESS = "10.245.255.9"
LABEL = "kubestress.core/test"
Kubectl = Callable[..., Any]
Playbook = Callable[..., Completed]


@pytest.fixture(scope="module")
def small_node(kubectl: Kubectl) -> Iterator[str]:
    """A simulated node with few pod slots, which only pods of these tests use."""
    name = f"small-{secrets.token_hex(3)}"
    model = next(
        node for node in kubectl("get", "nodes")["items"] if "kwok.x-k8s.io/node" in node["metadata"]["annotations"]
    )
    room = {**model["status"]["allocatable"], "pods": str(SLOTS)}
    node = {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {
            "name": name,
            "annotations": {"kwok.x-k8s.io/node": "fake"},
            "labels": {**model["metadata"]["labels"], "kubernetes.io/hostname": name, LABEL: name},
        },
        "spec": {"taints": [{"key": LABEL, "value": name, "effect": "NoSchedule"}]},
        # Without an address, its pods would be refused.
        "status": {"allocatable": room, "capacity": room, "addresses": [{"type": "InternalIP", "address": ADDRESS}]},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(node))
    until(lambda: _is_ready(kubectl("get", "node", name)))
    yield name
    kubectl("delete", "node", name)


def _is_ready(node: dict[str, Any]) -> bool:
    return any(one["type"] == "Ready" and one["status"] == "True" for one in node["status"].get("conditions", ()))


@pytest.fixture
def given(small_node: str, run_id: str, prefix: str) -> dict[str, Any]:
    """One namespace and one Job, whose pods wait for a slot where there are too many at once."""
    return {
        "profile": "smoke",
        "capacity_id": run_id,
        "capacity_steps": f"{FITS},{TOO_MANY}",
        "capacity_settle": "0",
        # A pod that gets a slot at once starts in a second or two; one that waits for two builds takes longer.
        "capacity_max_startup_p99": "5",
        "namespaces_prefix": prefix,
        "namespaces_total": 1,
        "deployments_enabled": False,
        "statefulsets_enabled": False,
        "build_jobs_per_namespace": 1,
        "build_jobs_active_per_namespace": 1,
        "build_jobs_completions": TOO_MANY,
        "build_jobs_time_scale": 0.05,
        "run_node_selector": {LABEL: small_node},
        "run_tolerations": [{"key": LABEL, "operator": "Exists"}],
        "observe_enabled": False,
        "preflight_accept_over_limit": True,
    }


def left_on_the_cluster(kubectl: Kubectl, search_id: str) -> list[str]:
    """Objects of any run of the search, as kubectl finds them."""
    kinds = "namespaces,jobs.batch,configmaps,secrets,pods"
    found = kubectl("get", kinds, "-A", "-l", "kubestress.core/run-id")["items"]
    return [
        f"{one['kind']} {one['metadata']['name']}"
        for one in found
        if one["metadata"]["labels"]["kubestress.core/run-id"].startswith(f"{search_id}-")
    ]


def document_of(folder: Path, search_id: str) -> dict[str, Any]:
    return json.loads((folder / "kubestress-results" / f"capacity-{search_id}" / "capacity.json").read_text())


def killed_in_the_last_step(given: dict[str, Any], kubeconfig: Path, kubectl: Kubectl, folder: Path) -> None:
    """Start the playbook, and kill it with all its processes while pods of the step with too many are there."""
    process = started_playbook(PLAYBOOK, given, kubeconfig=kubeconfig, cwd=folder)
    selector = f"kubestress.core/run-id={given['capacity_id']}-{TOO_MANY}"
    try:
        until(
            lambda: process.poll() is not None or kubectl("get", "pods", "-A", "-l", selector)["items"],
            seconds=120,
        )
        assert process.poll() is None, "it ended before it could be killed"
    finally:
        kill_tree(process)


@pytest.mark.slow
def test_killed_in_a_step_and_started_again_it_ends_with_the_answer_and_then_bisects(
    ansible_playbook: Playbook, kubectl: Kubectl, kubeconfig: Path, given: dict[str, Any], tmp_path: Path
) -> None:
    search_id = given["capacity_id"]
    killed_in_the_last_step(given, kubeconfig, kubectl, tmp_path)
    assert [record["stage"] for record in document_of(tmp_path, search_id)["runs"]] == ["cleaned", "started"]
    assert left_on_the_cluster(kubectl, search_id)

    done = ansible_playbook(PLAYBOOK, extra_vars=given, cwd=tmp_path)
    assert done.rc == 0, done.output
    document = document_of(tmp_path, search_id)
    assert (document["state"], document["highest_safe"], document["broke_at"]) == ("ended", FITS, TOO_MANY)
    assert "p99 of the pods' start-up is" in document["cause"]
    assert "from created to scheduled" in document["cause"]
    assert f"pods at peak: {TOO_MANY} needed, {SLOTS} offered" in document["steps"][1]["reasons"][-1]
    assert [record["attempt"] for record in document["runs"]] == [1, 2], "what was finished is not run again"
    assert left_on_the_cluster(kubectl, search_id) == []
    assert f"  answer     build_jobs_parallelism {FITS} is safe; {TOO_MANY} broke." in done.stdout
    page = (tmp_path / "kubestress-results" / f"capacity-{search_id}" / "capacity.html").read_text()
    assert f"{FITS} is safe, {TOO_MANY} broke" in page

    # Nothing of it is run again where only a bisection is added.
    done = ansible_playbook(PLAYBOOK, extra_vars=given | {"capacity_bisect": "true"}, cwd=tmp_path)
    assert done.rc == 0, done.output
    halved = document_of(tmp_path, search_id)
    assert halved["runs"][:2] == document["runs"]
    assert [step["bisected"] for step in halved["steps"]].count(True) == len(halved["runs"]) - 2 >= 1
    assert halved["broke_at"] - halved["highest_safe"] == 1
    assert left_on_the_cluster(kubectl, search_id) == []


@pytest.mark.slow
def test_without_consent_a_step_over_the_limit_is_refused_and_creates_nothing(
    ansible_playbook: Playbook, kubectl: Kubectl, given: dict[str, Any], tmp_path: Path
) -> None:
    """Of the first step nothing can be said then, and the play fails; check mode says it before."""
    chosen = given | {"preflight_accept_over_limit": False, "capacity_steps": [TOO_MANY, TOO_MANY + 2]}
    foreseen = ansible_playbook(PLAYBOOK, "--check", extra_vars=chosen, cwd=tmp_path)
    assert foreseen.rc == 0, foreseen.output
    search_id = given["capacity_id"]
    assert f"     {TOO_MANY}  {search_id}-{TOO_MANY}" in foreseen.stdout
    assert foreseen.stdout.count("refuses it") == 2
    assert list(tmp_path.iterdir()) == []

    done = ansible_playbook(PLAYBOOK, extra_vars=chosen, cwd=tmp_path)
    assert done.rc == 2, done.output
    assert f"preflight refused {TOO_MANY}. pods at peak: {TOO_MANY} needed, {SLOTS} offered" in done.output
    document = document_of(tmp_path, search_id)
    assert [(step["value"], step["verdict"]) for step in document["steps"]] == [(TOO_MANY, "refused")]
    assert (document["highest_safe"], document["broke_at"]) == (None, None)
    assert left_on_the_cluster(kubectl, search_id) == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("-e", "capacity_steps=3,many"), "capacity_steps: entry 2, 'many', is not a whole number"),
        (("-e", "capacity_knob=build_jobs_paralelism"), "did you mean build_jobs_parallelism?"),
        (("-e", "profile="), "profile: none is given; -e profile=NAME with one of"),
    ],
)
def test_bad_input_is_one_line(
    cluster_free_playbook: Playbook, arguments: tuple[str, ...], told: str, tmp_path: Path
) -> None:
    done = cluster_free_playbook(PLAYBOOK, "-e", "profile=smoke", *arguments, cwd=tmp_path)
    assert done.rc == 2, done.output
    message = json.loads(done.stdout.split("FAILED! => ")[1].splitlines()[0])["msg"]
    assert told in message
    assert "\n" not in message
    assert list(tmp_path.iterdir()) == []


def test_its_page_in_a_browser(chromium: Browser, tmp_path: Path) -> None:
    """Quiet, offline, with a curve for each figure, and readable for everybody."""
    file = tmp_path / "capacity.html"
    file.write_text(render_capacity(searched(search(bisect=True), cluster_that_bears(6))), encoding="utf-8")
    with pages.opened(chromium, file, color_scheme="dark") as page:
        assert page.locator("h2#verdict-word").inner_text() == "6 is safe, 7 broke"
        assert page.locator(".plot canvas").count() == page.locator(".plot").count() == 6
        page.locator("#plot-failures .plot").focus()
        page.keyboard.press("End")
        assert page.locator("#plot-failures [aria-live]").inner_text().startswith("8: failed pods 3, failed forks 3")
        assert pages.barriers(page) == []
