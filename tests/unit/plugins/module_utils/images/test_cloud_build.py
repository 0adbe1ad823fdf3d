"""Cloud Build against the stand-in: every end, the growing log, what is refused, and what is nowhere to be read.

Builds that end well push to a real registry, so they are in tests/integration/test_cloud_build.py.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.errors import ModuleFailed
from ansible_collections.kubestress.core.plugins.module_utils.images import cloud_storage
from helpers.cloud import PROJECT, Cloud

Build = Callable[..., dict[str, Any]]
BUCKET = f"{PROJECT}_cloudbuild"


@pytest.fixture
def failed(cloud: Cloud, build: Build, tmp_path: Path) -> Callable[..., str]:
    """A function that builds, and returns the one line that tells why that failed."""

    def run(**options: Any) -> str:
        with pytest.raises(ModuleFailed) as caught:
            build(**options)
        text = str(caught.value)
        log = tmp_path / "image.log"
        told = text + str(caught.value.result) + (log.read_text() if log.exists() else "")
        assert "\n" not in text
        assert [secret for secret in cloud.secrets() if secret in told] == []
        return text

    return run


@pytest.mark.parametrize("state", ["FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED", "STATUS_UNKNOWN"])
def test_every_bad_end_is_told_with_cause_and_log(
    cloud: Cloud, failed: Callable[..., str], tmp_path: Path, state: str
) -> None:
    cloud.ends, cloud.failure = state, {"type": "USER_BUILD_STEP", "detail": "Build step failure: docker"}
    text = failed()
    (build,) = cloud.builds.values()
    assert f"build {build.document['id']} ended as {state}; Build step failure: docker" in text
    assert f"ERROR: {state} / and no newline at the end" in text
    assert build.document["logUrl"] in text
    # It has ended, so that nobody cancels it.
    assert cloud.cancelled == []
    # The log came in pieces that do not end where its lines do; none of them is lost or there twice.
    lines = (tmp_path / "image.log").read_text().splitlines()
    assert [line for line in lines if not line.startswith("[")] == [
        "looked at 3 times", "half a looked at 5 times", f"half a ERROR: {state}",
        "and no newline at the end",
    ]  # fmt: skip


def test_what_is_asked_for(cloud: Cloud, failed: Callable[..., str]) -> None:
    cloud.ends = "FAILURE"
    failed(region="us", repository="jobs", tag="v1\n", project=f"{PROJECT}\n", timeout="600")
    (build,) = cloud.builds.values()
    image = f"us-docker.pkg.dev/{PROJECT}/jobs/train:v1"
    assert build.document["steps"][0]["args"] == ["build", "-f", "Dockerfile", "-t", image, "."]
    assert build.document["images"] == [image]
    assert (build.document["timeout"], build.document["queueTtl"]) == ("600s", "3600s")
    source = build.document["source"]["storageSource"]
    assert source["bucket"] == BUCKET
    assert cloud.objects[BUCKET, source["object"]][1] == source["generation"]
    assert cloud.buckets == {BUCKET: PROJECT}


def test_a_step_that_fails(cloud: Cloud, failed: Callable[..., str]) -> None:
    """The stand-in runs no RUN, as docker would end a RUN that fails."""
    cloud.registry = object()  # type: ignore[assignment]
    assert "ended as FAILURE; this stand-in runs no RUN" in failed()


@pytest.mark.parametrize("silent", [False, True])
def test_busy_services_are_asked_later(cloud: Cloud, failed: Callable[..., str], tmp_path: Path, silent: bool) -> None:
    """429 while it is looked at; and a log that is not there until the end (404), or has nothing new (416)."""
    cloud.busy, cloud.silent_log, cloud.ends = 3, silent, "FAILURE"
    assert "ended as FAILURE" in failed()
    assert cloud.busy == 0
    assert cloud.answers[404 if silent else 416] > 0
    assert (tmp_path / "image.log").read_text().count("ERROR: FAILURE") == 1


@pytest.mark.parametrize(
    ("fault", "value", "said"),
    [
        ("log_refused", 403, "the log cannot be shown: gs://my-project_cloudbuild/log-"),
        ("logging", "CLOUD_LOGGING_ONLY", "the log is not in a bucket"),
    ],
)
def test_a_log_that_cannot_be_read_is_told_once_and_hinders_nothing(
    cloud: Cloud, failed: Callable[..., str], tmp_path: Path, fault: str, value: Any, said: str
) -> None:
    setattr(cloud, fault, value)
    cloud.ends = "TIMEOUT"
    assert "ended as TIMEOUT" in failed()
    assert (tmp_path / "image.log").read_text().count(said) == 1


@pytest.mark.parametrize("uses", [1, 2, 3])
def test_a_token_that_has_expired_is_renewed(cloud: Cloud, failed: Callable[..., str], uses: int) -> None:
    cloud.uses_per_token, cloud.ends = uses, "FAILURE"
    assert "ended as FAILURE" in failed()
    assert len(cloud.tokens) > 3


@pytest.mark.parametrize(
    ("prefix", "status", "said"),
    [
        ("GET /storage/v1/b/", 403, f"bucket {BUCKET}: HTTP 403: no right"),
        ("POST /storage/v1/b", 403, f"bucket {BUCKET}: HTTP 403: no right"),
        ("POST /upload/", 403, f"upload to gs://{BUCKET}/source/"),
        (f"POST /v1/projects/{PROJECT}/builds", 403, f"Cloud Build in project {PROJECT}: HTTP 403: no right"),
        (f"POST /v1/projects/{PROJECT}/builds", 429, f"Cloud Build in project {PROJECT}: HTTP 429: no right"),
    ],
)
def test_what_is_refused_is_named(
    cloud: Cloud, failed: Callable[..., str], prefix: str, status: int, said: str
) -> None:
    cloud.refused[prefix] = (status, "no right\nto do that")
    text = failed()
    assert said in text
    assert f"HTTP {status}: no right to do that" in text


def test_a_refusal_while_the_build_goes_on_cancels_it(cloud: Cloud, failed: Callable[..., str]) -> None:
    cloud.refused[f"GET /v1/projects/{PROJECT}/builds/"] = (403, "no right")
    assert "HTTP 403: no right" in failed()
    assert cloud.cancelled == list(cloud.builds)


def test_a_bucket_of_another_project_gets_nothing(cloud: Cloud, failed: Callable[..., str]) -> None:
    cloud.buckets[BUCKET] = "another-project"
    assert f"bucket {BUCKET} is not one of project {PROJECT}" in failed()
    assert f"bucket {BUCKET} is not one of project {PROJECT}" in failed(cloud_build={"bucket": BUCKET})
    assert (cloud.objects, cloud.builds) == ({}, {})


def test_a_bucket_that_another_project_hides(cloud: Cloud, failed: Callable[..., str]) -> None:
    """It looks as if there were none, and cannot be made: 409."""
    cloud.buckets[BUCKET] = "another-project"
    cloud.refused[f"GET /storage/v1/b/{BUCKET}"] = (404, "not found")
    assert f"bucket {BUCKET} is not one of project {PROJECT}" in failed()
    assert cloud.objects == {}


def test_a_bucket_may_not_be_where_the_service_makes_it(cloud: Cloud, failed: Callable[..., str]) -> None:
    """An organisation may say where data is; then the user says it too."""
    cloud.allowed_locations, cloud.ends = ("EUROPE-WEST4",), "FAILURE"
    text = failed()
    assert f"bucket {BUCKET}: HTTP 412: 'us' violates constraint 'constraints/gcp.resourceLocations'; " in text
    assert "name one with cloud_build.bucket, or where it may be with cloud_build.bucket_location" in text
    assert (cloud.buckets, cloud.builds) == ({}, {})
    assert "ended as FAILURE" in failed(cloud_build={"bucket_location": " EUROPE-WEST4\n"})
    assert cloud.locations == {BUCKET: "EUROPE-WEST4"}


@pytest.mark.parametrize("hidden", [False, True])
def test_a_bucket_that_the_user_names(cloud: Cloud, failed: Callable[..., str], hidden: bool) -> None:
    """Whosever it is, and also if only its objects may be written; sources and the log are in it."""
    cloud.buckets["shared-by-all"], cloud.ends = "another-project", "FAILURE"
    if hidden:
        cloud.refused["GET /storage/v1/b/shared-by-all"] = (403, "does not have storage.buckets.get access")
    text = failed(cloud_build={"bucket": "gs://shared-by-all/", "location": "Europe-West4"})
    assert "ended as FAILURE" in text
    (build,) = cloud.builds.values()
    assert build.document["source"]["storageSource"]["bucket"] == "shared-by-all"
    assert build.document["logsBucket"] == "gs://shared-by-all"
    assert build.location == "/locations/europe-west4"
    assert list(cloud.buckets) == ["shared-by-all"]


def test_a_build_in_a_location_is_cancelled_there(cloud: Cloud, failed: Callable[..., str]) -> None:
    cloud.refused[f"GET /v1/projects/{PROJECT}/locations/us-east1/builds/"] = (403, "no right")
    failed(cloud_build={"location": "us-east1", "bucket": "made-here"})
    assert cloud.cancelled == list(cloud.builds)
    assert (cloud.buckets, cloud.locations) == ({"made-here": PROJECT}, {"made-here": "US"})


@pytest.mark.parametrize(
    ("option", "value", "rule"),
    [
        ("bucket", "gs://shared/folder", "'shared/folder'; allowed are 3 to 222 lower-case letters"),
        ("bucket", "No", "'No'; allowed are 3 to 222"),
        ("bucket_location", "eu/west", "'eu/west'; allowed is a location such as europe-west4 or EU"),
        ("location", "../x", "'../x'; allowed is a location"),
    ],
)
def test_places_that_cannot_be(failed: Callable[..., str], cloud: Cloud, option: str, value: str, rule: str) -> None:
    assert failed(cloud_build={option: value}).startswith(f"image: cloud_build.{option}: {rule}")
    assert cloud.requests == []


def test_a_project_of_a_domain(cloud: Cloud, failed: Callable[..., str]) -> None:
    cloud.ends = "FAILURE"
    failed(project="example.com:train")
    assert list(cloud.buckets) == ["example_com_train_cloudbuild"]
    (build,) = cloud.builds.values()
    assert build.document["images"] == ["gcr.io/example.com/train/train:latest"]


@pytest.mark.parametrize(("short", "lost"), [(0, 0), (2**18, 0), (0, 1), (2**18, 1)])
def test_a_large_context_is_sent_in_pieces(
    cloud: Cloud, failed: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short: int, lost: int
) -> None:
    """Some of them arrive in part, or their answer is lost; every byte is there once."""
    monkeypatch.setattr(cloud_storage, "RESUMABLE_BYTES", 2**20)
    monkeypatch.setattr(cloud_storage, "_PIECE_BYTES", 2**19)
    cloud.ends, cloud.short, cloud.lost = "FAILURE", short, lost
    (tmp_path / "context" / "noise").write_bytes(os.urandom(3 * 2**19 + 1))
    failed()
    (build,) = cloud.builds.values()
    content = cloud.objects[BUCKET, build.document["source"]["storageSource"]["object"]][0]
    assert len(gzip.decompress(content)) > 3 * 2**19


def test_an_upload_of_which_nothing_arrives_is_given_up(
    cloud: Cloud, failed: Callable[..., str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service takes no piece, and says so each time that it is asked."""
    monkeypatch.setattr(cloud_storage, "RESUMABLE_BYTES", 2**10)
    monkeypatch.setattr(cloud_storage, "_PIECE_BYTES", 2**18)
    monkeypatch.setattr(cloud_storage, "_PATIENCE_SECONDS", 0.2)
    monkeypatch.setattr(cloud_storage, "_PAUSE_SECONDS", 0.05)
    cloud.deaf = True
    (tmp_path / "context" / "noise").write_bytes(os.urandom(2**19))
    text = failed()
    assert f"image: upload to gs://{BUCKET}/source/" in text
    assert ": 0 of 5" in text
    assert "bytes have arrived, and no more for 0.20 s" in text
    assert 2 < len([one for one in cloud.requests if one.startswith("PUT ")]) < 20
    assert cloud.builds == {}


