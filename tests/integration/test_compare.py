"""The playbook compare on runs of a simulated cluster: equal ones, and ones whose pods the nodes start later."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.compare.document import document_of
from ansible_collections.kubestress.core.plugins.module_utils.compare.sources import read_group
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.must_gather_info import run_module
from helpers import gather_maker as maker
from helpers import pages
from helpers.commands import Completed
from helpers.waiting import until
from jsonschema import Draft202012Validator, FormatChecker
from playwright.sync_api import Browser, Page

PLAYBOOK = "kubestress.core.compare"
CHECKOUT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((CHECKOUT / "docs" / "comparison.schema.json").read_text())
RUN_LABEL = "kubestress.core/run-id"
EQUAL, SLOW = 6, 2
AT_ONCE = 3
SLOWER = "8s"

# Two Deployments and four Jobs of two pods: some seconds of load, of which most is waiting.
LOAD = {
    "profile": "smoke",
    "namespaces_total": 1,
    "deployments_per_namespace": 2,
    "statefulsets_enabled": False,
    "build_jobs_enabled": True,
    "build_jobs_per_namespace": 4,
    "build_jobs_active_per_namespace": 4,
    "build_jobs_parallelism": 2,
    "build_jobs_completions": 2,
    "build_jobs_wave_pause": 0,
    "build_jobs_time_scale": 0.05,
}

Runs = dict[str, list[str]]


def slower_nodes(name: str, run_ids: list[str]) -> list[dict[str, Any]]:
    """Give the pods of these runs the annotation from which the nodes' stages read how long a start takes.

    The runs themselves are as all others: their settings, and what they send.
    """
    annotation = f'"kubestress.core/simulate-start-delay": "{SLOWER}"'
    expression = f"Object{{metadata: Object.metadata{{annotations: {{{annotation}}}}}}}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    chosen = {"key": RUN_LABEL, "operator": "In", "values": run_ids}
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "matchConstraints": {"resourceRules": [rule], "namespaceSelector": {"matchExpressions": [chosen]}},
            "failurePolicy": "Fail",
            "reinvocationPolicy": "Never",
            "mutations": [{"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": expression}}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "MutatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name},
    }
    return [policy, binding]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def runs(ansible_playbook: Any, kubectl: Callable[..., Any], results: Path) -> Iterator[Runs]:
    """Yield the ids of equal runs and of slow ones, made in turns, so that both meet the machine in each mood."""
    mark = secrets.token_hex(3)
    equal = [f"t-{mark}-equal-{number}" for number in range(1, EQUAL + 1)]
    slow = [f"t-{mark}-slow-{number}" for number in range(1, SLOW + 1)]
    probe = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": f"t-{mark}-probe", "labels": {RUN_LABEL: slow[0]}},
    }
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "probe", "namespace": f"t-{mark}-probe"}}
    pod["spec"] = {"automountServiceAccountToken": False, "containers": [{"name": "one", "image": "example/one:1"}]}

    def in_force() -> bool:
        made = kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(pod))
        return "kubestress.core/simulate-start-delay" in made["metadata"].get("annotations", {})

    def load(run_id: str) -> Completed:
        given = {**LOAD, "run_id": run_id, "namespaces_prefix": run_id, "run_results_dir": str(results)}
        return ansible_playbook("kubestress.core.stress", extra_vars=given)

    try:
        for made in (*slower_nodes(f"t-{mark}", slow), probe):
            kubectl("create", "-f", "-", stdin=json.dumps(made))
        until(lambda: kubectl("get", "serviceaccounts", "-n", f"t-{mark}-probe")["items"])
        until(in_force)
        order = [*equal[:3], slow[0], *equal[3:], slow[1]]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for done in pool.map(load, order):
                assert done.rc == 0, done.output
        yield {"equal": equal, "slow": slow}
    finally:
        names = ("mutatingadmissionpolicybinding", "mutatingadmissionpolicy")
        for kind in names:
            kubectl("delete", kind, f"t-{mark}", "--ignore-not-found")
        chosen = f"{RUN_LABEL} in ({', '.join([*equal, *slow])})"
        kubectl("delete", "namespaces", "-l", chosen, "--wait=false")


def compared(results: Path, before: list[str], after: list[str]) -> dict[str, Any]:
    """Return the document, which the shipped schema takes."""
    sides = read_group("before", before, str(results)), read_group("after", after, str(results))
    document = document_of(sides[0], sides[1], {})
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(document)
    return document


def changed(document: dict[str, Any]) -> dict[str, Any]:
    """Return the metrics that decide and changed."""
    return {
        row["name"]: row
        for row in document["metrics"]
        if row["weight"] != "context" and row["verdict"] in ("improved", "regressed")
    }


@pytest.mark.slow
def test_equal_runs_are_the_same_ten_times_out_of_ten(runs: Runs, results: Path) -> None:
    pairs = ["1:2", "3:4", "5:6", "12:34", "34:56", "56:12", "16:25", "123:456", "135:246", "146:235"]
    for pair in pairs:
        before, after = ([runs["equal"][int(one) - 1] for one in side] for side in pair.split(":"))
        document = compared(results, before, after)
        assert document["verdict"] == "same", (pair, changed(document))
        assert changed(document) == {}, pair
        assert not any("settings" in line for line in document["warnings"]), document["warnings"]


@pytest.fixture(scope="module")
def told(
    runs: Runs, results: Path, cluster_free_playbook: Any, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Completed, Path]:
    """Return what the playbook said of equal runs and slow ones, with lists as AWX sends them, and its folder."""
    folder = tmp_path_factory.mktemp("told")
    given = {
        "compare_before": ",".join(runs["equal"][:3]),
        "compare_after": json.dumps(runs["slow"]),
        "compare_fail_on": "regressed",
        "compare_dest": str(folder),
        "run_results_dir": str(results),
    }
    return cluster_free_playbook(PLAYBOOK, extra_vars=given), folder


@pytest.mark.slow
def test_a_slower_start_of_pods_is_named_as_what_regressed(told: tuple[Completed, Path]) -> None:
    """Files and table tell the same, and the play fails as asked."""
    done, folder = told
    assert done.rc != 0
    assert "compare_fail_on=regressed: regressed: " in done.output
    document = json.loads((folder / "comparison.json").read_text())
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(document)
    assert document["verdict"] == "regressed"
    rows = changed(document)
    assert {"startup_p50[job started]", "startup_p50[job total]"} <= set(document["reasons"]), rows
    assert {row["verdict"] for row in rows.values()} == {"regressed"}, rows
    assert all(row["beyond_spread"] for row in rows.values())
    # The runs did the same, and all of it: nothing but times of pods and Jobs is worse.
    assert all(name.startswith(("startup", "job_duration")) for name in rows), rows
    assert re.search("start-up p50, job: started .* regressed", done.stdout)


@pytest.mark.slow
def test_and_the_other_way_round_as_improved(runs: Runs, results: Path) -> None:
    document = compared(results, runs["slow"], runs["equal"][3:])
    assert document["verdict"] == "improved"
    assert "startup_p50[job started]" in document["reasons"]


@pytest.mark.slow
def test_check_mode_writes_nothing_and_a_second_time_changes_nothing(
    runs: Runs, results: Path, cluster_free_playbook: Any, tmp_path: Path
) -> None:
    first, second = runs["equal"][:2]
    given = {"compare_before": first, "compare_after": second, "run_results_dir": str(results)}
    there = results / f"compare-{first}-{second}"
    done = cluster_free_playbook(PLAYBOOK, "--check", extra_vars=given)
    assert done.rc == 0, done.output
    assert f"check mode: would write comparison.json and comparison.html to {there}" in done.stdout
    assert not there.exists()
    written = cluster_free_playbook(PLAYBOOK, extra_vars={**given, "compare_fail_on": "different"})
    assert written.rc == 0, written.output
    assert sorted(path.name for path in there.iterdir()) == ["comparison.html", "comparison.json"]
    again = cluster_free_playbook(PLAYBOOK, extra_vars=given)
    assert "changed=0" in again.stdout


def test_two_gathers(cluster_free_playbook: Any, tmp_path: Path) -> None:
    told = {}
    for name, made in (("april", maker.outage_files()), ("may", maker.later_files())):
        path = maker.archive(tmp_path / f"{name}.tar", made)
        params = {"path": str(path), "window": 7200, "compare": "", "rules_file": ""}
        told[name] = run_module(params)["gather"]
        folder = tmp_path / "kubestress-results" / f"must-gather-{name}"
        folder.mkdir(parents=True)
        (folder / "must-gather.json").write_text(json.dumps(told[name]))
    given = {"compare_before": "must-gather-april", "compare_after": "kubestress-results/must-gather-may"}
    done = cluster_free_playbook(PLAYBOOK, extra_vars=given, cwd=tmp_path)
    assert done.rc == 0, done.output
    folder = tmp_path / "kubestress-results" / "compare-must-gather-april-must-gather-may"
    rows = {row["name"]: row for row in json.loads((folder / "comparison.json").read_text())["metrics"]}
    april, may = told["april"], told["may"]
    for kind in {*april["totals"]["errors"], *may["totals"]["errors"]}:
        row = rows[f"gather_errors[{kind}]"]
        assert (row["before"], row["after"]) == (
            [april["totals"]["errors"].get(kind, 0)],
            [may["totals"]["errors"].get(kind, 0)],
        )
    assert rows["gather_add[multus]"]["before"] == [april["totals"]["sources"]["multus"]["add"]]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"compare_after": "[]"}, "compare_after: none is given"),
        ({"compare_after": "nowhere"}, "after (compare_after): 'nowhere' is no results folder; neither nowhere nor"),
        ({"compare_after": "old"}, "summary.json has schema 0; only schema 1 can be compared"),
        ({"compare_after": "two", "compare_fail_on": "worse"}, "choose one of none, regressed, different"),
        ({"compare_after": "two", "compare_tolerances": "startup_p98=5"}, "'startup_p98'; did you mean startup_p99"),
        (
            {"compare_after": "two", "compare_tolerances": "startup_p99=few"},
            "startup_p99: 'few' is not allowed; percent",
        ),
    ],
)
def test_bad_input_is_one_line(cluster_free_playbook: Any, tmp_path: Path, given: dict[str, Any], told: str) -> None:
    folder = tmp_path / "kubestress-results"
    for name, schema in (("one", 1), ("two", 1), ("old", 0)):
        (folder / name).mkdir(parents=True)
        document = {"schema": schema, "run_id": name, "verdict": "passed", "jobs": {}, "pods": {}}
        (folder / name / "summary.json").write_text(json.dumps(document))
    done = cluster_free_playbook(PLAYBOOK, extra_vars={"compare_before": "one", **given}, cwd=tmp_path)
    assert done.rc != 0
    assert told in done.output
    assert sorted(path.name for path in folder.iterdir()) == ["old", "one", "two"], "nothing is written"


# --- the page in a browser -------------------------------------------------------------------------------------------


@pytest.fixture
def page(chromium: Browser, told: tuple[Completed, Path]) -> Iterator[Page]:
    """Yield the page, opened; nothing may be asked for or complained of until the test's end."""
    with pages.opened(chromium, told[1] / "comparison.html") as opened:
        yield opened


@pytest.mark.slow
def test_page_in_a_browser(page: Page) -> None:
    assert page.locator("#verdict h2").inner_text() == "Regressed"
    strip = page.locator(".strips li", has_text="start-up p50, job: started")
    assert (strip.locator(".before").count(), strip.locator(".after").count()) == (3, SLOW)
    earlier = [box["x"] for one in strip.locator(".before").all() if (box := one.bounding_box())]
    later = [box["x"] for one in strip.locator(".after").all() if (box := one.bounding_box())]
    assert max(earlier) < min(later), "what takes longer lies further to the right"
    assert page.locator(".plot canvas").count() == page.locator(".plot").count() >= 3
    page.locator("#plot-pods-running .plot").focus()
    page.keyboard.press("Home")
    said = page.locator("#plot-pods-running [aria-live]").text_content() or ""
    assert "before " in said
    assert "after " in said
    assert page.locator("#runs tbody tr").count() == 3 + SLOW
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert pages.barriers(page) == []
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.locator("#verdict h2").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "nothing is wider than a phone"
