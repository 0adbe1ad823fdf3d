"""The playbook storage on a real control plane, and its page in a browser: sorted, filtered, by keyboard, on phones."""

from __future__ import annotations

import csv
import json
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.plugin_utils.storage_files import page_of
from helpers import example_storage as example
from helpers import pages
from helpers.waiting import until
from jsonschema import Draft202012Validator, FormatChecker
from playwright.sync_api import Browser, Page
from prometheus_client.openmetrics.parser import text_string_to_metric_families

PLAYBOOK = "kubestress.core.storage"
SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "storage.schema.json").read_text())
PHONE = {"width": 390, "height": 844}
#: A newcomer's patience, and what a play without a task takes on a machine that has nothing else to do.
SECONDS, IDLE_PLAY_SECONDS = 10.0, 1.0


@pytest.fixture(scope="module")
def namespace(kubectl: Callable[..., Any]) -> Iterator[str]:
    """Yield a namespace with two bound claims that nobody uses."""
    name = f"t-{secrets.token_hex(3)}-storage"
    objects: list[dict[str, Any]] = [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}]
    for claim in ("one", "two"):
        size = {"storage": "1Gi"}
        common = {"accessModes": ["ReadWriteOnce"], "storageClassName": name}
        volume = {"capacity": size, "hostPath": {"path": "/tmp/none"}, "claimRef": {"namespace": name, "name": claim}}
        wanted = {"resources": {"requests": size}, "volumeName": f"{name}-{claim}"}
        objects += [
            {
                "apiVersion": "v1",
                "kind": "PersistentVolume",
                "metadata": {"name": f"{name}-{claim}"},
                "spec": {**common, **volume, "persistentVolumeReclaimPolicy": "Retain"},
            },
            {
                "apiVersion": "v1",
                "kind": "PersistentVolumeClaim",
                "metadata": {"name": claim, "namespace": name},
                "spec": {**common, **wanted},
            },
        ]
    try:
        kubectl("apply", "-f", "-", stdin=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))

        def bound() -> bool:
            found = kubectl("get", "persistentvolumeclaims", "-n", name)["items"]
            return [one["status"].get("phase") for one in found] == ["Bound", "Bound"]

        until(bound)
        yield name
    finally:
        kubectl("delete", "namespace", name, "--wait=false", "--ignore-not-found")
        kubectl("delete", "persistentvolume", f"{name}-one", f"{name}-two", "--wait=false", "--ignore-not-found")


def document_of(folder: Path) -> dict[str, Any]:
    """Return the document, which the shipped schema takes."""
    document = json.loads((folder / "storage.json").read_text())
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(document)
    return document


def seconds_of(play: Callable[[], Any]) -> tuple[float, Any]:
    """How long a play takes, and what it did."""
    began = time.monotonic()
    done = play()
    return time.monotonic() - began, done


def test_newcomer_gets_everything_in_seconds(ansible_playbook: Any, namespace: str, tmp_path: Path) -> None:
    book = tmp_path / "nothing.yml"
    book.write_text("- {hosts: localhost, connection: local, gather_facts: false, tasks: []}\n")
    before, _done = seconds_of(lambda: ansible_playbook(book))
    took, done = seconds_of(lambda: ansible_playbook(PLAYBOOK, cwd=tmp_path))
    after, _done = seconds_of(lambda: ansible_playbook(book))
    assert done.rc == 0, done.output
    assert "changed=0" in done.stdout
    folder = tmp_path / "kubestress-results" / "storage"
    assert sorted(path.name for path in folder.iterdir()) == [
        "claims.csv", "findings.csv", "metrics.prom", "storage.html", "storage.json",
    ]  # fmt: skip
    assert document_of(folder)["summary"]["claims"] >= 2
    assert "── storage: " in done.stdout
    assert f"page       {folder}/storage.html" in done.stdout
    # Where other tests take the processors, everything takes as many times as long.
    slower = max(1.0, (before + after) / 2 / IDLE_PLAY_SECONDS)
    assert took < SECONDS * slower, f"{took:.1f} s, on a machine that is {slower:.1f} times as slow as an idle one"


