"""The playbook storage beside an API server that lies: nothing is run, followed or leaked, and every file is whole."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import yaml
from helpers import pages
from helpers.example_storage import HOSTILE as TEXTS
from helpers.fake_server import serving_beside, status
from helpers.storage import Objects, StorageServer, answering, endless
from jsonschema import Draft202012Validator, FormatChecker
from playwright.sync_api import Browser
from prometheus_client.openmetrics.parser import text_string_to_metric_families

PLAYBOOK = "kubestress.core.storage"
SCHEMA = json.loads((Path(__file__).resolve().parents[2] / "docs" / "storage.schema.json").read_text())
#: A lone surrogate is no text in JSON, and tested as an answer of its own.
HOSTILE = [text.replace("\ud800", "") for text in TEXTS]
TOKEN = "sesame-open"
FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]")
#: What a terminal obeys; Ansible's own output has line feeds only.
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def hostile_objects() -> Objects:
    """Every text that a server can choose is one that must stay text, and references go in circles."""
    objects = Objects()
    for number, text in enumerate(HOSTILE):
        note = {"note": text + "x" * 200_000}
        owner = [{"kind": text, "name": text, "uid": f"uid-{text}"}]
        objects.claim(text, namespace=text, volume=text, storage_class=text, size=text or "1Gi", annotations=note)
        objects.claim(f"own-{number}", namespace=text, owners=owner, finalizers=[text], deleted=text)
        objects.volume(f"v{text}", phase="Released", claim=f"ns/{text}", claim_uid=text, driver=text, message=text)
        objects.volume(f"f{text}", phase="Failed", message=text, storage_class=text, size="9" * 400)
        objects.storage_class(text)
        objects.attachment(text, node=text)
        objects.pod(text, f"own-{number}", namespace=text, node=text)
        objects.snapshot(text, content=f"s{text}", source=text, error=text, snapshot_class=text, taken=text)
        objects.content(f"s{text}", snapshot=f"ns/{text}", snapshot_uid=f"uid-{text}", driver=text, error=text)
        objects.content(f"t{text}", snapshot=f"{text}/x", snapshot_uid="gone", driver=text, created=text)
    # A claim that is restored from a snapshot that was made of it, and an owner of itself.
    objects.claim("circle", owners=[{"kind": "PersistentVolumeClaim", "name": "circle", "uid": "uid-circle"}])
    objects.lists["claims"][-1]["spec"]["dataSource"] = {"kind": "VolumeSnapshot", "name": "circle"}
    objects.snapshot("circle", source="circle", content="circle")
    objects.content("circle", snapshot="ns/circle", snapshot_uid="uid-circle")
    objects.lists["nodes"] = [
        {"metadata": {"name": text}, "status": {"daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}}}}
        for text in HOSTILE
    ]
    return objects


def play(playbook: Any, url: str, folder: Path, **given: str) -> tuple[Any, dict[str, Any]]:
    """Run the playbook on the server; return what it did and its document, and look for what may never be there."""
    every = {"storage_formats": "json,csv,yaml,metrics,html", "storage_metrics_per_object": "true"}
    variables = {"storage_dest": str(folder), "storage_min_age": "0", **every, **given}
    words = [word for name, value in variables.items() for word in ("-e", f"{name}={value}")]
    env = {"K8S_AUTH_HOST": url, "K8S_AUTH_API_KEY": TOKEN, "K8S_AUTH_KUBECONFIG": ""}
    done = playbook(PLAYBOOK, *words, env=env)
    assert "Traceback" not in done.output
    assert CONTROLS.search(done.output) is None
    assert folder.exists(), done.output
    files = {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}
    assert sorted(files) == [
        "claims.csv", "findings.csv", "metrics.prom", "storage.html", "storage.json", "storage.yaml",
    ]  # fmt: skip
    assert [name for name, text in (*files.items(), ("output", done.output)) if TOKEN in text] == []
    document = json.loads(files["storage.json"])
    Draft202012Validator(SCHEMA, format_checker=FormatChecker()).validate(document)
    assert yaml.safe_load(files["storage.yaml"]) == document
    assert list(text_string_to_metric_families(files["metrics.prom"]))
    for name in ("findings.csv", "claims.csv"):
        for row in csv.reader(files[name].splitlines(keepends=True)):
            assert [cell for cell in row if FORMULA.match(cell)] == []
    return done, document


def test_hostile_texts_stay_texts_in_every_report(
    cluster_free_playbook: Any, chromium: Browser, tmp_path: Path
) -> None:
    server = StorageServer(hostile_objects())
    with serving_beside(server.handle) as url:
        done, document = play(cluster_free_playbook, url, tmp_path / "out")
    assert done.rc == 0, done.output
    assert document["summary"]["claims"] == 2 * len(HOSTILE) + 1
    names = {one["name"] for one in document["findings"]}
    assert HOSTILE[0] in names
    assert "circle" not in names
    # A kubelet's name becomes part of a path: no other path may be asked for.
    assert not [name for name in server.asked if name.startswith("kubelet/") and name != "kubelet/proxy"]
    with pages.opened(chromium, tmp_path / "out" / "storage.html") as page:
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert page.locator("img").count() == 0
        assert page.locator("#findings-table code", has_text=HOSTILE[0]).count() >= 1


def test_answers_without_end_and_refusals_of_many_lines(cluster_free_playbook: Any, tmp_path: Path) -> None:
    """What else a server may answer, test_reading.py has: most of that is retried for half a minute."""
    objects = Objects()
    objects.claim("left", volume="v")
    objects.volume("v", claim="ns/left", claim_uid="uid-left")
    server = StorageServer(objects)
    server.instead = {
        "jobs": endless,
        "attachments": answering(lambda: status(403, message=f"no\r\n\x1b[31m {'x' * 5000}")),
    }
    with serving_beside(server.handle) as url:
        done, document = play(cluster_free_playbook, url, tmp_path / "told")
    assert done.rc == 0, done.output
    causes = {name: part["cause"] for name, part in document["parts"].items() if not part["complete"]}
    assert set(causes) == set(server.instead)
    assert all(cause.isprintable() and len(cause) < 500 for cause in causes.values())
    assert [(one["name"], one["state"]) for one in document["findings"]] == [("left", "unknown")]
