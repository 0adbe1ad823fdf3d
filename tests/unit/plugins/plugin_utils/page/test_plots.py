"""Plots: bounded, with their gaps, their limits, their words and their table."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.page.formats import number
from ansible_collections.kubestress.core.plugins.plugin_utils.page.plots import (
    Limit,
    Plot,
    Series,
    as_data,
    described,
    in_sight,
    mean,
    plots_of,
    table_of,
    thinned,
)
from helpers import example_page


def plot(*values: float | None, merge=max, limit: float | None = None) -> Plot:
    limits = [] if limit is None else [Limit(name="allowed", value=limit)]
    series = [Series(name="requests", values=list(values), merge=merge)]
    times = [float(index) for index in range(len(values))]
    return Plot(id="p", title="Requests", unit="requests", times=times, series=series, limits=limits)


def test_short_plot_stays_as_it_is() -> None:
    assert thinned(plot(1, 2, 3), points=3).series[0].values == [1, 2, 3]


def test_long_plot_keeps_its_peaks_and_its_gaps() -> None:
    short = thinned(plot(1, 9, None, 2, None, None, 3), points=4)
    assert short.series[0].values == [9, 2, None, 3]
    assert short.times == [0, 2, 4, 6]


def test_rates_are_averaged() -> None:
    assert thinned(plot(1, 9, None, 2, merge=mean), points=2).series[0].values == [5, 2]


@pytest.mark.parametrize(("limit", "drawn"), [(12, True), (40, True), (41, False), (1_000_000, False)])
def test_limit_is_drawn_where_it_does_not_flatten_the_lines(limit: float, drawn: bool) -> None:
    one = plot(3, 10, limit=limit)
    assert in_sight(one, one.limits[0]) is drawn
    assert len(as_data(one)["limits"]) == int(drawn)
    assert f"allowed {limit:,}" in described(one)


def test_words_say_the_peak_and_when() -> None:
    assert described(plot(3, None, 10, 4)) == "Requests (requests): requests peak 10 at 0:02."
    assert described(plot(None, None)) == "Requests (requests): requests: no data."


def test_table_says_the_same_in_few_rows() -> None:
    table = table_of(plot(*range(100)))
    assert len(table.rows) == 20
    assert [cell.text for cell in table.rows[-1]] == ["1:35", "99"]


def test_data_is_short_and_holds_no_number_that_json_lacks() -> None:
    values = as_data(plot(1.0, 1.23456, None, float("nan"), 123456.7))["series"][0]["values"]
    assert values == [1, 1.235, None, None, 123457]


def test_timeline_gives_every_plot_on_one_axis() -> None:
    plots = plots_of(example_page.timeline_document(), example_page.summary_document())
    assert [one.id for one in plots] == [
        "plot-load",
        "plot-flight",
        "plot-latency",
        "plot-pods",
        "plot-client",
        "plot-server-cpu",
        "plot-server-flight",
        "plot-server-memory",
        "plot-threads",
    ]
    assert all(len(series.values) == len(one.times) for one in plots for series in one.series)


def test_bins_of_two_seconds_are_rates_per_second() -> None:
    timeline = {"load": {"bin_seconds": 2, "series": {"requests": [10, 20], "errors": [0, 2], "retries": [0, 0]}}}
    (load,) = plots_of(timeline, {})
    assert [one.values for one in load.series] == [[5, 10], [0, 1], [0, 0]]
    assert load.times == [1, 3]


def test_nodes_of_different_times_share_an_axis_and_the_lowest_limit() -> None:
    nodes = [
        {"node": "a", "t": [0, 5], "threads": [10, 20], "limits": {"max_threads": 100, "pod_pids_limit": 5}},
        {"node": "b", "t": [0, 7], "threads": [30, None], "limits": {"max_threads": 80}},
        {"node": "c", "t": [0], "threads": [None], "limits": {}},
    ]
    (threads,) = plots_of({"nodes": nodes}, {})
    assert threads.times == [0, 5, 7]
    assert {one.name: one.values for one in threads.series} == {"b": [30, None, None], "a": [10, 20, None]}
    assert [(one.name, one.value) for one in threads.limits] == [("node limit", 80)]


@pytest.mark.parametrize("timeline", [None, {}, {"load": {"series": {}}, "api_server": {}, "nodes": []}])
def test_without_data_there_is_no_plot(timeline: dict | None) -> None:
    assert plots_of(timeline, {}) == []


def test_over_another_figure_than_time() -> None:
    plot = Plot(
        id="p", title="T", unit="seconds", times=[3, 8], series=[Series(name="p99", values=[1.5, 12.0])],
        axis="pods", along=number,
    )  # fmt: skip
    assert described(plot) == "T (seconds): p99 peak 12.00 s at 8."
    table = table_of(plot)
    assert table.columns[0].name == "pods"
    assert [row[0].text for row in table.rows] == ["3", "8"]
