# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a scan of the storage, by format. Each is written whole or not at all, the figures before the page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.storage.answer import (
    incomplete_parts,
    problems_of,
    unmeasured,
)
from ansible_collections.kubestress.core.plugins.module_utils.storage.openmetrics import storage_metrics
from ansible_collections.kubestress.core.plugins.module_utils.storage.spreadsheets import claims_csv, findings_csv
from ansible_collections.kubestress.core.plugins.plugin_utils.page.storage import render_storage
from ansible_collections.kubestress.core.plugins.plugin_utils.plain_yaml import yaml_text
from ansible_collections.kubestress.core.plugins.plugin_utils.written_files import write_changed

#: Format -> names of its files, in the order in which they are written.
FILES = {
    "json": ("storage.json",),
    "csv": ("findings.csv", "claims.csv"),
    "yaml": ("storage.yaml",),
    "metrics": ("metrics.prom",),
    "html": ("storage.html",),
}
PAGE = FILES["html"][0]


def names_of(formats: Collection[str]) -> list[str]:
    """The names of the files of these formats."""
    return [name for made, names in FILES.items() if made in formats for name in names]


def page_of(document: Mapping[str, Any]) -> str:
    """storage.html."""
    return render_storage(
        document,
        problems=problems_of(document),
        incomplete=incomplete_parts(document),
        unmeasured=unmeasured(document),
    )


def write_storage(
    folder: Path, document: Mapping[str, Any], formats: Collection[str], *, text: str, per_object: bool
) -> list[str]:
    """Write the files of these formats into the folder, which is made if necessary; their paths.

    `text` is the document as the module wrote it; `per_object` is about metrics.prom. Raises ResultsError.
    """
    makers: dict[str, Callable[[], str]] = {
        "storage.json": lambda: text,
        "findings.csv": lambda: findings_csv(document),
        "claims.csv": lambda: claims_csv(document),
        "storage.yaml": lambda: yaml_text(document),
        "metrics.prom": lambda: storage_metrics(document, per_object=per_object),
        PAGE: lambda: page_of(document),
    }
    names = names_of(formats)
    write_changed(folder, {name: makers[name] for name in names}, check_mode=False)
    return [str(folder / name) for name in names]
