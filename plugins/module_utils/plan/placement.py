# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the pods of all workloads run, and as whom. No I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: "nobody" nearly everywhere. A number, because a kubelet refuses runAsNonRoot for an image whose user is root, as the
#: default images' is, unless the pod names another one.
DEFAULT_USER_ID = 65534


def placement(settings: Mapping[str, Any], *, openshift: bool) -> dict[str, Any]:
    """The variables that every template may use in a pod's spec, from the settings run_*; what is not set is empty.

    `pod_user_id` is run_user_id; where that is empty, None on OpenShift (which gives each namespace a range of user
    ids and refuses others), else 65534. `pod_node_selector`, `pod_tolerations` and `pod_image_pull_secrets` have the
    shapes of a pod's spec.
    """
    user_id = settings.get("run_user_id")
    if user_id in (None, ""):
        user_id = None if openshift else DEFAULT_USER_ID
    secrets = settings.get("run_image_pull_secrets") or []
    return {
        "pod_user_id": user_id,
        "pod_node_selector": settings.get("run_node_selector") or {},
        "pod_tolerations": settings.get("run_tolerations") or [],
        "pod_image_pull_secrets": [{"name": secret} if isinstance(secret, str) else secret for secret in secrets],
    }
