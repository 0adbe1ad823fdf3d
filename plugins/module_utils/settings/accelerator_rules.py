# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the settings of accelerator jobs must be like together: as the rules in rules.py."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from .. import syntax as names
from ..accelerators.errors import AcceleratorError
from ..accelerators.shape import JobShape, shape_of
from .convert import shown

_PREFIX = "accelerator_jobs_"
_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
#: What is added to a JobSet's name for the name of one of its Jobs, as in its template.
_REPLICATED_JOB = "-slice-job-"
#: What a controller adds to the name of a Job's pod.
_RANDOM = "-abcde"


_IMAGE = "accelerator_run_image_"
#: Of what an image is built; the rest says how, and has a default.
_OF_AN_IMAGE = ("name", "tag", "base", "dockerfile", "project", "region", "repository", "credentials_file")


def image_of_the_jobs(settings: Mapping[str, Any]) -> Iterator[str]:
    """An image has a folder and a name, and whatever else is said of it has one to be about."""
    context = settings.get(f"{_IMAGE}context")
    if context is None:
        return
    if context and settings.get(f"{_IMAGE}name") == "":
        yield f"{_IMAGE}name: none is given; the image of {_IMAGE}context needs one, such as localhost:5000/train"
    if context and settings.get(f"{_IMAGE}builder") == "layers" and settings.get(f"{_IMAGE}base") == "":
        yield (
            f"{_IMAGE}base: none is given; the jobs run a shell, which {_IMAGE}builder=layers has only of a base, "
            "such as python:3.12-slim"
        )
    if not context:
        for option in _OF_AN_IMAGE:
            if value := settings.get(_IMAGE + option):
                yield f"{_IMAGE}{option}: {shown(value)} has no effect without {_IMAGE}context, the folder of its files"


def accelerator_jobs(settings: Mapping[str, Any]) -> Iterator[str]:
    """Type, topology, machine and nodes go together, and names stay short enough for those of the pods."""
    given: dict[str, Any] = {
        option: settings.get(_PREFIX + option) for option in ("type", "topology", "machine", "nodes", "slices")
    }
    if any(value is None for value in given.values()):
        return  # something is refused by itself, or the role's settings are not looked at
    # Those out of range are refused by themselves too.
    given |= {"nodes": max(0, given["nodes"]), "slices": max(1, given["slices"])}
    try:
        shape = shape_of(given.pop("type"), catalogue=settings.get(f"{_PREFIX}catalogue"), **given)
    except AcceleratorError as error:
        yield f"{_PREFIX}{error}"
        shape = JobShape(nodes=given["nodes"] or 1, slices=given["slices"])
    yield from _name(settings, shape)
    for code in settings.get(f"{_PREFIX}restart_on_exit_codes") or ():
        if isinstance(code, bool) or not str(code).isdigit() or not 1 <= int(code) <= 255:
            yield f"{_PREFIX}restart_on_exit_codes: {shown(code)} is not allowed; exit codes are 1 to 255"
    for option in ("queue", "priority"):
        value = settings.get(_PREFIX + option)
        if value and not names.is_dns_subdomain(value):
            yield (
                f"{_PREFIX}{option}: {shown(value)} is not the name of an object; lower-case letters, digits, '-' and "
                "'.', first and last a letter or digit, at most 253 characters"
            )
    queue = settings.get(f"{_PREFIX}queue") or ""
    if len(queue) > names.LABEL_LENGTH and names.is_dns_subdomain(queue):
        yield (
            f"{_PREFIX}queue: {shown(queue)} has {len(queue)} characters; it is the value of a label, which has at "
            f"most {names.LABEL_LENGTH}"
        )
    for option in ("requests", "limits"):
        if shape.resource in (settings.get(_PREFIX + option) or ()):
            yield (
                f"{_PREFIX}{option}: {shape.resource} follows from {_PREFIX}type and {_PREFIX}machine, which say how "
                "many a node has; leave it out"
            )


def _name(settings: Mapping[str, Any], shape: JobShape) -> Iterator[str]:
    name, count, kind = (settings.get(_PREFIX + option) for option in ("name", "count", "kind"))
    if name is None or count is None or kind is None:
        return
    if not _NAME.fullmatch(name):
        yield f"{_PREFIX}name: {shown(name)} is not allowed; lower-case letters, digits and hyphens, first a letter"
        return
    last_pod = f"-{shape.nodes - 1}{_RANDOM}"
    if kind == "jobset":
        end = f"-{max(count, 1)}{_REPLICATED_JOB}{shape.slices - 1}{last_pod}"
    else:
        end = f"-{max(count, 1) * shape.slices}{last_pod}"
    if len(name + end) > names.LABEL_LENGTH:
        yield (
            f"{_PREFIX}name: {shown(name)} is {len(name)} characters long; with {end} of its last pod at most "
            f"{names.LABEL_LENGTH - len(end)} are allowed (names of pods have at most {names.LABEL_LENGTH})"
        )
