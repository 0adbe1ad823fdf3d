# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The full name of an image, from what a user calls it; pure.

A name without a registry belongs to a project of Google Cloud:

    train                    gcr.io/PROJECT/train:latest
    PROJECT/train:v1         gcr.io/PROJECT/train:v1, the project not twice
    with region, repository  REGION-docker.pkg.dev/PROJECT/REPOSITORY/train:latest
    ghcr.io/me/train         ghcr.io/me/train:latest, whatever the project

The grammar is that of github.com/distribution/reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..gcp.project import PROJECT, PROJECT_RULE
from .errors import BadOption

LATEST = "latest"
#: Longest repository name, host included, that registries accept.
_MAX_LENGTH = 255
_MAX_PORT = 65_535
_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_PATH = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_HOST = re.compile(
    r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*)"
    r"(?::[0-9]{1,5})?"
)
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_REGION = re.compile(r"[a-z]+(?:-[a-z0-9]+)*")
_REPOSITORY = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_NAME_RULE = "allowed is [HOST/]PATH[:TAG][@sha256:DIGEST], the path of lower-case letters, digits and . _ - /"
_TAG_RULE = "allowed are 1 to 128 letters, digits and . _ -, not beginning with . or -"


@dataclass(frozen=True)
class ImageName:
    """`host` is empty where the name has none, `tag` and `digest` where there is none; `path` never is."""

    host: str
    path: str
    tag: str = ""
    digest: str = ""

    @property
    def repository(self) -> str:
        """The name without tag and digest."""
        return f"{self.host}/{self.path}" if self.host else self.path

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        return self.repository + tag + (f"@{self.digest}" if self.digest else "")


def parsed(given: object, *, option: str = "name") -> ImageName:
    """A name in its parts; a tag that is not there is empty. Raises BadOption, which names `option`."""
    text = _text(given)
    if not text:
        raise BadOption(option, f"empty; {_NAME_RULE}")
    rest, at, digest = text.partition("@")
    if at and not _DIGEST.fullmatch(digest):
        raise BadOption(option, f"{_shown(text)} has no digest after the @; allowed is sha256: and 64 digits of 0-9a-f")
    # A colon before the last slash is that of the registry's port.
    head, slash, last = rest.rpartition("/")
    last, colon, tag = last.partition(":")
    if colon and not _TAG.fullmatch(tag):
        raise BadOption(option, f"{_shown(text)} has no tag after the last colon; {_TAG_RULE}")
    rest = head + slash + last
    first, slash, path = rest.partition("/")
    has_host = bool(slash) and is_host(first)
    host, path = (first, path) if has_host else ("", rest)
    if (has_host and not _is_right_host(host)) or not _PATH.fullmatch(path):
        raise BadOption(option, f"{_shown(text)}; {_NAME_RULE}")
    name = ImageName(host, path, tag, digest)
    if len(name.repository) > _MAX_LENGTH:
        raise BadOption(option, f"{len(name.repository)} characters without tag; allowed are {_MAX_LENGTH}")
    return name


def _is_right_host(host: str) -> bool:
    port = host.rpartition(":")[2]
    return bool(_HOST.fullmatch(host)) and (not port.isdigit() or 0 < int(port) <= _MAX_PORT)


def is_host(first: str) -> bool:
    """Whether the first part of a name is a registry: it has a dot or a port, or it is this machine."""
    return "." in first or ":" in first or first == "localhost"


def image_name(
    name: object, *, project: object = None, region: object = None, repository: object = None, tag: object = None
) -> str:
    """The full name, always with a tag or a digest. All are trimmed; empty ones count as not given.

    :raises BadOption: naming the option and what is allowed.
    """
    image = parsed(name)
    wanted = _text(tag)
    if wanted and not _TAG.fullmatch(wanted):
        raise BadOption("tag", f"{_shown(wanted)}; {_TAG_RULE}")
    if wanted and image.digest:
        raise BadOption("tag", f"{_shown(wanted)}, but the name has a digest, which says which image it is")
    if wanted and image.tag and image.tag != wanted:
        raise BadOption("tag", f"{_shown(wanted)}, but the name has the tag {_shown(image.tag)}; give one of them")
    host, path = (image.host, image.path) if image.host else _of_google(image.path, project, region, repository)
    full = ImageName(host, path, image.tag or wanted or ("" if image.digest else LATEST), image.digest)
    # Once more, for the length and for what the project has brought.
    return str(parsed(str(full)))


def project_id(given: object, *, needed_for: str = "") -> str:
    """A project's id, trimmed; empty if it is not given and nothing needs it. Raises BadOption."""
    project = _text(given)
    if not project and needed_for:
        raise BadOption("project", f"missing; {needed_for}")
    if project and not PROJECT.fullmatch(project):
        raise BadOption("project", f"{_shown(project)} {PROJECT_RULE}")
    return project


def _of_google(path: str, project: object, region: object, repository: object) -> tuple[str, str]:
    """(host, path) in the registry of a project."""
    owner = project_id(project, needed_for=f"{_shown(path)} has no registry, so it belongs to a project").replace(
        ":", "/"
    )
    own, area = _text(repository), _text(region)
    if bool(own) != bool(area):
        given, missing = ("repository", "region") if own else ("region", "repository")
        raise BadOption(missing, f"missing; Artifact Registry needs it beside {given}={own or area}")
    if not own:
        return "gcr.io", f"{owner}/{path.removeprefix(f'{owner}/')}"
    if not _REGION.fullmatch(area):
        raise BadOption("region", f"{_shown(area)}; allowed is a location such as europe-west4 or us")
    if not _REPOSITORY.fullmatch(own):
        raise BadOption("repository", f"{_shown(own)}; allowed are lower-case letters, digits and -")
    inner = path.removeprefix(f"{owner}/")
    if inner != path:
        inner = inner.removeprefix(f"{own}/")
    return f"{area}-docker.pkg.dev", f"{owner}/{own}/{inner}"


def _text(given: object) -> str:
    """A value as trimmed text: a file's content or a command's answer ends with a newline."""
    return "" if given is None else str(given).strip()


def _shown(text: str) -> str:
    """A value in a message: quoted on one line, and not too long."""
    return repr(text if len(text) <= 200 else f"{text[:200]}…")