def test_orphans_are_in_every_file_and_fail_the_play_if_asked_to(
    ansible_playbook: Any, namespace: str, tmp_path: Path
) -> None:
    given = {
        "storage_namespaces": namespace,
        "storage_parts": "claims,volumes,attachments",
        "storage_min_age": "0",
        "storage_formats": "json,csv,metrics",
        "storage_dest": str(tmp_path / "told"),
        "storage_fail_on": "orphans,incomplete",
    }
    checked = ansible_playbook(PLAYBOOK, "--check", extra_vars=given)
    assert "check mode: would write storage.json, findings.csv, claims.csv, metrics.prom to" in checked.stdout
    assert not (tmp_path / "told").exists()
    done = ansible_playbook(PLAYBOOK, extra_vars=given)
    assert done.rc != 0
    assert "storage_fail_on=orphans: 2 orphans of 2 GiB (2 × PersistentVolumeClaim)" in done.output
    document = document_of(tmp_path / "told")
    orphans = [one for one in document["findings"] if one["state"] == "orphan"]
    assert sorted((one["namespace"], one["name"], one["confirmed"]) for one in orphans) == [
        (namespace, "one", True),
        (namespace, "two", True),
    ]
    with (tmp_path / "told" / "findings.csv").open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["state"] == "orphan"]
    assert sorted(row["name"] for row in rows) == ["one", "two"]
    families = text_string_to_metric_families((tmp_path / "told" / "metrics.prom").read_text())
    counts = {
        tuple(sample.labels.values()): sample.value
        for family in families
        if family.name == "kubestress_storage_orphans"
        for sample in family.samples
    }
    assert counts["PersistentVolumeClaim", orphans[0]["reason"]] == 2
    passed = ansible_playbook(PLAYBOOK, extra_vars={**given, "storage_fail_on": "over_threshold,incomplete"})
    assert passed.rc == 0, passed.output


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"storage_min_age": "a week"},
            "storage_min_age: 'a week' is not allowed; a number of seconds, or with a unit",
        ),
        ({"storage_formats": "json,pdf"}, "storage_formats: 'pdf' is not allowed; choose one of json, csv, yaml"),
        ({"storage_fail_on": "orphan"}, "choose one of none, orphans, incomplete, over_threshold"),
        ({"storage_minimum_age": "7d"}, "storage_minimum_age: no role of kubestress.core has such a variable"),
        ({"storage_top": "-1"}, "storage_top: -1 is not allowed; it must be 0 to 100,000"),
    ],
)
def test_bad_input_is_one_line(cluster_free_playbook: Any, tmp_path: Path, given: dict[str, Any], told: str) -> None:
    done = cluster_free_playbook(PLAYBOOK, extra_vars=given, cwd=tmp_path)
    assert done.rc != 0
    assert told in done.output
    assert list(tmp_path.iterdir()) == [], "nothing is written"


# --- the page in a browser -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return the example pages as files, by name."""
    folder = tmp_path_factory.mktemp("storage-pages")
    files = {}
    for name in ("tidy", "busy", "hostile", "large"):
        files[name] = folder / f"{name}.html"
        files[name].write_text(page_of(getattr(example, name)()), encoding="utf-8", errors="replace")
    return files


@pytest.fixture
def visit(chromium: Browser, made: dict[str, Path]) -> Callable[..., Any]:
    """Return a function that opens an example's page; nothing may be asked for or complained of while it is open."""
    return lambda name, **options: pages.opened(chromium, made[name], **options)


def visible(page: Page, table: str) -> list[str]:
    """The first cells of the rows that are seen; in the page, because each question to it takes a while."""
    rows = f"[...document.querySelectorAll('#{table} tbody tr')].filter((row) => row.checkVisibility())"
    found: list[str] = page.evaluate(f"{rows}.map((row) => row.cells[0].innerText)")
    return found


