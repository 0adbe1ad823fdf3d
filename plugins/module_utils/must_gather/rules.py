# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What lines mean: one table of rules, and rules of the user that come behind them. No I/O.

A line is looked at by a rule if it contains one of the rule's words, which is cheap to find in a block of lines; then
the rule's pattern decides.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from operator import methodcaller
from typing import Any, TypeAlias

from ..errors import ModuleFailed
from ..measure import network
from ..measure.events import FORK_FAILED, FORK_FAILURE
from .requests import ADD, DEL

OPERATION, ERROR, PROCESSES = "operation", "error", "processes"
ANNOTATION, SANDBOX, NETWORK, PRESSURE = (
    "annotation timeout",
    "sandbox failed",
    "network set-up failed",
    "pid pressure",
)
#: The kinds that end a pod's start or a build, in the order in which the first failure is looked for.
FAILURES = (FORK_FAILED, SANDBOX, NETWORK, ANNOTATION)
#: Groups that a pattern must have, by what its rule gives.
_GROUPS = {OPERATION: {"verb", "id"}, ERROR: set(), PROCESSES: {"processes"}}
#: What a rule's `verb` may match.
VERBS = {b"ADD": ADD, b"DEL": DEL, b"add": ADD, b"del": DEL, b"Add": ADD, b"Del": DEL}
_KEYS = ("name", "gives", "words", "pattern", "source", "kind", "files")


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule. A pattern's named groups say what was found.

    - `gives` OPERATION: `verb` (ADD or DEL; or `adds` matched, which means ADD, and else DEL), `id`, `failed` (not
      empty: ended with an error), `epoch` (seconds since 1970, if lines do not begin with a time).
    - `gives` ERROR: an error of `kind`.
    - `gives` PROCESSES: `processes`, or `available` and `capacity`.
    - `source`: by whom operations are counted; "" for errors means the program that wrote the line.
    - `files`: only files whose name matches.
    - `needs`: a line that the pattern reads must have one of these texts, too; none: any line.
    - `fails`: an ADD that ended with an error is an error of this kind as well.
    - `repeats`: a line with one of these words repeats an error that another line tells: it is read, and not counted.
    """

    name: str
    gives: str
    words: tuple[bytes, ...]
    pattern: re.Pattern[bytes]
    source: str = ""
    kind: str = ""
    files: re.Pattern[str] | None = None
    needs: tuple[bytes, ...] = ()
    fails: str = ""
    repeats: tuple[bytes, ...] = ()

    def has_needs(self, line: bytes) -> bool:
        """Whether the line has one of the texts that it needs beside what the pattern reads."""
        return not self.needs or any(text in line for text in self.needs)


_ID = rb"(?P<id>[0-9A-Za-z][0-9A-Za-z._-]{5,127})"
_ADDS = rb"(?P<adds>)"
#: Looked for backwards from the literal with which the pattern begins, because literals are found fast.
_VERB = rb"(?P<verb>ADD|DEL) (?:starting|finished) CNI request "
#: What a kubelet writes behind "RunPodSandbox from runtime service failed", with the same error in it.
_REPEATS = (b"Failed to create sandbox for pod", b"CreatePodSandbox for pod failed", b"Error syncing pod")
#: "sandbox" and "Sandbox". One word for several rules is one search less.
_SANDBOX = (b"andbox",)

RULES: tuple[Rule, ...] = (
    Rule(
        name="multus",
        gives=OPERATION,
        source="multus",
        fails=NETWORK,
        repeats=_REPEATS,
        words=(b"CNI request",),
        pattern=re.compile(
            rb'CNI request ContainerID:"(?<=' + _VERB + rb'ContainerID:")' + _ID + rb'"'
            rb"(?:.*, err: (?!<nil>)(?P<failed>.))?"
        ),
    ),
    Rule(
        name="ovnkube",
        gives=OPERATION,
        source="ovnkube",
        fails=NETWORK,
        repeats=_REPEATS,
        words=(b"CNI request",),
        pattern=re.compile(
            rb"CNI request \[(?<=" + _VERB + rb"\[)[^ \]]+ " + _ID + rb"[ \]](?:.*, err (?!<nil>)(?P<failed>.))?"
        ),
    ),
    Rule(
        name="CRI-O, sandbox started",
        gives=OPERATION,
        source="crio",
        words=_SANDBOX,
        pattern=re.compile(rb"Ran pod sandbox " + _ID + _ADDS),
    ),
    Rule(
        name="CRI-O, sandbox stopped",
        gives=OPERATION,
        source="crio",
        words=_SANDBOX,
        pattern=re.compile(rb"Stopped pod sandbox(?: \(already stopped\))?: " + _ID),
    ),
    Rule(
        name="CRI-O, network not set up",
        gives=OPERATION,
        source="crio",
        words=_SANDBOX,
        pattern=re.compile(rb"crio\[\d+\]: .*pod network sandbox [^(]*\(" + _ID + rb"\): (?P<failed>.)" + _ADDS),
    ),
    Rule(
        name="containerd, sandbox started",
        gives=OPERATION,
        source="containerd",
        words=_SANDBOX,
        pattern=re.compile(rb'RunPodSandbox for .*returns sandbox id \\?"' + _ID + _ADDS),
    ),
    Rule(
        name="containerd, network not set up",
        gives=OPERATION,
        source="containerd",
        words=_SANDBOX,
        pattern=re.compile(
            rb'RunPodSandbox for .*failed, error=(?P<failed>.).*network for sandbox [\\"]*' + _ID + _ADDS
        ),
    ),
    Rule(
        name="containerd, network taken down",
        gives=OPERATION,
        source="containerd",
        words=_SANDBOX,
        pattern=re.compile(rb'TearDown network for sandbox \\?"' + _ID),
    ),
    Rule(
        name="embedded node",
        gives=OPERATION,
        source="embedded node",
        words=(b" ADD ", b" DEL "),
        pattern=re.compile(rb"^" + network.OPERATION + rb"\r?$"),
        files=re.compile(r"operations[^/]*\.log$"),
    ),
    Rule(
        name="process or thread not started",
        gives=ERROR,
        kind=FORK_FAILED,
        repeats=_REPEATS,
        words=(b"fork", b"thread"),
        pattern=re.compile(FORK_FAILURE.pattern.encode(), re.IGNORECASE),
    ),
    Rule(
        name="pod sandbox not created",
        gives=ERROR,
        kind=SANDBOX,
        words=_SANDBOX,
        # One of the lines that a kubelet writes about each; the others repeat it.
        pattern=re.compile(
            rb"Failed to create pod sandbox:|RunPodSandbox from runtime service failed"
            rb"|RunPodSandbox for .* failed, error="
        ),
    ),
    Rule(
        name="network of a pod not set up, as the plug-in says",
        gives=ERROR,
        kind=NETWORK,
        repeats=_REPEATS,
        words=(b"failed (add)",),
        needs=(b"CNI request", *_SANDBOX),
        pattern=re.compile(rb"failed \(add\)"),
    ),
    Rule(
        name="network of a pod not set up, as the one who asked says",
        gives=ERROR,
        kind=NETWORK,
        repeats=_REPEATS,
        words=(b"CNI request",),
        pattern=re.compile(rb"CNI request failed with status"),
    ),
    Rule(
        name="annotations waited for too long",
        gives=ERROR,
        kind=ANNOTATION,
        repeats=_REPEATS,
        words=(b"ting for annotations",),
        pattern=re.compile(rb"timed out waiting for annotations"),
    ),
    Rule(
        name="process numbers run short",
        gives=ERROR,
        kind=PRESSURE,
        words=(b"PIDPressure", b"pid.available"),
        pattern=re.compile(
            rb"NodeHasPIDPressure|NodeHasInsufficientPID|(?:reclaim|must evict).*(?:pids|pid\.available)"
        ),
    ),
    Rule(
        name="processes, as the kubelet's eviction manager sees them",
        gives=PROCESSES,
        words=(b"pid.available",),
        pattern=re.compile(rb'pid\.available"?.*\bavailable="(?P<available>\d{1,9})" capacity="(?P<capacity>\d{1,9})"'),
    ),
    Rule(
        name="processes, as top writes them",
        gives=PROCESSES,
        words=(b"Tasks:", b"Threads:"),
        pattern=re.compile(rb"^\s*(?:Tasks|Threads): +(?P<processes>\d{1,9}) total"),
        files=re.compile(r"(?:^|/)(?:top|sysinfo)[^/]*$"),
    ),
)


class RuleError(ModuleFailed):
    """A rule of the user that cannot be used; the text names the rule, the key and what is allowed."""


class RuleBook:
    """The table and the user's rules, by the words that lead to them."""

    def __init__(self, more: Iterable[Rule] = ()) -> None:
        self.rules: tuple[Rule, ...] = (*RULES, *more)

    def for_file(self, name: str) -> tuple[tuple[bytes, tuple[Rule, ...]], ...]:
        """The words to look for in a file, each with the rules that it leads to."""
        leads: dict[bytes, list[Rule]] = {}
        for rule in self.rules:
            if rule.files is None or rule.files.search(name):
                for word in rule.words:
                    leads.setdefault(word, []).append(rule)
        # A word that contains another one would be found with it: one search less.
        return tuple((word, tuple(_led(word, leads))) for word in leads if not _contains_another(word, leads))