def test_a_bucket_whose_service_is_busy_is_asked_later(cloud: Cloud, failed: Callable[..., str]) -> None:
    cloud.tired = [f"GET /storage/v1/b/{BUCKET}", "GET /storage/v1/b", "POST /upload"]
    cloud.buckets[BUCKET], cloud.ends = PROJECT, "FAILURE"
    assert "ended as FAILURE" in failed()
    assert cloud.tired == []


def test_a_service_that_is_not_there_is_told_at_once(failed: Callable[..., str]) -> None:
    text = failed(endpoints={"storage": "http://127.0.0.1:1"})
    assert f"image: bucket {BUCKET}: Connection refused" in text


@pytest.mark.parametrize("prefix", ["GET /storage/v1/b/", "POST /upload", "POST /v1/projects", "GET /v1/projects", ""])
def test_a_token_that_a_service_says_back_is_told_nowhere(
    cloud: Cloud, failed: Callable[..., str], tmp_path: Path, prefix: str
) -> None:
    """In its errors, and in the log of the build; `failed` looks for it."""
    cloud.echoes, cloud.ends = True, "FAILURE"
    if prefix:
        cloud.refused[prefix] = (403, "no right")
    text = failed()
    if prefix:
        assert "Bearer ***" in text
    else:
        assert "asked with ***" in text
        assert "asked with ***" in (tmp_path / "image.log").read_text()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"project": ""}, "image: project: missing"),
        ({"name": "localhost:5000/train", "project": ""}, "image: project: missing; builder=cloud_build builds in one"),
        ({"base": "python:3.12"}, "image: base: python:3.12, but builder=cloud_build runs a Dockerfile"),
        ({"dockerfile": "build/Dockerfile"}, "image: dockerfile: there is no file "),
        ({"dockerfile": "../key.json"}, " is not in the context "),
        ({"platform": "linux/arm64"}, "image: platform: linux/arm64, but builder=cloud_build builds for linux/amd64"),
        ({"endpoints": {"storage": "http://storage.example"}}, "image: endpoints.storage: 'http://storage.example'"),
        ({"endpoints": {"token": "ftp://x"}}, "image: endpoints.token: 'ftp://x'; allowed is https://"),
        ({"credentials_file": "/gone.json"}, "image: credentials_file: /gone.json cannot be read: No such file"),
    ],
)
def test_bad_input_is_refused_before_anything_is_sent(
    cloud: Cloud, failed: Callable[..., str], options: dict[str, Any], said: str
) -> None:
    assert said in failed(**options)
    assert cloud.requests == []
