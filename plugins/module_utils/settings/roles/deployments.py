# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role deployments: its variables and its entry points."""

from __future__ import annotations

from ..setting import WEEK_SECONDS, Entry, Range, Role, Setting, plan_entry

_SETTINGS = (
    Setting("deployments_enabled", "bool", True, meaning="Whether the run has Deployments."),
    Setting(
        "deployments_per_namespace",
        "int",
        3,
        allowed=Range(0, 10_000),
        environment="DEPLOYMENTS_PER_NS",
        old_flags=("--deployments-per-ns",),
        meaning="Deployments in each namespace.",
    ),
    Setting("deployments_replicas", "int", 1, allowed=Range(0, 10_000), meaning="Pods of each Deployment."),
    Setting(
        "deployments_ready_timeout",
        "int",
        600,
        allowed=Range(1, WEEK_SECONDS),
        environment="DEPLOYMENT_READY_TIMEOUT",
        old_flags=("--deployment-ready-timeout",),
        meaning="Seconds for the Deployments of a namespace to become available, from the last one made.",
    ),
    Setting(
        "deployments_service_enabled",
        "bool",
        False,
        environment="SERVICE_ENABLED",
        old_flags=("--service-enabled", "--no-service"),
        meaning="Whether each Deployment has a ClusterIP Service on port 8080.",
    ),
    Setting(
        "deployments_image",
        "str",
        "registry.k8s.io/e2e-test-images/agnhost:2.53",
        meaning=(
            "The default is the image of Kubernetes' own end-to-end tests.\n"
            "Another one needs agnhost's commands C(netexec) and C(pause), or another O(deployments_template)."
        ),
    ),
    Setting(
        "deployments_requests",
        "dict",
        {"cpu": "10m", "memory": "16Mi"},
        meaning="Resource requests of each pod's container, as in a pod's spec: cpu and memory.",
    ),
    Setting(
        "deployments_limits",
        "dict",
        {"cpu": "100m", "memory": "64Mi"},
        meaning="Resource limits of each pod's container, as in a pod's spec: cpu and memory.",
    ),
    Setting(
        "deployments_template",
        "str",
        "deployment.yml.j2",
        meaning=(
            "Template of a Deployment: the role's own, or a path, or a file in a C(templates) folder beside the "
            "playbook."
        ),
    ),
    Setting(
        "deployments_config_map_template",
        "str",
        "deployment_config_map.yml.j2",
        meaning=(
            "Template of a ConfigMap; C(item) is 1 or 2: the role's own, or a path, or a file in a C(templates) "
            "folder beside the playbook."
        ),
    ),
    Setting(
        "deployments_secret_template",
        "str",
        "deployment_secret.yml.j2",
        meaning=(
            "Template of a Secret; C(item) is 1 or 2: the role's own, or a path, or a file in a C(templates) folder "
            "beside the playbook."
        ),
    ),
    Setting(
        "deployments_service_template",
        "str",
        "deployment_service.yml.j2",
        meaning=(
            "Template of a Service: the role's own, or a path, or a file in a C(templates) folder beside the playbook."
        ),
    ),
)

_SUMMARY = "Deployments with ConfigMaps, Secrets and, if wanted, a Service"

ROLE = Role(
    "deployments",
    entries=(
        Entry(
            "main",
            _SUMMARY,
            (
                "Makes Deployments with two ConfigMaps and two Secrets each, all mounted. These are stored by the "
                "API before their Deployment is sent.\n"
                "With a Service its pods serve HTTP on port 8080, without one they only wait."
            ),
            settings=_SETTINGS,
        ),
        plan_entry(_SUMMARY),
    ),
)
