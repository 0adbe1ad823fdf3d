"""How long volumes took, merged over batches, and where people see it."""

from __future__ import annotations

from typing import Any

from ansible_collections.kubestress.core.plugins.module_utils.measure.volumes import VolumeBook
from ansible_collections.kubestress.core.plugins.module_utils.results.merge_volumes import merged_volumes
from ansible_collections.kubestress.core.plugins.plugin_utils.page.volume_tables import volume_stages


def measured(*bound_seconds: float, cause: str | None = None, attachments: str | None = None) -> dict[str, Any]:
    """Return a batch whose claims were bound in these seconds."""
    book = VolumeBook()
    for seconds in bound_seconds:
        book.sketches["volumes"]["bound"].add(seconds)
    book.attachments_cause = attachments
    return {"volumes": {"cause": cause, **book.figures()}}


def test_no_volumes_no_figures():
    assert merged_volumes([{"volumes": None}, {}]) is None


def test_percentiles_come_from_all_batches():
    found = merged_volumes([measured(1, 1, 1), measured(9)])
    assert found is not None
    row = found["stages"]["volumes"]["bound"]
    assert (row["count"], row["max_s"]) == (4, 9)
    assert 0.98 < row["p50_s"] < 1.02


def test_what_was_not_measured_has_its_cause():
    found = merged_volumes([measured(cause="nobody waited", attachments="forbidden")])
    assert found is not None
    assert (found["cause"], found["attachments_cause"], found["stages"]) == ("nobody waited", "forbidden", {})
    assert volume_stages(found).empty == "No data: nobody waited."


def test_the_table_of_the_page():
    found = merged_volumes([measured(0.25)])
    assert found is not None
    table = volume_stages(found)
    assert [cell.text for cell in table.rows[0][:3]] == ["volumes", "claim: created to bound", "1"]
