# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a context are left out: the rules of .dockerignore, and what is always left out; pure.

The rules are those of github.com/moby/patternmatcher, which Docker and BuildKit use. They are not git's: a pattern
begins at the root of the context, so that `*.log` means no file below a folder, and a file may be taken back by `!`
although its folder is left out. Python's libraries for such patterns (pathspec) have git's rules, hence our own.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Sequence
from dataclasses import dataclass

from .errors import BadOption

FILE = ".dockerignore"
#: Left out at any depth, and `!` does not take them back: keys, states and caches that no job needs.
ALWAYS = (".git", ".terraform", ".ansible", "node_modules", "__pycache__", ".DS_Store", "*.log", "tmp/")


@dataclass(frozen=True)
class _Pattern:
    regex: re.Pattern[str]
    takes_back: bool


class Ignore:
    """The rules of one context. Paths are relative to it, with / between their parts."""

    def __init__(self, lines: Sequence[str] = ()) -> None:
        self._patterns = [pattern for number, line in enumerate(lines, 1) if (pattern := _pattern(line, number))]
        #: Folder -> which patterns it has met, because its files ask again and again.
        self._folders: dict[str, tuple[bool, ...]] = {}
        #: Whether a folder that is left out may have files that are not.
        self.takes_back = any(pattern.takes_back for pattern in self._patterns)

    def leaves_out(self, path: str, *, is_folder: bool) -> bool:
        """Whether this file or folder is left out. For the latter, see `takes_back` too."""
        return is_always_left_out(path, is_folder=is_folder) or self._matches(path)

    def _matches(self, path: str) -> bool:
        return self._judged(path)[0]

    def _judged(self, path: str) -> tuple[bool, tuple[bool, ...]]:
        """Whether a path is left out, and which patterns it or a folder above it has met.

        The last pattern that is met decides. One that could change nothing when it is its turn is not looked at, and
        then does not count for what lies below either; so does BuildKit.
        """
        if not path:
            return False, (False,) * len(self._patterns)
        folder = path.rpartition("/")[0]
        if folder not in self._folders:
            self._folders[folder] = self._judged(folder)[1]
        found, met = False, list(self._folders[folder])
        for number, pattern in enumerate(self._patterns):
            if not met[number] and pattern.takes_back == found:
                met[number] = pattern.regex.fullmatch(path) is not None
            if met[number]:
                found = not pattern.takes_back
        return found, tuple(met)


def is_always_left_out(path: str, *, is_folder: bool) -> bool:
    """Whether a path is left out whatever .dockerignore says. Folders above it are not looked at."""
    name = posixpath.basename(path)
    return any(_is(name, each, is_folder=is_folder) for each in ALWAYS)


def _is(name: str, rule: str, *, is_folder: bool) -> bool:
    if rule.endswith("/"):
        return is_folder and name == rule[:-1]
    return name.endswith(rule[1:]) if rule.startswith("*") else name == rule


def _pattern(line: str, number: int) -> _Pattern | None:
    """The pattern of a line; None for an empty line or a comment. Raises BadOption, which names the line."""
    if number == 1:
        line = line.removeprefix("\ufeff")
    if line.startswith("#") or not (text := line.strip()):
        return None
    takes_back = text.startswith("!")
    text = text[1:].strip() if takes_back else text
    if not text:
        raise BadOption("context", f"{FILE}, line {number}: a '!' without a pattern")
    cleaned = posixpath.normpath(text)
    # Python keeps two slashes at the beginning, which have a meaning elsewhere.
    cleaned = re.sub(r"^/+(?=.)", "", cleaned)
    try:
        return _Pattern(re.compile(_regex(cleaned), re.DOTALL), takes_back)
    except re.error as error:
        raise BadOption("context", f"{FILE}, line {number}: {line.strip()!r} is not a pattern: {error}") from error


def _regex(pattern: str) -> str:
    """The regular expression of a pattern: ** is any number of folders, * and ? stay in one, [a-z] is a class."""
    result, position = [], 0
    while position < len(pattern):
        character = pattern[position]
        if pattern.startswith("**", position):
            position += 2
            if pattern.startswith("/", position):
                position += 1
            # At the end anything below, else any number of whole folders, none included.
            result.append(".*" if position == len(pattern) else "(?:.*/)?")
            continue
        position += 1
        if character == "*":
            result.append("[^/]*")
        elif character == "?":
            result.append("[^/]")
        elif character == "\\":
            result.append(re.escape(_escaped(pattern, position)))
            position += 1
        elif character == "[":
            text, position = _class(pattern, position)
            result.append(text)
        else:
            result.append(re.escape(character))
    return "".join(result)


def _class(pattern: str, position: int) -> tuple[str, int]:
    """The class that begins after a [ as a regular expression, and where it ends. Raises re.error.

    Its grammar is that of Go's filepath.Match: characters and ranges, where - ] and backslash need a backslash.
    """
    negated = pattern.startswith("^", position)
    position += negated
    parts: list[str] = []
    while not (parts and pattern.startswith("]", position)):
        low, position = _class_character(pattern, position)
        high = low
        if pattern.startswith("-", position):
            high, position = _class_character(pattern, position + 1)
        parts.append(f"{re.escape(low)}-{re.escape(high)}")
    return f"[{'^' if negated else ''}{''.join(parts)}]", position + 1


def _class_character(pattern: str, position: int) -> tuple[str, int]:
    character = pattern[position : position + 1]
    if character == "\\":
        return _escaped(pattern, position + 1), position + 2
    if character in ("", "-", "]"):
        raise re.error("a [ without its ], or a class with a bare - or ]")
    return character, position + 1


def _escaped(pattern: str, position: int) -> str:
    if position >= len(pattern):
        raise re.error("a backslash at its end")
    return pattern[position]
