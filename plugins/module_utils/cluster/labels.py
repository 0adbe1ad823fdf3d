# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of our objects, and the annotations that control simulated pods."""

from __future__ import annotations

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "kubestress"
LABEL_RUN_ID = "kubestress.core/run-id"
LABEL_ROLE = "kubestress.core/role"
LABEL_DEPLOYMENT_TEST = "deployment-test"


def run_labels(run_id: str, role: str) -> dict[str, str]:
    """The labels of every object of a run, namespaces and pods included."""
    return {
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_RUN_ID: run_id,
        LABEL_ROLE: role,
        LABEL_DEPLOYMENT_TEST: "true",
    }


def run_selector(run_id: str) -> str:
    """The label selector of all objects of one run."""
    return f"{LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_RUN_ID}={run_id}"
