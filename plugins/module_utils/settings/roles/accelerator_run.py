# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role accelerator_run: its variables and its entry point. Those of the image are options of the module image."""

from __future__ import annotations

from ..setting import DAY_SECONDS, Entry, Range, Role, Setting


def _text(name: str, meaning: str) -> Setting:
    return Setting(f"accelerator_run_image_{name}", "str", "", meaning=meaning)


def _dict(name: str, meaning: str) -> Setting:
    return Setting(f"accelerator_run_image_{name}", "dict", {}, meaning=meaning)


_SETTINGS = (
    Setting(
        "accelerator_run_manifest_out",
        "path",
        "",
        meaning=(
            "File, on the machine where the playbook runs, for the objects that would be made, as YAML. Then the "
            "playbook writes it and does nothing else: neither registry nor cluster is asked.\n"
            "In check mode, too, and there without a file the objects are only counted."
        ),
    ),
    Setting(
        "accelerator_run_image_context",
        "path",
        "",
        meaning=(
            "Folder whose files go into the image of the jobs. The image is built and pushed, and the jobs run it by "
            "its digest, in the place of O(accelerator_jobs_image). Empty builds none."
        ),
    ),
    _text("name", "What the image is called, such as C(train), C(my-project/train:v1) or C(localhost:5000/train)."),
    _text("tag", "Tag, if O(accelerator_run_image_name) has none. Empty is C(latest)."),
    Setting(
        "accelerator_run_image_builder",
        "str",
        "layers",
        choices=("layers", "cloud_build", "buildah", "job"),
        meaning=(
            "How it is built: C(layers) adds the files to O(accelerator_run_image_base) and runs nothing. The others "
            "run the folder's Dockerfile: C(cloud_build) in Google Cloud, C(buildah) on this machine, C(job) on the "
            "cluster."
        ),
    ),
    _text(
        "base",
        "Image that the files are added to, such as C(python:3.12-slim). The builder C(layers) needs one with the "
        "shell that the jobs run; the others take none.",
    ),
    _text("dockerfile", "Path of the Dockerfile in the folder, for the other builders. Empty is C(Dockerfile)."),
    Setting(
        "accelerator_run_image_platform",
        "str",
        "linux/amd64",
        meaning="Operating system and architecture of the image. Nodes with C(nvidia-gb200) are C(linux/arm64).",
    ),
    _text("project", "Id of the project in Google Cloud that the image belongs to, if its name has no registry."),
    _text("region", "Location of the Artifact Registry. Needs O(accelerator_run_image_repository)."),
    _text("repository", "Repository in the Artifact Registry. Needs O(accelerator_run_image_region)."),
    Setting(
        "accelerator_run_image_credentials_file",
        "path",
        "",
        meaning="File of credentials for Google Cloud, of a service account or of a user.",
    ),
    Setting(
        "accelerator_run_image_registry_insecure",
        "bool",
        False,
        meaning="Whether a registry without TLS, or with any certificate, is accepted, beside one on this machine.",
    ),
    Setting(
        "accelerator_run_image_timeout",
        "int",
        3600,
        allowed=Range(60, DAY_SECONDS),
        meaning="Seconds for the build.",
    ),
    _dict("cloud_build", "Where Cloud Build has things: the suboptions of C(cloud_build) of the module."),
    _dict("job", "Where the builder C(job) builds: the suboptions of C(job) of the module."),
    _dict("endpoints", "Other addresses of Google's services: the suboptions of C(endpoints) of the module."),
)

ROLE = Role(
    "accelerator_run",
    entries=(
        Entry(
            "main",
            "Build an image, run jobs on accelerators with it, and report",
            (
                "What the playbook kubestress.core.accelerator_run consists of: a run of C(accelerator_jobs) alone, in "
                "one namespace that is called like the run. Other workloads join in if they are switched on.\n"
                "All settings are checked first. With O(accelerator_run_image_context), preflight then compares the "
                "jobs with the cluster, and only after that the image is built by the module kubestress.core.image; "
                "AWX keeps its name and digest as the artifact C(kubestress_image).\n"
                "In check mode, and with O(accelerator_run_manifest_out), neither registry nor cluster is asked."
            ),
            settings=_SETTINGS,
        ),
    ),
)
