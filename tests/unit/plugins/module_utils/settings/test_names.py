"""Typing errors are refused; what may belong to somebody else's playbook is not."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.settings.names import unknown_in_profile, unknown_names

KNOWN = {
    "namespaces_total",
    "namespaces_prefix",
    "run_id",
    "run_qps",
    "report_error",
    "kubestress_kubeconfig",
    "profile",
}
PREFIXES = {"namespaces_", "run_", "report_", "kubestress_"}


def look(*present: str, extra: tuple[str, ...] = (), refuse: bool = True):
    return unknown_names(present, known=KNOWN, prefixes=PREFIXES, extra_vars=dict.fromkeys(extra, 1), refuse=refuse)


@pytest.mark.parametrize(
    ("present", "extra", "refused", "warned"),
    [
        # in the inventory
        ("namespaces_totl", False, True, False),
        ("namespaces_prefx", False, True, False),
        ("kubestress_kubconfig", False, True, False),
        ("run_as_user", False, False, True),
        ("report_recipients", False, False, True),
        ("namespaces_of_the_team", False, False, True),
        ("namespace_total", False, False, False),
        ("ansible_user", False, False, False),
        ("runner", False, False, False),
        # extra vars
        ("namespaces_totl", True, True, False),
        ("namespace_total", True, True, False),
        ("profil", True, True, False),
        ("report_recipients", True, True, False),
        ("my_own", True, False, False),
        # ours
        ("run_id", True, False, False),
        ("kubestress_settings", False, False, False),
        ("run_result", False, False, False),
        ("kubestress_settings", True, True, False),
        ("kubestress_plan", True, True, False),
        ("run_batch", True, True, False),
        ("kubestress_build_jobs_number", True, True, False),
        ("kubestress_hosts", True, False, False),
        ("kubestress_summary", True, False, False),
    ],
)
def test_name(present, extra, refused, warned):
    found = look(present, extra=(present,) if extra else ())
    assert (len(found.problems), len(found.warnings)) == (int(refused), int(warned))


def test_the_likely_name_is_told():
    assert (
        look("namespaces_totl")
        .problems[0]
        .startswith("namespaces_totl: no role of kubestress.core has such a variable; did you mean namespaces_total?")
    )


def test_nothing_is_refused_where_only_warnings_are_wanted():
    found = look("namespaces_totl", "run_as_user", extra=("namespace_total",), refuse=False)
    assert found.problems == ()
    assert [line.partition(":")[0] for line in found.warnings] == ["namespace_total", "namespaces_totl", "run_as_user"]


def test_profile_may_only_set_what_roles_have():
    assert unknown_in_profile({"namespaces_total": 1, "namespace_total": 2}, KNOWN, source="the profile x") == [
        "namespace_total: the profile x sets it, and no role has such a variable; did you mean namespaces_total?"
    ]
