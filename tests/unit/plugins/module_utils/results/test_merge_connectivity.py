"""The checks of the Services of several batches as one, and what is written of it."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.results.evidence import Evidence
from ansible_collections.kubestress.core.plugins.module_utils.results.merge_connectivity import merged_connectivity
from ansible_collections.kubestress.core.plugins.module_utils.results.openmetrics import openmetrics_text
from ansible_collections.kubestress.core.plugins.module_utils.results.rendering import report_lines
from ansible_collections.kubestress.core.plugins.module_utils.results.summary import bounded, build_summary
from helpers.example_batches import RUN, batch, check_of_services


def summary(*batches: dict[str, Any]) -> dict[str, Any]:
    return build_summary(Evidence(run=RUN, batches=[*batches], observations=[]))


def table(*batches: dict[str, Any]) -> str:
    return " ".join("\n".join(line.text for line in report_lines(summary(*batches), path="p")).split())


def test_percentiles_come_from_the_added_buckets():
    one = batch(connectivity=check_of_services(fast=90, slow=0))
    two = batch(connectivity=check_of_services(fast=0, slow=10, failed=10))
    merged = merged_connectivity([one, batch(), two])
    assert merged is not None
    assert (merged["source"], merged["cause"], merged["requests"], merged["failed"]) == ("pods", None, 100, 10)
    assert merged["codes"] == {"200": 90, "503": 10}
    assert merged["phases"]["name_lookup"] is None
    total = merged["phases"]["total"]
    # 90 of 100 within 2 to 5 ms, as many in each part of it; the others within 1 to 2 s.
    assert (total["count"], total["p50_s"], total["p90_s"], total["p99_s"]) == (100, 0.0037, 0.005, 1.9)
    assert (total["buckets"]["0.005"], total["buckets"]["+Inf"]) == (90, 100)


def test_a_run_that_checks_no_services_has_none():
    assert merged_connectivity([batch(), batch(connectivity=None)]) is None
    assert summary(batch())["connectivity"] is None
    assert "Services" not in table(batch())
    assert "service_request" not in openmetrics_text(summary(batch()))


def test_without_figures_the_cause_is_told():
    silent = check_of_services(fast=0, slow=0) | {
        "told": 0,
        "requests": None,
        "failed": None,
        "codes": {},
        "phases": {},
    }
    merged = merged_connectivity([batch(connectivity=silent)])
    assert merged is not None
    assert (merged["source"], merged["requests"]) == ("none", None)
    assert merged["phases"] == dict.fromkeys(("name_lookup", "connect", "first_byte", "total"))
    assert "simulated nodes" in merged["cause"]
    assert "no data: " in table(batch(connectivity=silent))
    assert "times of Services" in table(batch(connectivity=silent))
    unwatched = merged_connectivity([batch(connectivity=silent | {"cause": "pods were not watched"})])
    assert unwatched is not None
    assert unwatched["cause"] == "pods were not watched"


def test_the_table_of_the_end_has_one_line_of_it():
    checked = batch(connectivity=check_of_services(fast=90, slow=10, failed=10))
    assert "Services 100 requests, 10 failed; total p50 3.7 ms, p99 1,900.0 ms" in table(checked)


def test_open_metrics_have_the_figures():
    text = openmetrics_text(summary(batch(connectivity=check_of_services(fast=90, slow=10, failed=10))))
    labels = 'run_id="r1",profile="safe"'
    assert f"kubestress_service_requests{{{labels}}} 100\n" in text
    assert f"kubestress_service_requests_failed{{{labels}}} 10\n" in text
    assert f'kubestress_service_request_codes{{{labels},code="503"}} 10\n' in text
    assert f'kubestress_service_request_seconds{{{labels},phase="total",quantile="0.99"}} 1.9\n' in text


def test_what_the_task_returns_has_no_buckets():
    found = bounded(summary(batch(connectivity=check_of_services(fast=1, slow=0))))["connectivity"]
    assert "buckets" not in found["phases"]["total"]
    assert found["phases"]["total"]["count"] == 1
