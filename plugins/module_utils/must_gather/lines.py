# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a log: blocks of lines, of which only those with a rule's word are looked at. Memory does not grow with it."""

from __future__ import annotations

import re
from typing import Protocol

from .builds import is_build
from .requests import ADD, DEL
from .rules import ERROR, OPERATION, PROCESSES, VERBS, Rule, RuleBook, request_in
from .tally import MAX_TEXT, Build, Tally
from .times import WHOLE_TIME, Stamp, begins_with_whole_time, stamp_of, stamp_of_epoch
from .words import Block, Spans

#: What a rule's pattern found in each of some lines.
Matches = list[re.Match[bytes] | None]

#: Bytes that are searched at once: they stay in the processor's cache.
_BLOCK = 256 * 1024
#: A line longer than that is read as several.
_MAX_LINE = 1024 * 1024
#: Bytes of a line that patterns look at.
_LOOKED_AT = 16 * 1024
_LINE_END = ord("\n")
#: Times that are remembered.
_MAX_STAMPS = 4096
_PROGRAM = re.compile(rb"(?:^|\s)(?:(\S+) )?(crio|containerd|kubelet|kubenswrapper|hyperkube)\[\d+\]: ")
_KUBELETS = ("kubenswrapper", "hyperkube")
_POD = re.compile(rb'K8S_POD_NAMESPACE=([^;"]{1,63});(?:[^"]*;)?K8S_POD_NAME=([^;"]{1,253})')
_NODE = re.compile(r"(?:^|/)nodes/([^/]+)/")
_OF_POD = re.compile(r"(?:^|/)namespaces/([^/]+)/pods/([^/]+)/")
#: Who wrote a file, by its path; the first that matches.
_WRITERS = (
    ("multus", re.compile(r"multus")),
    ("ovnkube", re.compile(r"ovn-?kube")),
    ("embedded node", re.compile(r"operations[^/]*\.log")),
    ("kubelet", re.compile(r"kubelet|kubenswrapper")),
    ("crio", re.compile(r"cri-?o(?![a-z])")),
    ("containerd", re.compile(r"containerd")),
    ("pod logs", re.compile(r"(?:^|/)pods/[^/]+/")),
    ("kernel", re.compile(r"dmesg|kern")),
)


class Stream(Protocol):
    """Bytes that are read once, from front to back."""

    def read(self, size: int, /) -> bytes:
        """At most so many bytes; none at the end."""


def writer_of(file: str) -> str:
    """Who wrote the file, by its path."""
    return next((name for name, pattern in _WRITERS if pattern.search(file)), "other logs")


def _number(text: bytes | None) -> float:
    """What a pattern took for a number; below 0 if it is none."""
    try:
        return float(text or b"-1")
    except ValueError:
        return -1.0


def _line_ends(block: bytes) -> int:
    """How many line ends a block has, by what is left without them: five times as fast as Python's count."""
    return len(block) - len(block.replace(b"\n", b""))


def _by_words(hits: list[tuple[int, Spans]]) -> list[tuple[int, Spans]]:
    """The lines by which words they have; each word has a bit, and is in lines of its own before."""
    if len(hits) < 2:
        return hits
    words: dict[int, int] = {}
    ends: dict[int, int] = {}
    for bit, spans in hits:
        for start, end in spans:
            words[start] = words.get(start, 0) | bit
            ends[start] = end
    lines: dict[int, Spans] = {}
    for start, bits in words.items():
        lines.setdefault(bits, []).append((start, ends[start]))
    return list(lines.items())


class _Lines:
    """Lines of a block, which of them a rule reads, and the errors that were counted: (number, kind, source)."""

    def __init__(self, lines: list[bytes]) -> None:
        self.lines = lines
        self.read = bytearray(len(lines))
        self.told: set[tuple[int, str, str]] = set()


