"""The manifests that the role accelerator_jobs makes for each entry of the catalogue, as the API gets them.

`write` makes the files that the tests compare with:
`scripts/dev run python -c "import sys; sys.path += ['tests']; import helpers.accelerator_manifests as it; it.write()"`
"""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from ansible_collections.kubestress.core.plugins.module_utils.plan.manifest import manifest_of

from helpers.example_settings import settings
from helpers.role_plans import role_fragments

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "accelerator_jobs"
#: Name of a file -> the variables of the role, without their prefix.
ENTRIES: dict[str, dict[str, Any]] = {
    "cpu": {"nodes": 2},
    "v4": {"type": "v4", "topology": "2x2x4"},
    "v5p": {"type": "v5p", "topology": "2x2x2"},
    "v5e": {"type": "v5e", "topology": "4x4", "slices": 2},
    "v5e-one-host": {"type": "v5e", "topology": "2x4"},
    "v6e": {"type": "v6e", "topology": "8x8"},
    "nvidia-l4": {"type": "nvidia-l4", "machine": "g2-standard-24"},
    "nvidia-tesla-a100": {"type": "nvidia-tesla-a100", "machine": "a2-megagpu-16g"},
    "nvidia-a100-80gb": {"type": "nvidia-a100-80gb", "machine": "a2-ultragpu-8g"},
    "nvidia-h100-80gb": {"type": "nvidia-h100-80gb", "machine": "a3-highgpu-8g", "nodes": 2},
    "nvidia-h100-mega-80gb": {"type": "nvidia-h100-mega-80gb"},
    "nvidia-h200-141gb": {"type": "nvidia-h200-141gb"},
    "nvidia-b200": {"type": "nvidia-b200"},
    "nvidia-gb200": {"type": "nvidia-gb200"},
    "nvidia": {"type": "nvidia", "machine": "1-gpu"},
    "nvidia-h100-hbm3": {"type": "nvidia-h100-hbm3", "machine": "8-gpu"},
    "amd-mi300x": {"type": "amd-mi300x", "machine": "8-gpu"},
    # Everything else that a manifest may say.
    "all-options": {
        "type": "v5e",
        "topology": "4x4",
        "queue": "team-a",
        "priority": "high",
        "restarts": 3,
        "restart_on_exit_codes": [137, 42],
        "ttl": 600,
        "grace": 90,
        "command": """echo "it's $HOME" 'and {{ this }}'""",
        "image": "registry.example.com:5000/team/train:1.2",
        "limits": {"memory": "8Gi"},
        "host_network": True,
    },
}


@functools.cache
def documents(entry: str, kind: str, namespace: str = "team-a") -> list[dict[str, Any]]:
    """The objects of one entry in one namespace; `kind` is job or jobset."""
    given = {f"accelerator_jobs_{name}": value for name, value in ENTRIES[entry].items()}
    raw = role_fragments("accelerator_jobs", settings(accelerator_jobs_kind=kind, **given))
    fragments = parse_fragments(raw, Context(run_id="golden"))
    every = list(manifest_of(fragments, [(1, namespace)]))
    for document in every:
        # The same for all of them.
        assert document["metadata"].pop("namespace") == namespace
    return every


def text_of(entry: str) -> str:
    """The file of an entry: a List of its Jobs, then its JobSets; one document, as ansible-test wants it."""
    every = [document for kind in ("job", "jobset") for document in documents(entry, kind)]
    whole = {"apiVersion": "v1", "kind": "List", "items": every}
    return yaml.safe_dump(whole, sort_keys=True, width=1000, explicit_start=True)


def write() -> None:
    """Write the files of all entries."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for one in ENTRIES:
        (GOLDEN / f"{one}.yml").write_text(text_of(one))
