"""junit.xml: a case for each promise, in the form that the strictest reader takes."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import Evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.junit import junit_xml
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import build_summary
from helpers.example_batches import RUN, batch, counts, failure
from helpers.example_observations import api_server, observation, sli

# What the schemas in use (Jenkins' xUnit, Windy Road's) both want and both allow, one line an element.
ATTRIBUTES = {
    "testsuites": set(),
    "testsuite": {"name", "tests", "failures", "errors", "skipped", "time", "timestamp", "hostname", "id", "package"},
    "testcase": {"name", "classname", "time"},
    "property": {"name", "value"},
    "failure": {"message", "type"},
    "error": {"message", "type"},
    "skipped": {"message"},
}
CHILDREN = {
    "testsuites": ["testsuite*"],
    "testsuite": ["properties", "testcase*", "system-out", "system-err"],
    "testcase": ["skipped|error|failure?"],
    "properties": ["property*"],
}
SLOW = api_server(sli=[sli("POST", "pods", 0, 0, 0, 10, 90, 100)])


def check(element: ET.Element) -> None:
    """Fail where an element is not as the schemas want it."""
    assert set(element.attrib) == ATTRIBUTES.get(element.tag, set()), element.tag
    pattern = "".join(
        f"(?:<(?:{rule.rstrip('*?')})>){rule[-1] if rule[-1] in '*?' else ''}" for rule in CHILDREN.get(element.tag, [])
    )
    assert re.fullmatch(pattern, "".join(f"<{child.tag}>" for child in element)), element.tag
    if element.tag == "testsuite":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", element.attrib["timestamp"])
        cases = element.findall("testcase")
        assert int(element.attrib["tests"]) == len(cases)
        for count, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            assert int(element.attrib[count]) == sum(case.find(tag) is not None for case in cases)
    for child in element:
        check(child)


def document(*batches, observations=(), stopped=(), error="", slo_required=False, run=RUN) -> ET.Element:
    evidence = Evidence(run=run, batches=[*batches], observations=[*observations], stopped=[*stopped])
    summary = build_summary(evidence, error=error, slo_required=slo_required)
    text = junit_xml(summary, slo_required=slo_required)
    assert text.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites>')
    root = ET.fromstring(text)
    check(root)
    return root


def cases(root: ET.Element) -> dict[str, str]:
    """Return each case's name and how it ended."""
    return {case.attrib["name"]: next((child.tag for child in case), "passed") for case in root.iter("testcase")}


def test_a_run_that_kept_its_promises():
    root = document(batch(), observations=[observation()])
    assert cases(root) == {
        "the run finishes": "passed",
        "every Deployment is stored": "passed",
        "every Deployment is ready": "passed",
        "every Job is stored": "passed",
        "every Job completes": "passed",
        "Job pods stay under their ceiling": "passed",
        "pod start-up: pods": "skipped",
        "read-only API calls: pods (cluster)": "skipped",
        "mutating API calls: POST pods (namespace)": "skipped",
    }
    assert root.find("testsuite").attrib["time"] == "62.500"
    told = {case.attrib["name"]: case.find("skipped") for case in root.iter("testcase")}
    assert "was between 0.05 and 0.1 s over 1000 calls" in told["mutating API calls: POST pods (namespace)"].attrib[
        "message"
    ].replace(",", "")
    assert root.find("testsuite/properties/property[@name='run_id']").attrib["value"] == "r1"


def test_a_broken_promise_is_a_failure_with_its_reasons():
    jobs = {"complete": 1, "failed": 2, "peak_active_pods": 7, "ceiling_active_pods": 6}
    root = document(batch(objects={"Deployment": counts(30, failed=2, created=20), "Job": counts(4)}, jobs=jobs))
    ended = cases(root)
    assert (ended["every Deployment is stored"], ended["every Job completes"]) == ("failure", "failure")
    assert (ended["Job pods stay under their ceiling"], ended["the run finishes"]) == ("failure", "passed")
    failed = root.find(".//testcase[@name='every Deployment is stored']/failure")
    assert failed.attrib["message"] == "Deployment: 2 of 30 could not be created"
    assert failed.text.splitlines() == [
        "Deployment: 2 of 30 could not be created", "Deployment: 8 of 30 were never sent",
    ]  # fmt: skip


def test_a_run_that_was_cut_short_is_an_error():
    root = document(batch(finished=None, jobs={}), stopped=["build_jobs: the batch did not finish"])
    error = root.find(".//testcase[@name='the run finishes']/error")
    assert error.attrib == {"message": "build_jobs: the batch did not finish", "type": "aborted"}
    nothing = document(error="the API server cannot be reached")
    assert cases(nothing)["the run finishes"] == "error"
    assert set(cases(nothing).values()) == {"error", "skipped"}


def test_service_levels_fail_only_where_they_are_required():
    name = "mutating API calls: POST pods (namespace)"
    assert cases(document(batch(), observations=[observation(api_server=SLOW)]))[name] == "skipped"
    required = document(batch(), observations=[observation(api_server=SLOW)], slo_required=True)
    assert cases(required)[name] == "failure"
    assert cases(required)["pod start-up: pods"] == "passed"
    assert cases(document(batch(pods={}), slo_required=True))["service levels are judged"] == "failure"


@pytest.mark.parametrize("text", ["\x1b[31mred\x00", "]]> & <script>", "ünïcode \U0001f600 \ud800"])
def test_whatever_a_cluster_answers_is_still_xml(text):
    named = failure("Deployment", "web-1", message=text)
    root = document(batch(first_failures=[named], aborted=text), run={**RUN, "profile": text})
    message = root.find(".//error").attrib["message"]
    assert message.endswith(
        " ".join(text.replace("\x1b", "\ufffd").replace("\x00", "\ufffd").split()).replace("\ud800", "\ufffd")
    )
