# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""metrics.prom: the summary's figures as OpenMetrics, which a node exporter's textfile collector reads as well. Pure.

Only gauges and summaries: they look the same in both formats, and a finished run counts no further. No sample has a
time, which that collector refuses. What nobody measured has no sample.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .families import families_of

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})
_HELP_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n"})


def openmetrics_text(summary: Mapping[str, Any]) -> str:
    """The whole file. Each sample carries the labels `run_id` and `profile`."""
    own = {"run_id": summary["run_id"], "profile": summary["profile"] or ""}
    lines: list[str] = []
    for family in families_of(summary):
        samples = [
            f"{family.name}{sample.suffix}{_labels({**own, **sample.labels})} {_number(sample.value)}"
            for sample in family.samples
            if sample.value is not None
        ]
        if samples:
            lines.append(f"# HELP {family.name} {family.text.translate(_HELP_ESCAPES)}")
            lines.append(f"# TYPE {family.name} {family.kind}")
            lines += samples
    return "\n".join([*lines, "# EOF", ""])


def _labels(labels: Mapping[str, Any]) -> str:
    return "{" + ",".join(f'{name}="{str(value).translate(_ESCAPES)}"' for name, value in labels.items()) + "}"


def _number(value: float) -> str:
    # repr() keeps what was measured, and whole numbers as they are.
    return repr(int(value)) if isinstance(value, bool) or float(value).is_integer() else repr(float(value))
