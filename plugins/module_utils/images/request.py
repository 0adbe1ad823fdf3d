# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is to be built, checked once, and what came of it: the same for all builders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from .context import Context
from .errors import BadOption
from .log import Log
from .names import ImageName

LAYERS, CLOUD_BUILD, BUILDAH, JOB = "layers", "cloud_build", "buildah", "job"
#: Whether to build, or only to check what would be built.
PRESENT, PLANNED = "present", "planned"
BUILDERS = (LAYERS, CLOUD_BUILD, BUILDAH, JOB)
DEFAULT_PLATFORM = "linux/amd64"
_PLATFORM = re.compile(r"[a-z0-9]+/[a-z0-9]+(?:/[a-z0-9]+)?")
_PLATFORM_RULE = "allowed is OS/ARCHITECTURE[/VARIANT] such as linux/amd64 or linux/arm64"


@dataclass(frozen=True, kw_only=True)
class Request:
    """One image. `image` is its full name with a tag, `dockerfile` relative to the context, empty for `layers`.

    `base` is empty for an image with nothing but the files.
    """

    image: ImageName
    context: Context
    platform: str = DEFAULT_PLATFORM
    base: str = ""
    dockerfile: str = ""
    insecure: bool = False


@dataclass(frozen=True)
class Built:
    """`digest` is that of the pushed image; `is_new` whether the name stood for another one before, or for none."""

    digest: str
    is_new: bool


class Builder(Protocol):
    """A way to build an image and push it."""

    def build(self, request: Request, log: Log) -> Built:
        """Build and push. Raises ImageError."""


def checked_platform(given: str) -> str:
    """The platform. Raises BadOption."""
    platform = given.strip() or DEFAULT_PLATFORM
    if not _PLATFORM.fullmatch(platform):
        raise BadOption("platform", f"{given!r}; {_PLATFORM_RULE}")
    return platform


def checked_dockerfile(context: Path, given: str) -> str:
    """The Dockerfile's path relative to the context, with / between its parts. Raises BadOption."""
    wanted = context / (given.strip() or "Dockerfile")
    try:
        path, root = wanted.resolve(), context.resolve()
        is_file = path.is_file()
    except OSError as error:
        raise BadOption("dockerfile", f"{wanted} cannot be read: {error.strerror or error}") from error
    except (RuntimeError, ValueError) as error:
        # A link to itself, which Python's versions tell differently, or a character that no path has.
        raise BadOption("dockerfile", f"{wanted} cannot be read: {error}") from error
    if not is_file:
        raise BadOption("dockerfile", f"there is no file {path}")
    if not path.is_relative_to(root):
        raise BadOption("dockerfile", f"{path} is not in the context {context}")
    return path.relative_to(root).as_posix()
