"""The document of a scan."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.module_utils.storage.document import Report, Usage


def test_a_report_has_a_short_text() -> None:
    """asyncio.run makes one of what it returns."""
    rows = [Usage(namespace="ns", name=f"c{number}") for number in range(1000)]
    assert len(repr(Report(started="now", usage=rows))) < 200
