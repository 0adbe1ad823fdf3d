# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The root of all errors that this collection raises.

KubestressError
  ClusterError         what an API server answered, or that it did not (cluster.errors)
  PlanError            a fragment, a template or a batch option that cannot be used (plan.fragment)
  SettingError         a role variable that is refused (settings.setting)
  ResultsError         a results folder that cannot be read or written (results.folder)
  AcceleratorError     an accelerator's type, topology or machine that cannot be (accelerators.errors)
  LocalClusterError    the embedded cluster (local_cluster.errors)
  DetachedError        a background process that does not begin or end (machine.detached)
  ModuleFailed         what a module ends with
    MissingLibrary     a Python library that is not installed (libraries)
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


class KubestressError(Exception):
    """The text is fit for the user: it names the option or the object, and the cause."""


class ModuleFailed(KubestressError):
    """A module's failure: one line, and in `result` what is known all the same."""

    def __init__(self, message: str, result: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.result = dict(result or {})
