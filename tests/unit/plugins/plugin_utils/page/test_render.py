"""The page as text: safe, whole, bounded, and honest about what nobody measured."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import Evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import build_summary
from ansible_collections.kubestress.core.plugins.module_utils.results.timeline import build_timeline
from ansible_collections.kubestress.core.plugins.plugin_utils.page.render import render_page
from helpers import example_page
from helpers.example_batches import RUN, batch, check_of_services, guarded, outages, silent

EXAMPLES = ("passed", "failed", "aborted", "ten_hours", "huge")
MOST_BYTES = 1_500_000
VOID = {"meta", "link", "br", "img", "input"}


class Reader(HTMLParser):
    """Reads what a browser would: text by the id of the section it stands in, scripts, styles, attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.sections: dict[str, str] = {}
        self.raw: dict[str, list[str]] = {"script": [], "style": []}
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[tuple[str, str]] = []
        self.ids: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        self.attributes += [(tag, name, value) for name, value in found.items()]
        self.ids += [found["id"]] if "id" in found else []
        if tag not in VOID:
            self.open.append((tag, found.get("id", "")))
        if tag in self.raw:
            self.raw[tag].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop()[0] == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1][0] in self.raw:
            self.raw[self.open[-1][0]][-1] += data
            return
        section = next((identity for tag, identity in self.open if tag == "section"), "")
        self.sections[section] = f"{self.sections.get(section, '')} {data}"

    def text(self, section: str) -> str:
        return " ".join(self.sections[section].split())


def read(**changed: Any) -> Reader:
    return Reader(render_page(**(example_page.passed() | changed)))


def summary(**changed: Any) -> dict[str, Any]:
    return example_page.summary_document(**changed)


# --- safe and whole --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", EXAMPLES)
def test_page_is_whole_and_small(name: str) -> None:
    text = render_page(**getattr(example_page, name)())
    reader = Reader(text)
    assert len(text.encode()) < MOST_BYTES
    assert sorted(set(reader.ids)) == sorted(reader.ids), "an id is there twice"
    targets = {value[1:] for _tag, name, value in reader.attributes if name == "href" and value.startswith("#")}
    assert targets <= set(reader.ids)


def test_huge_is_as_big_as_promised() -> None:
    objects = example_page.huge()["summary"]["objects"]
    assert sum(counts["requested"] for counts in objects.values()) >= 100_000


@pytest.mark.parametrize("name", EXAMPLES)
def test_nothing_points_outside(name: str) -> None:
    reader = Reader(render_page(**getattr(example_page, name)()))
    links = [value for _tag, name, value in reader.attributes if name in ("href", "src", "action", "data")]
    assert [link for link in links if not link.startswith(("#", "data:,"))] == []
    assert not re.search(r"url\(|@import", "".join(reader.raw["style"]))


def test_policy_allows_the_pages_own_style_and_script_only() -> None:
    reader = read()
    (policy,) = [value for tag, name, value in reader.attributes if tag == "meta" and value.startswith("default-src")]
    data, script = reader.raw["script"]
    (style,) = reader.raw["style"]

    def source(text: str) -> str:
        return "'sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() + "'"

    rules = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    assert rules["default-src"] == "'none'"
    assert rules["script-src"] == source(script)
    assert rules["style-src"] == source(style)
    assert json.loads(data)["plots"]
    # Attributes that the policy would refuse.
    assert [one for one in reader.attributes if one[1] == "style" or one[1].startswith("on")] == []


HOSTILE = "</script><script>alert(1)</script><!-- <b onclick=x> & \"'{{ 7 * 7 }}"


def hostile(value: Any) -> Any:
    """Return the document with every text in it replaced, but for those that choose what is shown."""
    if isinstance(value, dict):
        return {
            key: one if key in ("verdict", "state", "trust", "source") else hostile(one) for key, one in value.items()
        }
    if isinstance(value, list):
        return [hostile(one) for one in value]
    return HOSTILE if isinstance(value, str) else value


def test_no_text_becomes_markup_or_script() -> None:
    plain, changed = Reader(render_page(**example_page.failed())), Reader(render_page(**hostile(example_page.failed())))
    assert len(changed.raw["script"]) == len(plain.raw["script"]) == 2
    assert changed.raw["script"][1] == plain.raw["script"][1]
    assert [one for one in changed.attributes if one[1] == "onclick"] == []
    assert json.loads(changed.raw["script"][0])["phases"][0]["role"] == HOSTILE
    assert HOSTILE in changed.sections["verdict"]


# --- the answer first ------------------------------------------------------------------------------------------------


def test_verdict_reasons_and_trust_come_first() -> None:
    text = read(**example_page.failed()).text("verdict")
    words = [
        "Failed",
        "Job: 14 of 60 failed",
        "131 active at once",
        "15 more reasons",
        "poor",
        "This machine was at its",
    ]
    places = [text.index(word) for word in words]
    assert places == sorted(places)


