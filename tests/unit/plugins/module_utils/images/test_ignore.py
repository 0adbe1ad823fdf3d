"""The rules of .dockerignore, as Docker and BuildKit have them, and what is always left out."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.images.errors import BadOption
from ansible_collections.kubestress.core.plugins.module_utils.images.ignore import Ignore


def left_out(text: str, path: str) -> bool:
    return Ignore(text.splitlines()).leaves_out(path, is_folder=False)


@pytest.mark.parametrize(
    ("text", "out", "kept"),
    [
        # From the root, unlike git's.
        ("a", ["a", "a/b", "a/b/c"], ["b/a", "ab"]),
        ("*.txt", ["a.txt"], ["b/a.txt"]),
        ("**/*.txt", ["a.txt", "b/a.txt", "b/c/a.txt"], ["a.txt2"]),
        ("/a/", ["a", "a/b"], ["b/a"]),
        ("./a", ["a"], []),
        ("a/../b", ["b"], ["a"]),
        ("a/*/c", ["a/b/c"], ["a/c", "a/b/b/c"]),
        ("a/**/c", ["a/c", "a/b/c", "a/b/b/c"], ["c"]),
        ("a/**", ["a/b", "a/b/c"], ["b/a"]),
        ("**", ["a", "a/b"], []),
        ("a?", ["ab"], ["a", "a/b", "abc"]),
        ("[a-c]x", ["ax", "cx"], ["dx"]),
        ("[^a]x", ["bx"], ["ax"]),
        (r"\*", ["*"], ["a"]),
        (r"[\]]", ["]"], ["a"]),
        # No character but those has a meaning.
        ("a.b+(c)", ["a.b+(c)"], ["axb+(c)"]),
        # Comments, empty lines, spaces, a byte order mark.
        ("# a\n\n  b  \n", ["b"], ["# a", "a"]),
        ("\ufeffa", ["a"], []),
        (" #a", ["#a"], []),
        # The last one that is met decides, and a file may be taken back from a folder.
        ("a\n!a/b", ["a", "a/c"], ["a/b", "a/b/c"]),
        ("!a/b\na", ["a/b"], []),
        ("a\n!a/b\na/b/c", ["a/b/c"], ["a/b/d"]),
        ("*\n!src\n!*.py", ["doc", "doc/a.py"], ["src", "src/a", "a.py"]),
    ],
)
def test_pattern(text: str, out: list[str], kept: list[str]) -> None:
    assert [path for path in out if not left_out(text, path)] == []
    assert [path for path in kept if left_out(text, path)] == []


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a\n!", "line 2: a '!' without a pattern"),
        ("a[", "line 1: 'a[' is not a pattern"),
        ("[]a]", "line 1"),
        ("[a-]", "line 1"),
        ("[b-a]", "line 1: '[b-a]' is not a pattern: bad character range"),
        ("a\\", "line 1: 'a\\\\' is not a pattern: a backslash at its end"),
    ],
)
def test_a_line_that_is_no_pattern_is_named(text: str, said: str) -> None:
    with pytest.raises(BadOption) as caught:
        Ignore(text.splitlines())
    assert str(caught.value).startswith("context: .dockerignore, ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("path", "is_folder", "expected"),
    [
        (".git", True, True),
        ("a/.git", False, True),  # a worktree's is a file
        (".gitignore", False, False),
        ("a/b.log", False, True),
        ("logs", True, False),
        ("a/tmp", True, True),
        ("tmp", False, False),
        ("node_modules", True, True),
        ("a/__pycache__", True, True),
        (".DS_Store", False, True),
        (".terraform", True, True),
        (".ansible", True, True),
    ],
)
def test_what_is_always_left_out_is_not_taken_back(path: str, is_folder: bool, expected: bool) -> None:
    rules = Ignore([f"!{path}", f"!**/{path}"])
    assert rules.leaves_out(path, is_folder=is_folder) is expected
