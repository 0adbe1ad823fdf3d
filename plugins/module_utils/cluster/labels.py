# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels by which we know what is ours, and the annotations that steer simulated pods. Said once, here."""

from __future__ import annotations

LABEL_MANAGED_BY = "app.kubernetes.io/managed-by"
MANAGED_BY = "kubestress"
LABEL_RUN_ID = "kubestress.core/run-id"
LABEL_ROLE = "kubestress.core/role"
LABEL_DEPLOYMENT_TEST = "deployment-test"

ANNOTATION_SIMULATE = "kubestress.core/simulate"
ANNOTATION_SIMULATE_DURATION = "kubestress.core/simulate-duration"
ANNOTATION_SIMULATE_DURATION_MAX = "kubestress.core/simulate-duration-max"
ANNOTATION_SIMULATE_START_DELAY = "kubestress.core/simulate-start-delay"


def run_labels(run_id: str, role: str) -> dict[str, str]:
    """The labels of every object of a run, namespaces and pods included."""
    return {
        LABEL_MANAGED_BY: MANAGED_BY,
        LABEL_RUN_ID: run_id,
        LABEL_ROLE: role,
        LABEL_DEPLOYMENT_TEST: "true",
    }


def run_selector(run_id: str) -> str:
    """The label selector of everything that one run owns."""
    return f"{LABEL_MANAGED_BY}={MANAGED_BY},{LABEL_RUN_ID}={run_id}"
