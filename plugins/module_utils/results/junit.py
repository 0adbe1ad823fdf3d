# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""junit.xml: one test case per promise, in the format that Jenkins, GitLab and other CI systems read. Pure.

It follows the strictest of the schemas in use, in its attributes and in the order of its elements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree as ET

from .times import seconds_between
from .verdict import ABORTED, Promise, promises_of

#: Characters that XML 1.0 forbids even when escaped; a container's message may contain any of them.
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_CLASS = "kubestress"


def junit_xml(summary: Mapping[str, Any], *, slo_required: bool = False) -> str:
    """The document as text, with its XML declaration.

    A run that did not finish is an error. A broken promise is a failure with its reasons. A promise that was not
    measured, or a service level that is not required, is skipped, with a message that says what was seen.
    """
    promises = promises_of(summary, slo_required=slo_required)
    seconds = seconds_between(summary["started"], summary["finished"])
    # No attributes: the schemas in use do not agree on any.
    root = ET.Element("testsuites")
    suites = [_run_suite(summary, promises, seconds)]
    for name in dict.fromkeys(promise.suite for promise in promises):
        cases = [_case(promise) for promise in promises if promise.suite == name]
        suites.append(_suite(name, cases, summary, seconds=None))
    for number, suite in enumerate(suites):
        suite.set("id", str(number))
        root.append(suite)
    ET.indent(root)
    text: str = ET.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'


def _run_suite(summary: Mapping[str, Any], promises: Sequence[Promise], seconds: float | None) -> ET.Element:
    """The run itself: whether it finished, and the reasons that belong to no promise."""
    case = _test_case("run", "the run finishes", seconds)
    if summary["verdict"] == ABORTED:
        of_promises = {reason for promise in promises for reason in promise.reasons}
        reasons = [reason for reason in summary["reasons"] if reason not in of_promises]
        _add(case, "error", reasons[0] if reasons else "aborted", kind=ABORTED, text="\n".join(reasons))
    return _suite("run", [case], summary, seconds=seconds)


def _case(promise: Promise) -> ET.Element:
    case = _test_case(promise.suite, promise.name, None)
    if promise.kept is None:
        _add(case, "skipped", promise.observed)
    elif not promise.kept:
        _add(case, "failure", promise.reasons[0], kind="broken promise", text="\n".join(promise.reasons))
    return case


def _test_case(suite: str, name: str, seconds: float | None) -> ET.Element:
    return ET.Element(
        "testcase", name=_clean(name), classname=f"{_CLASS}.{suite.replace(' ', '_')}", time=_seconds(seconds)
    )


def _add(case: ET.Element, tag: str, message: str, *, kind: str = "", text: str = "") -> None:
    element = ET.SubElement(case, tag, message=_clean(message))
    if kind:
        element.set("type", kind)
    element.text = _clean(text) or None


def _suite(name: str, cases: Sequence[ET.Element], summary: Mapping[str, Any], *, seconds: float | None) -> ET.Element:
    suite = ET.Element(
        "testsuite",
        name=f"{_CLASS}.{name.replace(' ', '_')}",
        package=_CLASS,
        hostname="kubestress",
        timestamp=_local_form(summary["started"]),
        tests=str(len(cases)),
        failures=str(sum(case.find("failure") is not None for case in cases)),
        errors=str(sum(case.find("error") is not None for case in cases)),
        skipped=str(sum(case.find("skipped") is not None for case in cases)),
        time=_seconds(seconds),
    )
    properties = ET.SubElement(suite, "properties")
    for key in ("run_id", "attempt", "profile", "verdict", "settings_hash"):
        if summary.get(key) not in (None, ""):
            ET.SubElement(properties, "property", name=key, value=_clean(str(summary[key])))
    suite.extend(cases)
    ET.SubElement(suite, "system-out")
    ET.SubElement(suite, "system-err")
    return suite


def _local_form(started: str | None) -> str:
    """The schema allows neither fractions nor a time zone; our times are UTC."""
    return str(started)[:19] if started else "1970-01-01T00:00:00"


def _seconds(value: float | None) -> str:
    return f"{value or 0:.3f}"


def _clean(text: str) -> str:
    return _NOT_XML.sub("\ufffd", text)