@pytest.mark.parametrize(
    ("name", "options"),
    [("busy", {}), ("busy", {"color_scheme": "dark"}), ("tidy", {}), ("hostile", {"color_scheme": "dark"})],
)
def test_axe_finds_no_barriers_and_only_tables_scroll_sideways(
    visit: Callable[..., Any], name: str, options: dict[str, Any]
) -> None:
    with visit(name, **options) as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert pages.barriers(page) == []
        for width in (1280, 700, 390, 320):
            page.set_viewport_size({"width": width, "height": 844})
            until(lambda: page.evaluate("document.documentElement.scrollWidth <= innerWidth"))
        assert pages.barriers(page) == []


def test_what_was_not_read_is_seen_first_on_a_phone(visit: Callable[..., Any]) -> None:
    with visit("busy") as page:
        page.set_viewport_size(PHONE)
        box = page.locator("#verdict h2").bounding_box()
        assert box is not None
        assert box["y"] < PHONE["height"] / 2
        assert "1 of 8 kubelets did not answer: node-7" in page.locator("#incomplete").inner_text()


def test_hostile_names_are_text(visit: Callable[..., Any]) -> None:
    with visit("hostile") as page:
        cells = page.locator("#findings-table code", has_text="<script>alert(1)</script>")
        assert cells.count() >= 2
        page.locator("#findings .filter select").first.select_option(index=1)
        assert page.locator("#findings .filter option", has_text="<img src=x").count() >= 1
        assert page.locator("img").count() == 0


def test_ten_thousand_findings_are_found_sorted_and_filtered_by_keyboard(visit: Callable[..., Any]) -> None:
    with visit("large") as page:
        said = page.locator("#findings output")
        assert said.inner_text() == "10,000 rows"
        assert len(visible(page, "findings-table")) == 25
        page.locator("#findings input[type=search]").focus()
        page.keyboard.type("pvc-00421 volume")
        until(lambda: said.inner_text() == "1 of 10,000 rows")
        assert visible(page, "findings-table") == ["pvc-00421-6a0f6f0e-1f3b-4d0c"]
        page.keyboard.press("Control+A")
        page.keyboard.press("Delete")
        until(lambda: said.inner_text() == "10,000 rows")
        state = page.get_by_role("search", name="All findings: filter").get_by_label("State")
        state.focus()
        # A busy machine takes several letters as the beginnings of several words.
        page.keyboard.press("o")
        until(lambda: said.inner_text() == "2,000 of 10,000 rows")
        # The largest first: sizes grow with the index.
        page.locator("#findings-table thead button", has_text="Size").focus()
        page.keyboard.press("Enter")
        assert visible(page, "findings-table")[0] == "pvc-09979-6a0f6f0e-1f3b-4d0c"
        more = page.locator("#findings .more")
        assert more.inner_text() == "Show 500 more of 2,000 rows"
        more.focus()
        page.keyboard.press("Enter")
        assert len(visible(page, "findings-table")) == 525
        assert more.get_attribute("aria-expanded") == "true"


def test_paper_has_what_the_filter_leaves(visit: Callable[..., Any]) -> None:
    with visit("large") as page:
        page.locator("#findings input[type=search]").fill("pvc-0042")
        until(lambda: page.locator("#findings output").inner_text() == "10 of 10,000 rows")
        page.emulate_media(media="print")
        assert len(visible(page, "findings-table")) == 10
        assert not page.locator("#findings .filter").is_visible()


def test_without_a_script_the_tables_are_whole(visit: Callable[..., Any]) -> None:
    with visit("busy", java_script_enabled=False) as page:
        assert page.locator("#findings-table tbody tr:visible").count() == len(example.busy()["findings"])
        assert page.locator(".filter").count() == 0
