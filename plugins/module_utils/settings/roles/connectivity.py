# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role connectivity: its variables and its entry points."""

from __future__ import annotations

from ..setting import DAY_SECONDS, Entry, Range, Role, Setting, plan_entry

_SETTINGS = (
    Setting(
        "connectivity_enabled",
        "bool",
        False,
        environment="CURL_TEST_ENABLED",
        old_flags=("--curl-test-enabled", "--no-curl-test"),
        meaning="Whether the run checks the Services.",
    ),
    Setting(
        "connectivity_interval",
        "int",
        30,
        allowed=Range(0, DAY_SECONDS),
        environment="CURL_TEST_INTERVAL",
        old_flags=("--curl-interval",),
        meaning="Seconds from one round to the next.",
    ),
    Setting(
        "connectivity_count",
        "int",
        10,
        allowed=Range(1, 1_000_000),
        environment="CURL_TEST_COUNT",
        old_flags=("--curl-count",),
        meaning="Rounds. In each, every Service is requested once.",
    ),
    Setting("connectivity_request_timeout", "int", 5, allowed=Range(1, 3_600), meaning="Seconds for one request."),
    Setting(
        "connectivity_warm_up",
        "int",
        60,
        allowed=Range(0, DAY_SECONDS),
        meaning=(
            "Seconds for all Services to have answered once, before the rounds begin. Until then a failure does not "
            "count."
        ),
    ),
    Setting(
        "connectivity_resolve",
        "str",
        "address",
        choices=("address", "dns"),
        meaning=(
            "How a Service is found.\n"
            "With V(address), by the variables that Kubernetes gives a pod. The check then shows the Services' own "
            "path alone.\n"
            "With V(dns), by name. Then the cluster's DNS is part of what is checked."
        ),
    ),
    Setting(
        "connectivity_image",
        "str",
        "registry.k8s.io/e2e-test-images/agnhost:2.53",
        meaning=(
            "The default is the image of Kubernetes' own end-to-end tests.\n"
            "Another one needs a POSIX shell at C(/bin/sh), C(timeout), and C(curl) or C(nc).\n"
            "With C(nc) only the whole time of a request is measured."
        ),
    ),
    Setting(
        "connectivity_requests",
        "dict",
        {"cpu": "10m", "memory": "16Mi"},
        meaning="Resource requests of each pod's container, as in a pod's spec: cpu and memory.",
    ),
    Setting(
        "connectivity_limits",
        "dict",
        {"cpu": "100m", "memory": "64Mi"},
        meaning="Resource limits of each pod's container, as in a pod's spec: cpu and memory.",
    ),
    Setting(
        "connectivity_template",
        "str",
        "connectivity.yml.j2",
        meaning=(
            "Template of the Job: the role's own, or a path, or a file in a C(templates) folder beside the playbook."
        ),
    ),
)

_SUMMARY = "A check that the Deployments' Services answer"

ROLE = Role(
    "connectivity",
    entries=(
        Entry(
            "main",
            _SUMMARY,
            (
                "Runs one pod (a Job) in each namespace, once its Deployments are available. It requests every "
                "Service over HTTP, round by round, and fails, naming each failure, if one was not answered.\n"
                "How long the requests took is in the summary, with percentiles by phase.\n"
                "Needs the Deployments' Services (C(deployments_service_enabled)).\n"
                "On simulated nodes nothing is requested; there the Job's success says nothing about the network, and "
                "there are no times."
            ),
            settings=_SETTINGS,
        ),
        plan_entry(_SUMMARY),
    ),
)
