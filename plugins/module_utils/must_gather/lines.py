# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reads a log: blocks of lines, of which only those with a rule's word are looked at. Memory does not grow with it.

A search for a word in a block costs a fraction of a millisecond per megabyte; splitting it into lines would cost ten
times that.
"""

from __future__ import annotations

import re
from typing import Protocol

from .builds import is_build
from .requests import DEL, key_of
from .rules import ERROR, OPERATION, Rule, RuleBook, verb_of
from .tally import MAX_TEXT, Build, Tally
from .times import Stamp, stamp_of, stamp_of_epoch

#: Bytes that are searched at once: they stay in the processor's cache.
_BLOCK = 512 * 1024
#: A line longer than that is read as several.
_MAX_LINE = 1024 * 1024
#: Bytes of a line that patterns look at.
_LOOKED_AT = 16 * 1024
_LINE_END = ord("\n")
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
        """Look at the lines in the first `size` bytes of a block that have a word of a rule."""
        found: dict[int, int] = {}
        ends: dict[int, int] = {}
        bit = 1
        for word, _rules in self._words:
            place = block.find(word, 0, size)
            while place >= 0:
                start = block.rfind(b"\n", 0, place) + 1
                found[start] = found.get(start, 0) | bit
                end = block.find(b"\n", place, size)
                ends[start] = end if end >= 0 else size
                place = block.find(word, end, size) if end >= 0 else -1
            bit <<= 1
        read = 0
        for start, bits in found.items():
            line = block[start : min(ends[start], start + _LOOKED_AT)]
            read += self._line(line, self._rules_of(bits))
        lines = block.count(b"\n", 0, size) + (block[size - 1] != _LINE_END)
        self._tally.read[self._file] += read
        self._tally.unread[self._file] += lines - read

    def _rules_of(self, bits: int) -> tuple[Rule, ...]:
        rules = self._rules.get(bits)
        if rules is None:
            led = [rule for place, (_word, led_to) in enumerate(self._words) if bits >> place & 1 for rule in led_to]
            rules = self._rules[bits] = tuple(dict.fromkeys(led))
        return rules

    def _line(self, line: bytes, rules: tuple[Rule, ...]) -> bool:
        """Whether any rule reads the line."""
        read = False
        stamp: Stamp | None = None
        for rule in rules:
            match = rule.pattern.search(line)
            if match is None:
                continue
            if not read:
                stamp = self._stamp(rule, line, match)
            read = self._take(rule, match, stamp, line) or read
        return read

    def _stamp(self, rule: Rule, line: bytes, match: re.Match[bytes]) -> Stamp | None:
        if "epoch" in rule.pattern.groupindex:
            seconds = stamp_of_epoch(_number(match["epoch"]))
            stamp = None if seconds is None else Stamp(seconds, True)
        else:
            stamp = stamp_of(line)
        if stamp is None:
            return None
        tally = self._tally
        if not stamp.dated:
            tally.undated_years = True
        elif stamp.seconds > tally.newest:
            tally.newest = stamp.seconds
        if stamp.zone:
            tally.zones[stamp.zone] += 1
        return stamp

    def _take(self, rule: Rule, match: re.Match[bytes], stamp: Stamp | None, line: bytes) -> bool:
        """Count what a rule found. An operation or a reading without a time is not read."""
        if rule.gives == ERROR:
            if not any(word in line for word in rule.repeats):
                self._error(rule.kind, rule.source, stamp, line)
            return True
        if stamp is None:
            return False
        if rule.gives == OPERATION:
            verb = verb_of(rule, match)
            if verb is None:
                return False
            failed = "failed" in rule.pattern.groupindex and bool(match["failed"])
            self._tally.requests(rule.source, stamp.dated).see(key_of(match["id"], verb), stamp.seconds, failed)
            if b"-build" in line and stamp.dated:
                self._build(line, verb == DEL, stamp.seconds)
            return True
        if "available" in rule.pattern.groupindex:
            capacity = int(match["capacity"])
            self._tally.sample(capacity - int(match["available"]), stamp.seconds, dated=stamp.dated, capacity=capacity)
        else:
            self._tally.sample(int(_number(match["processes"])), stamp.seconds, dated=stamp.dated)
        return True

    def _error(self, kind: str, source: str, stamp: Stamp | None, line: bytes) -> None:
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

    def _build(self, line: bytes, ends: bool, stamp: int) -> None:
        pod = _POD.search(line)
        if pod and is_build(name := pod[2].decode(errors="replace")):
            known = Build(finished=stamp) if ends else Build(created=stamp)
            self._tally.build(pod[1].decode(errors="replace"), name, known)