def test_simulated_nodes_are_told_where_nobody_judged() -> None:
    run = example_page.run_document()
    run["cluster"]["nodes"]["kinds"][0]["simulated"] = True
    assert "nodes are simulated" in read(summary=summary(validity=None), run=run).text("verdict")


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, "Objects stored ✓ 1,300 of 1,300"),
        ({"objects": {"Deployment": example_page.counts(3, ready=2)}}, "✗ 3 of 3 2 ready, not all ready: Deployment"),
        ({"objects": {"Job": example_page.counts(3, ready=2)}}, "Objects stored ✓ 3 of 3 2 ready"),
        ({}, "Jobs complete ✓ 60 of 60"),
        (
            {"objects": {"Job": example_page.counts(60, ready=60) | {"requested": 120, "deleted": 60}}},
            "Objects stored, deleted ✓ 120 of 120 60 ready, 60 created, 60 deleted",
        ),
        (
            {"objects": {"Job": example_page.counts(60, ready=60) | {"requested": 120, "deleted": 60}}},
            "Jobs complete ✓ 60 of 60",
        ),
        ({}, "Service levels met ✓ 4 of 4 in this run; 1 without data"),
        ({"objects": {}}, "Objects stored no data no batch left measurements"),
        ({"requests": {}}, "Create latency, p99 no data no create request was measured"),
        ({"slo": []}, "Service levels met no data none were measured"),
        (
            {"processes": {"per_build_pod": {"samples": 0, "source": "none", "cause": "simulated nodes run none"}}},
            "Processes in a build pod no data simulated nodes run none",
        ),
    ],
)
def test_key_figure(changed: dict[str, Any], expected: str) -> None:
    assert expected in read(summary=summary(**changed)).text("key-figures")


# --- what nobody measured --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "changed", "expected"),
    [
        (
            "api-server",
            {"api_server": {"source": "none", "cause": "forbidden: get /metrics"}},
            "forbidden: get /metrics",
        ),
        ("levels", {"slo": [], "api_server": {"cause": "forbidden: get /metrics"}}, "forbidden: get /metrics"),
        ("events", {"events": {"source": "none", "cause": "forbidden: list events"}}, "forbidden: list events"),
        ("nodes", {"nodes": {"source": "none", "cause": "observe_enabled is false"}}, "observe_enabled is false"),
        ("api-server", {"api_server": None}, "the API server's metrics were not read"),
        ("events", {"events": None}, "events were not watched"),
        ("nodes", {"nodes": None}, "kubelets were not read"),
        ("validity", {"validity": None}, "validity of the figures was not checked"),
        ("worst-pods", {"pods": {"worst": []}}, "no pod start was observed"),
    ],
)
def test_no_data_comes_with_its_cause(section: str, changed: dict[str, Any], expected: str) -> None:
    text = read(summary=summary(**changed)).text(section)
    assert "No data" in text
    assert expected in text


def test_run_without_any_measurement_shows_no_zero() -> None:
    reader = Reader(render_page(**example_page.aborted()))
    shown = " ".join(text for section, text in reader.sections.items() if section not in ("configuration", ""))
    assert re.findall(r"(?<![\d.:,])0(?![\d.:,])", shown) == []
    assert "No data: the run has no timeline.json." in reader.text("timeline")


@pytest.mark.parametrize("key", [key for key in example_page.summary_document() if key not in ("verdict", "run_id")])
def test_page_needs_no_key_but_verdict_and_run_id(key: str) -> None:
    document = summary()
    del document[key]
    assert read(summary=document).text("verdict").startswith("✓ Passed")
    assert read(summary=document | {key: None}).text("verdict").startswith("✓ Passed")


def test_outages_are_on_the_page() -> None:
    measured = batch(outages=outages(62.4), controllers=silent("kube-scheduler"))
    shown = validity_of(measured)
    assert "Outages" in shown
    for part in ("API server", "1 min 2 s", "https://10.0.0.1:6443: Connection refused", "kube-scheduler"):
        assert part in shown
    assert "None: the API server could be reached all the time" in validity_of(batch())


def test_what_the_guard_saw_is_on_the_page() -> None:
    shown = validity_of(batch(stopped_by="guard", aborted="guard: …", guard=guarded(peak=3)))
    for part in ("A threshold that is reached stops the run.", "pods that failed", "OOMKilled 1; first Pod n-1/p"):
        assert part in shown
    assert "nodes with the run's pods that are gone or not Ready no data 1 no the user may not watch nodes" in shown
    assert "p99 of the API server's answers 0.25 s 5 s no" in shown
    summary = build_summary(Evidence(run=RUN, batches=[batch(stopped_by="guard", aborted="guard: …")]))
    head = Reader(render_page(summary=summary, timeline=None, run=RUN)).text("verdict")
    assert "Aborted The guard stopped the run at a sign of ill health." in head
    assert "is only told" in validity_of(batch(guard=guarded(peak=3, stops=False)))
    assert "Guard" not in validity_of(batch())


