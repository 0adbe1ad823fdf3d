# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A role variable, as the collection's own files describe it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ..errors import KubestressError

_ENVIRONMENT = re.compile(r"""lookup\(.*\benv\s*=\s*['"](?P<name>\w+)['"]""", re.DOTALL)


class SettingError(KubestressError, ValueError):
    """A setting that is refused. The text is one line: variable, value, and what is allowed."""


@dataclass(frozen=True, kw_only=True)
class Variable:
    """One variable of one role. `spec` is its entry in argument_specs.yml, `default` its text in defaults/main.yml."""

    name: str
    role: str
    spec: dict[str, Any]
    default: Any = None

    @property
    def environment(self) -> str | None:
        """The environment variable that the default looks at, if there is one."""
        found = _ENVIRONMENT.search(self.default) if isinstance(self.default, str) else None
        return found["name"] if found else None
