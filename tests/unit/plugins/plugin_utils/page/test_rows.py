"""Rows as markup: text stays text, the first cell is the row's head, what sorts a column is beside its text."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.plugin_utils.page.model import FAINT, WARN, Cell, Table, columns
from ansible_collections.kubestress.core.plugins.plugin_utils.page.rows import rows_markup


def test_one_row() -> None:
    cells = [
        Cell(text="<b>&\"'", code=True),
        Cell(text="1 GiB", sort=1024.0),
        Cell(text="bad, said it", tone=WARN),
        Cell(text="no data", tone=FAINT),
        Cell(text="run", link='x" onclick="y'),
    ]
    table = Table(id="t", title="T", columns=columns("Name", "#Size", "~Why", "None", "Link"), rows=[cells])
    assert str(rows_markup(table)) == (
        "<tr><th scope=row><code>&lt;b&gt;&amp;&#34;&#39;</code></th>"
        '<td class="n " data-v="1024.0">1 GiB</td>'
        '<td class="long warn"><span class="symbol" aria-hidden="true">!</span> bad, said it</td>'
        '<td class="faint">no data</td>'
        '<td><a href="x&#34; onclick=&#34;y">run</a></td></tr>'
    )