def validity_of(measured: dict[str, Any]) -> str:
    summary = build_summary(Evidence(run=RUN, batches=[measured]))
    return Reader(render_page(summary=summary, timeline=None, run=RUN)).text("validity")


def test_page_is_made_of_a_summary_as_it_is_written() -> None:
    evidence = Evidence(run=RUN, batches=[batch()])
    document, timeline = build_summary(evidence), build_timeline(evidence)
    reader = Reader(render_page(summary=document, timeline=timeline, run=RUN))
    assert "Objects stored ✓ 34 of 34" in reader.text("key-figures")


# --- sections --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("levels", "✗ 1 of 4 service levels missed"),
        ("timeline", "build_jobs 1:33 to 5:12 (3 min 38 s)"),
        ("timeline", "! pressure worker-1: PIDPressure"),
        ("failures", "Failed: 14 objects, 14 Jobs, 96 pods."),
        ("failures", "OOMKilled (exit code 137)"),
        ("load", "Waited for the limit on requests in flight 31.5 s"),
        ("pods", "created to scheduled"),
        ("worst-pods", "1 pod listed here never started."),
        ("api-server", "Read 21 times from 1 server."),
        ("events", "BackOff Pod 24 0:12 3:20 shop-3/web-1-7c9d8f6b5-abcde"),
        ("nodes", "PIDPressure True KubeletHasInsufficientPID 1:30 2:10"),
        ("configuration", 'build_jobs_requests {"cpu": "50m", "memory": "64Mi"}'),
        ("configuration", "Kubernetes v1.36.3"),
        ("validity", "✗ poor This machine was at its limit in 41 of 312 seconds."),
    ],
)
def test_section_of_a_failed_run(section: str, expected: str) -> None:
    assert expected in Reader(render_page(**example_page.failed())).text(section)


def test_run_in_which_nothing_failed_says_so() -> None:
    document = summary(namespaces=[])
    document["pods"] |= {"failed": 0, "causes": {}}
    document["rate"] |= {"errors": {}}
    assert "✓ Nothing failed." in read(summary=document).text("failures")


def test_rows_are_bounded_and_the_rest_is_told() -> None:
    text = Reader(render_page(**example_page.huge())).text("failures")
    assert "The first 200 of 1,540 namespaces with failures; all are in summary.json." in text
    assert "200 of 7,700 failed pods; all are in failures.jsonl." in text


def test_all_namespaces_are_listed_and_not_only_failing_ones() -> None:
    page = render_page(**example_page.passed())
    names = [row["name"] for row in summary()["namespaces"]]
    shown = Reader(page).text("pods")
    assert f"All namespaces {len(names)} rows" in shown
    assert all(name in shown for name in names)
    assert "The first 2,000 of 2,001 namespaces; all are in summary.json." in read(
        summary=summary(namespaces=[{"name": f"n-{number}", "failed_pods": []} for number in range(2001)])
    ).text("pods")


def test_column_of_what_did_not_happen_is_left_out() -> None:
    quiet, loud = read().text("worst-pods"), Reader(render_page(**example_page.failed())).text("worst-pods")
    assert "Stages" in quiet
    assert "Cause" not in quiet
    assert "Cause" in loud


def test_times_of_the_check_of_services_are_a_table_where_there_was_one() -> None:
    evidence = Evidence(
        run=RUN, batches=[batch(connectivity=check_of_services(fast=9, slow=1, failed=1))], observations=[]
    )
    text = read(summary=build_summary(evidence)).text("pods")
    assert "Check of the Services" in text
    assert "whole answer 10 3.7 ms 5.0 ms 1.90 s" in text
    assert "10 requests, 1 failed. Answers: 9 × 200, 1 × 503." in text
    assert "Check of the Services" not in read().text("pods")
    silent = {"source": "none", "cause": "no pod told", "requests": None, "phases": {}}
    assert "No data: no pod told." in read(summary=summary(connectivity=silent)).text("pods")


def test_times_are_counted_from_where_the_plots_begin() -> None:
    reader = read(timeline=example_page.timeline_document(started=example_page.rfc3339(10)))
    assert "BackOff Pod 24 0:02 3:10" in reader.text("events")


def test_times_of_sending_are_called_so_and_stand_beside_the_whole() -> None:
    shown = summary(started="2026-11-21T04:00:00Z", finished="2026-11-21T05:30:00Z")
    shown["phases"] = [{"role": "build_jobs", "seconds": 58.0}]
    text = read(summary=shown).text("configuration")
    assert "First request to last response build_jobs 58 s the whole run 90 min" in text


def test_pressure_is_told_of_nodes_whose_kubelets_tell_nothing() -> None:
    nodes = example_page.nodes(3) | {"source": "none", "cause": "forbidden: get nodes/proxy"}
    text = read(summary=summary(nodes=nodes)).text("nodes")
    assert "No data on their load: forbidden: get nodes/proxy." in text
    assert "PIDPressure True" in text
