"""The generated pages: what ansible-doc says becomes Markdown that is right in a table."""

from __future__ import annotations

from pathlib import Path

import generate_docs
import pytest


@pytest.mark.parametrize(
    ("ansible", "expected"),
    [
        ("O(kinds) of V(true)", "`kinds` of `true`"),
        ("O(state=absent) and RV(ready)", "`state=absent` and `ready`"),
        ("E(K8S_AUTH_HOST), C(a_b), B(b), I(i)", "`K8S_AUTH_HOST`, `a_b`, **b**, *i*"),
        ("a_b <c> [d] *e*", r"a\_b \<c\> \[d\] \*e\*"),
        ("M(kubestress.core.batch), L(text,https://x.y/), U(https://x.y/)",
         "`kubestress.core.batch`, [text](https://x.y/), <https://x.y/>"),
        (["one", "two"], "one\n\ntwo"),
        (None, ""),
    ],
)  # fmt: skip
def test_markup_becomes_markdown(ansible: str | list[str] | None, expected: str) -> None:
    assert generate_docs.markdown(ansible) == expected


def test_cell_stays_one_cell() -> None:
    assert generate_docs.cell(["a|b", "c"]) == r"a\|b<br>c"


@pytest.mark.parametrize(
    ("raw", "expected"),
    [("text", "text"), ("", "''"), (3, "3"), (False, "false"), ([], "[]"), ({"a": 1}, "{a: 1}"), (None, "null")],
)
def test_value_reads_as_yaml(raw: object, expected: str) -> None:
    assert generate_docs.value(raw) == expected


def test_inner_options_follow_with_their_path() -> None:
    options: dict = {"a": {"options": {"b": {"options": {"c": {}}}}}, "d": {}}
    assert [name for name, _option in generate_docs.flat(options, below="options")] == ["a", "a.b", "a.b.c", "d"]


def test_page_that_differs_or_has_no_source_is_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generate_docs, "CHECKOUT", tmp_path)
    folder = tmp_path / "docs" / "modules"
    folder.mkdir(parents=True)
    (folder / "same.md").write_text("same")
    (folder / "changed.md").write_text("old")
    (folder / "orphan.md").write_text("gone")
    wanted = {"docs/modules/same.md": "same", "docs/modules/changed.md": "new", "docs/modules/missing.md": "new"}
    assert generate_docs.stale(wanted) == {
        "docs/modules/changed.md": "new",
        "docs/modules/missing.md": "new",
        "docs/modules/orphan.md": None,
    }
