"""The full name of an image: each rule, and each trap that other tools fell into."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.images.errors import BadOption
from ansible_collections.kubestress.core.plugins.module_utils.images.names import image_name, parsed

DIGEST = "sha256:" + "0a" * 32
AR = {"project": "my-project", "region": "europe-west4", "repository": "jobs"}


@pytest.mark.parametrize(
    ("name", "options", "full"),
    [
        # The rules.
        ("train", {"project": "my-project"}, "gcr.io/my-project/train:latest"),
        ("train:v1", {"project": "my-project"}, "gcr.io/my-project/train:v1"),
        ("train", {"project": "my-project", "tag": "v1"}, "gcr.io/my-project/train:v1"),
        ("team/train", {"project": "my-project"}, "gcr.io/my-project/team/train:latest"),
        ("train", AR, "europe-west4-docker.pkg.dev/my-project/jobs/train:latest"),
        ("train", {**AR, "region": "us"}, "us-docker.pkg.dev/my-project/jobs/train:latest"),
        # The project twice.
        ("my-project/train", {"project": "my-project"}, "gcr.io/my-project/train:latest"),
        ("my-project-2/train", {"project": "my-project"}, "gcr.io/my-project/my-project-2/train:latest"),
        ("my-project", {"project": "my-project"}, "gcr.io/my-project/my-project:latest"),
        ("my-project/train", AR, "europe-west4-docker.pkg.dev/my-project/jobs/train:latest"),
        ("my-project/jobs/train", AR, "europe-west4-docker.pkg.dev/my-project/jobs/train:latest"),
        ("jobs/train", AR, "europe-west4-docker.pkg.dev/my-project/jobs/jobs/train:latest"),
        # A newline in the project's id, as gcloud prints it, or anywhere else at an end.
        ("train", {"project": "my-project\n"}, "gcr.io/my-project/train:latest"),
        (" train\n", {"project": "\tmy-project\r\n", "tag": "v1\n"}, "gcr.io/my-project/train:v1"),
        (
            "train",
            {key: f"{value}\n" for key, value in AR.items()},
            "europe-west4-docker.pkg.dev/my-project/jobs/train:latest",
        ),
        # A registry stays, whatever the project.
        ("gcr.io/other/train", AR, "gcr.io/other/train:latest"),
        ("us-docker.pkg.dev/p/r/train:v1", AR, "us-docker.pkg.dev/p/r/train:v1"),
        ("localhost/train", AR, "localhost/train:latest"),
        ("[::1]:5000/train", {}, "[::1]:5000/train:latest"),
        # A port is no tag.
        ("localhost:5000/train", {}, "localhost:5000/train:latest"),
        ("localhost:5000/train:v1", {}, "localhost:5000/train:v1"),
        ("127.0.0.1:5000/a/b", {"tag": "v1"}, "127.0.0.1:5000/a/b:v1"),
        # A dot in a name without a slash is no registry.
        ("train.v1", {"project": "my-project"}, "gcr.io/my-project/train.v1:latest"),
        # A digest stays, with or without a tag.
        (f"train@{DIGEST}", {"project": "my-project"}, f"gcr.io/my-project/train@{DIGEST}"),
        (f"localhost:5000/train:v1@{DIGEST}", {}, f"localhost:5000/train:v1@{DIGEST}"),
        # The same tag twice is none too many.
        ("train:v1", {"project": "p", "tag": "v1"}, "gcr.io/p/train:v1"),
        # A project of an organisation's domain.
        ("train", {"project": "example.com:train"}, "gcr.io/example.com/train/train:latest"),
        ("a_b__c--d/e.f", {"project": "p"}, "gcr.io/p/a_b__c--d/e.f:latest"),
    ],
)
def test_full_name(name: str, options: dict[str, str], full: str) -> None:
    assert image_name(name, **options) == full
    # A full name is its own full name: nothing is added a second time.
    assert image_name(full, project="another") == full


@pytest.mark.parametrize(
    ("name", "options", "option", "said"),
    [
        ("", {"project": "p"}, "name", "empty"),
        (" \n", {"project": "p"}, "name", "empty"),
        (None, {"project": "p"}, "name", "empty"),
        ("train", {}, "project", "missing; 'train' has no registry"),
        ("train", {"project": " \n"}, "project", "missing"),
        ("train", {"project": "my-\nproject"}, "project", r"'my-\nproject' is not the id"),
        ("train", {"project": "My-Project"}, "project", "'My-Project'"),
        ("train", {"project": "p/q"}, "project", "'p/q'"),
        (
            "train",
            {"project": "p", "region": "us"},
            "repository",
            "missing; Artifact Registry needs it beside region=us",
        ),
        ("train", {"project": "p", "repository": "jobs"}, "region", "missing"),
        ("train", {**AR, "region": "europe west4"}, "region", "'europe west4'"),
        ("train", {**AR, "repository": "a/b"}, "repository", "'a/b'"),
        ("Train", {"project": "p"}, "name", "'Train'; allowed is"),
        ("train ing", {"project": "p"}, "name", "'train ing'"),
        ("a//b", {"project": "p"}, "name", "'a//b'"),
        ("/train", {"project": "p"}, "name", "'/train'"),
        ("train/", {"project": "p"}, "name", "'train/'"),
        ("../train", {"project": "p"}, "name", "'../train'"),
        ("gcr.io/", {}, "name", "'gcr.io/'"),
        ("https://gcr.io/p/train", {}, "name", "'https://gcr.io/p/train'"),
        ("train:", {"project": "p"}, "name", "no tag after the last colon"),
        ("train:-v1", {"project": "p"}, "name", "no tag after the last colon"),
        ("train:v1:v2", {"project": "p"}, "name", "no tag after the last colon"),
        ("train@sha256:0a", {"project": "p"}, "name", "no digest after the @"),
        ("train@", {"project": "p"}, "name", "no digest after the @"),
        ("train", {"project": "p", "tag": "v 1"}, "tag", "'v 1'"),
        ("train:v1", {"project": "p", "tag": "v2"}, "tag", "the name has the tag 'v1'"),
        (f"train@{DIGEST}", {"project": "p", "tag": "v1"}, "tag", "the name has a digest"),
        ("a" * 256, {"project": "p"}, "name", "allowed are 255"),
        ("a" * 250, {"project": "p"}, "name", "allowed are 255"),
    ],
)
def test_refused_in_one_line_that_names_the_option(name: str, options: dict[str, str], option: str, said: str) -> None:
    with pytest.raises(BadOption) as caught:
        image_name(name, **options)
    text = str(caught.value)
    assert text.startswith(f"{option}: ")
    assert said in text
    assert "\n" not in text


def test_parts() -> None:
    image = parsed(f"localhost:5000/a/b:v1@{DIGEST}")
    assert (image.host, image.path, image.tag, image.digest) == ("localhost:5000", "a/b", "v1", DIGEST)
    assert image.repository == "localhost:5000/a/b"
    assert str(image) == f"localhost:5000/a/b:v1@{DIGEST}"