class LogReader:
    """Reads one log into a tally."""

    def __init__(self, file: str, rules: RuleBook, tally: Tally) -> None:
        self._file = file
        self._tally = tally
        self._words = rules.for_file(file)
        self._rules: dict[int, tuple[Rule, ...]] = {}
        self._writer = writer_of(file)
        node, pod = _NODE.search(file), _OF_POD.search(file)
        self._node = node[1] if node else ""
        #: Until the node is known: the pod.
        self._pod = f"{pod[1]}/{pod[2]}" if pod else ""
        self._long = 0
        #: By the first bytes of lines that begin with a whole time.
        self._stamps: dict[bytes, Stamp] = {}

    def read(self, stream: Stream) -> None:
        """Read all of it. What the stream raises passes through; what was read before is counted."""
        rest = b""
        try:
            while block := stream.read(_BLOCK):
                self._tally.bytes += len(block)
                rest = rest + block if rest else block
                end = rest.rfind(b"\n", -len(block)) + 1
                if end:
                    self._block(rest, end)
                    rest = rest[end:]
                elif len(rest) > _MAX_LINE:
                    self._long += 1
                    self._block(rest, len(rest))
                    rest = b""
        finally:
            if rest:
                self._block(rest, len(rest))
            if self._long:
                self._tally.warn(f"{self._file}: has lines of more than 1 MiB, which are read in parts")

    def _block(self, block: bytes, size: int) -> None:
        """Look at the lines in the first `size` bytes of a block with a rule's word; after them comes no line end."""
        searched = Block(block, size)
        hits = [
            (1 << place, spans)
            for place, (word, _rules) in enumerate(self._words)
            if (spans := searched.lines_with(word))
        ]
        read = 0
        for bits, spans in _by_words(hits):
            found = [block[start:end] for start, end in spans]
            if max(map(len, found)) > _LOOKED_AT:
                found = [line[:_LOOKED_AT] for line in found]
            read += self._lines(found, bits)
        lines = _line_ends(block) + (block[size - 1] != _LINE_END)
        self._tally.read[self._file] += read
        self._tally.unread[self._file] += lines - read

    def _rules_of(self, bits: int) -> tuple[Rule, ...]:
        rules = self._rules.get(bits)
        if rules is None:
            led = [rule for place, (_word, led_to) in enumerate(self._words) if bits >> place & 1 for rule in led_to]
            rules = self._rules[bits] = tuple(dict.fromkeys(led))
        return rules

    def _lines(self, lines: list[bytes], bits: int) -> int:
        """Look at lines with the same words; of how many a rule reads something.

        Rule by rule, not line by line: what is done for each line and rule is most of the work.
        """
        found = _Lines(lines)
        for rule in self._rules_of(bits):
            matches = list(map(rule.pattern.search, lines))
            if not any(matches):
                continue
            if rule.gives == OPERATION:
                self._operations(rule, found, matches)
            elif rule.gives == PROCESSES:
                self._samples(rule, found, matches)
            else:
                for number, match in enumerate(matches):
                    if match and rule.has_needs(lines[number]):
                        self._error(rule, rule.kind, found, number, match)
        return sum(found.read)

    def _operations(self, rule: Rule, found: _Lines, matches: Matches) -> None:
        """Count requests. Without a time, a line is not read."""
        # Looked up once for all lines.
        request, stamp_at, read = request_in(rule), self._stamps_for(rule).get, found.read
        seen: dict[bool, list[tuple[bytes, int, int, bool]]] = {True: [], False: []}
        for number, (line, match) in enumerate(zip(found.lines, matches, strict=True)):
            if match is None:
                continue
            container, word, failed = request(match)
            verb = VERBS.get(word) if word else None
            if verb is None:
                continue
            stamp = stamp_at(line[:WHOLE_TIME]) or self._stamp(rule, match, found, number)
            if stamp is not None:
                seconds, dated, _zone = stamp
                seen[dated].append((container, verb, seconds, bool(failed)))
                if b"-build" in line:
                    self._build(line, verb == DEL, stamp)
                read[number] = 1
            if failed and verb == ADD and rule.fails:
                self._error(rule, rule.fails, found, number, match)
        for dated, requests in seen.items():
            if requests:
                self._tally.requests(rule.source, dated).see(requests)

    def _samples(self, rule: Rule, found: _Lines, matches: Matches) -> None:
        """Count readings of a node's processes. Without a time, a line is not read."""
        for number, match in enumerate(matches):
            stamp = self._stamp(rule, match, found, number) if match else None
            if match is None or stamp is None:
                continue
            seconds, dated, _zone = stamp
            if "available" in rule.pattern.groupindex:
                capacity = int(match["capacity"])
                self._tally.sample(capacity - int(match["available"]), seconds, dated=dated, capacity=capacity)
            else:
                self._tally.sample(int(_number(match["processes"])), seconds, dated=dated)
            found.read[number] = 1

    def _stamps_for(self, rule: Rule) -> dict[bytes, Stamp]:
        """The known times of lines that begin with one, if the rule takes them from there."""
        return {} if "epoch" in rule.pattern.groupindex else self._stamps

    def _stamp(self, rule: Rule, match: re.Match[bytes], found: _Lines, number: int) -> Stamp | None:
        """When a line was written. What it tells of the times in the gather is noted once for each line."""
        line, stamps = found.lines[number], self._stamps_for(rule)
        if "epoch" in rule.pattern.groupindex:
            seconds = stamp_of_epoch(_number(match["epoch"]))
            stamp = None if seconds is None else Stamp(seconds, True)
        else:
            stamp = stamps.get(line[:WHOLE_TIME]) or stamp_of(line)
        if stamp is None or found.read[number]:
            return stamp
        tally = self._tally
        if not stamp.dated:
            tally.undated_years = True
        elif stamp.seconds > tally.newest:
            tally.newest = stamp.seconds
        if stamp.zone:
            tally.zones[stamp.zone] += 1
        elif begins_with_whole_time(line):
            # Nothing is left to be noted for other lines of that second.
            if len(stamps) >= _MAX_STAMPS:
                stamps.clear()
            stamps[line[:WHOLE_TIME]] = stamp
        return stamp

    def _error(self, rule: Rule, kind: str, found: _Lines, number: int, match: re.Match[bytes]) -> None:
        """Count an error, once for each line whichever rules find it; a repeated one is read and not counted."""
        line, stamp = found.lines[number], self._stamp(rule, match, found, number)
        found.read[number] = 1
        source = rule.source if rule.gives == ERROR else ""
        if (number, kind, source) in found.told or any(word in line for word in rule.repeats):
            return
        found.told.add((number, kind, source))
        program = _PROGRAM.search(line[:MAX_TEXT])
        node = self._node
        writer = source or self._writer
        if program:
            name = program[2].decode()
            writer = source or ("kubelet" if name in _KUBELETS else name)
            node = node or (program[1] or b"").decode(errors="replace")
        self._tally.error(
            kind,
            writer,
            stamp.seconds if stamp else None,
            dated=stamp is not None and stamp.dated,
            node=node or (f"pod {self._pod}" if self._pod else ""),
            text=line.decode(errors="replace").strip(),
            file=self._file,
        )

    def _build(self, line: bytes, ends: bool, stamp: Stamp) -> None:
        pod = _POD.search(line)
        if stamp.dated and pod and is_build(name := pod[2].decode(errors="replace")):
            known = Build(finished=stamp.seconds) if ends else Build(created=stamp.seconds)
            self._tally.build(pod[1].decode(errors="replace"), name, known)
