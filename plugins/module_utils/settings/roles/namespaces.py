# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role namespaces: its variables and its entry points."""

from __future__ import annotations

from ..setting import DAY_SECONDS, Entry, Range, Role, Setting, plan_entry

_SETTINGS = (
    Setting(
        "namespaces_total",
        "int",
        100,
        allowed=Range(1, 100_000),
        environment="TOTAL_NAMESPACES",
        old_flags=("--total-namespaces",),
        meaning="How many namespaces the run works in.",
    ),
    Setting(
        "namespaces_parallel",
        "int",
        10,
        allowed=Range(1, 10_000),
        environment="NAMESPACE_PARALLEL",
        old_flags=("--namespace-parallel",),
        meaning="How many namespaces are worked on at once.",
    ),
    Setting(
        "namespaces_prefix",
        "str",
        "deploy-test",
        environment="NAMESPACE_PREFIX",
        old_flags=("--namespace-prefix",),
        meaning=(
            "Beginning of every namespace's name. With C(-) and the number it must make a DNS label (at most 63 "
            "characters)."
        ),
    ),
    Setting(
        "namespaces_names",
        "list",
        [],
        elements="str",
        meaning=(
            "Names of the run's namespaces, in order, instead of C(namespaces_prefix) and C(namespaces_total), which "
            "then count for nothing. Those that exist and are not this run's are listed in C(namespaces_existing) as "
            "well."
        ),
    ),
    Setting(
        "namespaces_ready_timeout",
        "int",
        60,
        allowed=Range(1, DAY_SECONDS),
        environment="NAMESPACE_READY_TIMEOUT",
        old_flags=("--namespace-timeout",),
        meaning="Seconds for a namespace to become ready.",
    ),
    Setting(
        "namespaces_existing",
        "list",
        [],
        elements="str",
        meaning=(
            "Names of the run's namespaces that exist already and are used as they are: neither made nor labelled "
            "nor removed.\n"
            "Where all of them are listed, the run needs no right to make namespaces, and none outside of them."
        ),
    ),
    Setting(
        "namespaces_labels",
        "dict",
        {},
        meaning="Further labels of the namespaces, such as a Pod Security level. The run's own labels win.",
    ),
    Setting(
        "namespaces_annotations",
        "dict",
        {},
        meaning="Annotations of the namespaces, such as a node selector of the project.",
    ),
    Setting(
        "namespaces_template",
        "str",
        "namespace.yml.j2",
        meaning=(
            "Template of the Namespace: the role's own, or a path, or a file in a C(templates) folder beside the "
            "playbook."
        ),
    ),
)

_SUMMARY = "The namespaces of a run"

ROLE = Role(
    "namespaces",
    entries=(
        Entry(
            "main",
            _SUMMARY,
            (
                "Makes C({prefix}-{n}), with n from 1, or what O(namespaces_names) lists, and waits until each is "
                "Active and has its ServiceAccount C(default).\n"
                "A namespace that exists and is not this run's is refused, unless it is listed in "
                "O(namespaces_existing)."
            ),
            settings=_SETTINGS,
        ),
        plan_entry(_SUMMARY),
    ),
)