def _contains_another(word: bytes, words: Iterable[bytes]) -> bool:
    return any(other in word and other != word for other in words)


def _led(word: bytes, leads: Mapping[bytes, list[Rule]]) -> list[Rule]:
    found = [rule for other, rules in leads.items() if word in other for rule in rules]
    return list(dict.fromkeys(found))


def user_rules(document: Any, *, option: str) -> list[Rule]:
    """The rules of a user's file: a list of dictionaries with `name`, `gives`, `words`, `pattern` and the rest.

    Raises RuleError: one line with the option, the rule, the key, the value and what is allowed.
    """
    if not isinstance(document, list):
        raise RuleError(f"{option}: a list of rules is needed, and this is {type(document).__name__}")
    return [_user_rule(one, where=f"{option}: rule {number}") for number, one in enumerate(document, 1)]


def _user_rule(given: Any, *, where: str) -> Rule:
    if not isinstance(given, Mapping):
        raise RuleError(f"{where}: {given!r} is no dictionary; allowed keys are {', '.join(_KEYS)}")
    strange = [str(key) for key in given if key not in _KEYS]
    if strange:
        raise RuleError(f"{where}: {strange[0]!r} is unknown; allowed keys are {', '.join(_KEYS)}")
    for key in ("name", "gives", "pattern"):
        if not isinstance(given.get(key), str) or not given[key]:
            raise RuleError(f"{where}: {key} is {given.get(key)!r}; a text is needed")
    where += f" ({given['name']})"
    gives = given["gives"]
    if gives not in _GROUPS:
        raise RuleError(f"{where}: gives is {gives!r}; allowed are {', '.join(_GROUPS)}")
    needed = {OPERATION: "source", ERROR: "kind"}.get(gives)
    for key in ("source", "kind"):
        text = given.get(key, "")
        if not isinstance(text, str) or (key == needed and not text):
            raise RuleError(f"{where}: {key} is {text!r}; a rule that gives {gives} needs a text there")
    pattern = _pattern(given["pattern"].encode(), where=f"{where}: pattern")
    lacking = _GROUPS[gives] - set(pattern.groupindex)
    if lacking:
        raise RuleError(f"{where}: pattern {given['pattern']!r} has no group {', '.join(sorted(lacking))}")
    files = given.get("files")
    return Rule(
        name=given["name"],
        gives=gives,
        words=_words(given.get("words"), where=where),
        pattern=pattern,
        source=given.get("source", ""),
        kind=given.get("kind", ""),
        files=None if files is None else _pattern(str(files), where=f"{where}: files"),
    )


def _pattern(text: Any, *, where: str) -> re.Pattern[Any]:
    try:
        return re.compile(text)
    except re.error as error:
        shown = text.decode() if isinstance(text, bytes) else text
        raise RuleError(f"{where}: {shown!r} is no regular expression: {error}") from error


def _words(given: Any, *, where: str) -> tuple[bytes, ...]:
    words = [given] if isinstance(given, str) else given
    if not isinstance(words, list) or not words or not all(isinstance(one, str) and len(one) > 2 for one in words):
        raise RuleError(
            f"{where}: words is {given!r}; a list of texts of three characters or more is needed, one of which is in "
            "every line that the pattern reads"
        )
    return tuple(one.encode() for one in words)


#: What an operation's pattern found: the container's id, the verb's word, and what tells that it failed.
Found: TypeAlias = "tuple[bytes, bytes | None, bytes | None]"


def request_in(rule: Rule) -> Callable[[re.Match[bytes]], Found]:
    """A function that takes out of a match what an operation's rule found."""
    groups = rule.pattern.groupindex
    container, verb, failed = groups["id"], groups.get("verb"), groups.get("failed")
    if verb and failed:
        return methodcaller("group", container, verb, failed)
    if verb:
        return lambda match: (match[container], match[verb], None)
    word = b"ADD" if "adds" in groups else b"DEL"
    if failed:
        return lambda match: (match[container], word, match[failed])
    return lambda match: (match[container], word, None)
