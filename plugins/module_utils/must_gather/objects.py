# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods, Jobs, Events and Nodes as a gather has them: YAML or JSON, single or in lists of any length.

A document is read event by event, and of a list one item is held at a time. What a rule never asks for is not built.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from ..measure.events import FORK_FAILED
from ..measure.pod_status import failure_reason, first_started
from .builds import is_build
from .lines import Stream
from .rules import ERROR, PRESSURE, RuleBook
from .tally import MAX_TEXT, Build, Mark, Tally
from .times import stamp_of_epoch, stamp_of_text

#: An object is read up to this depth; Kubernetes' own have half of it.
MAX_DEPTH = 60
#: Bytes of one object, or of one text in it; etcd stores 1.5 MiB.
MAX_OBJECT = 8 * 1024 * 1024
#: How often one Event may be counted.
_MAX_COUNT = 100_000
_BLOCK = 64 * 1024
#: Parts of objects that are large, and that nothing here asks for.
_DROPPED = frozenset(
    ("managedFields", "containers", "initContainers", "volumes", "tolerations", "template", "annotations", "images")
)
_KINDS = {
    "pods": "Pod",
    "jobs": "Job",
    "events": "Event",
    "nodes": "Node",
}
_LIST = re.compile(r"(?:^|/)(pods|jobs|events|nodes)\.(?:ya?ml|json)$")
_SINGLE = (
    (re.compile(r"(?:^|/)pods/([^/]+)/\1\.(?:ya?ml|json)$"), "Pod"),
    (re.compile(r"(?:^|/)cluster-scoped-resources/core/nodes/[^/]+\.(?:ya?ml|json)$"), "Node"),
    (re.compile(r"(?:^|/)jobs/[^/]+\.(?:ya?ml|json)$"), "Job"),
    (re.compile(r"(?:^|/)events/[^/]+\.(?:ya?ml|json)$"), "Event"),
)
_PLAIN = {"": None, "~": None, "null": None, "true": True, "false": False}


class Unsound(Exception):
    """A document that is not read to its end; the text says why."""


def kind_in(file: str) -> str | None:
    """The kind of the objects in a file, by where it lies in a gather; None for files with other objects."""
    found = _LIST.search(file)
    if found:
        return _KINDS[found[1]]
    return next((kind for pattern, kind in _SINGLE if pattern.search(file)), None)


class _Bounded:
    """What a parser reads from. Raises Unsound if it asks for too much for one object."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self.since_object = 0
        self.total = 0
        self.lines = 0

    def read(self, size: int) -> bytes:
        del size  # the parser asks for very little
        if self.since_object > MAX_OBJECT:
            raise Unsound(f"an object or a text in it is larger than {MAX_OBJECT // 1024**2} MiB")
        block = self._stream.read(_BLOCK)
        self.since_object += len(block)
        self.total += len(block)
        self.lines += block.count(b"\n")
        return block


def objects_in(bounded: _Bounded) -> Iterator[dict[str, Any]]:
    """Each object: a document, or the items of one that is a list. Raises Unsound, with what is wrong."""
    # Only here, because modules are examined where there is no PyYAML.
    import yaml

    # libyaml's parser is twenty times as fast as Python's.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder()
    try:
        for event in yaml.parse(bounded, Loader=loader):  # type: ignore[arg-type]
            made = builder.take(event)
            if made is not None:
                bounded.since_object = 0
                yield made
    except yaml.YAMLError as error:
        raise Unsound(" ".join(str(error).split())[:200]) from error


class _Builder:
    """Makes objects of a parser's events. Aliases and merge keys, which Kubernetes never writes, stay as they are."""

    def __init__(self) -> None:
        self._open: list[Any] = []
        self._keys: list[str | None] = []
        self._skipped = 0
        self._skip_next = False

    def take(self, event: Any) -> dict[str, Any] | None:
        """Take in one event; an object if it is complete with it."""
        kind = type(event).__name__
        if kind == "ScalarEvent":
            return self._value(_scalar(event)) if not self._skipping() else None
        if kind in ("MappingStartEvent", "SequenceStartEvent"):
            if self._skip_next or self._skipped:
                self._skip_next = False
                self._skipped += 1
                if self._skipped + len(self._open) > MAX_DEPTH:
                    raise Unsound(f"an object is nested deeper than {MAX_DEPTH} levels")
                return None
            if len(self._open) >= MAX_DEPTH:
                raise Unsound(f"an object is nested deeper than {MAX_DEPTH} levels")
            self._open.append({} if kind == "MappingStartEvent" else [])
            self._keys.append(None)
            return None
        if kind in ("MappingEndEvent", "SequenceEndEvent"):
            if self._skipped:
                self._skipped -= 1
                return None
            self._keys.pop()
            return self._value(self._open.pop(), whole=True)
        return self._value(None) if kind == "AliasEvent" and not self._skipping() else None

    def _skipping(self) -> bool:
        """Whether this value is dropped."""
        if self._skip_next:
            self._skip_next = False
            return True
        return self._skipped > 0

    def _value(self, value: Any, *, whole: bool = False) -> dict[str, Any] | None:
        """Put a value where it belongs; an object if it is one."""
        if not self._open:
            return value if whole and isinstance(value, dict) and "items" not in value else None
        inside = self._open[-1]
        if isinstance(inside, list):
            if whole and len(self._open) == 2 and self._keys[0] == "items":
                return value if isinstance(value, dict) else None
            inside.append(value)
            return None
        key = self._keys[-1]
        if key is None:
            self._keys[-1] = str(value) if not whole else ""
            # A container's status has its name in it; only specs are dropped by that key.
            self._skip_next = self._keys[-1] in _DROPPED
            if self._skip_next:
                self._keys[-1] = None
        else:
            inside[key] = value
            self._keys[-1] = None
        return None


def _scalar(event: Any) -> Any:
    text = event.value
    if not event.implicit[0]:
        return text
    if text.isdigit() and len(text) < 16:
        return int(text)
    return _PLAIN.get(text, text) if len(text) < 6 else text


class ObjectReader:
    """Reads a file with objects into a tally."""

    def __init__(self, file: str, kind: str, rules: RuleBook, tally: Tally) -> None:
        self._file = file
        self._kind = kind
        self._tally = tally
        self._rules = tuple(rule for rule in rules.rules if rule.gives == ERROR and rule.files is None)

    def read(self, stream: Stream) -> None:
        """Read all of it. Raises Unsound; what was read before is counted."""
        bounded = _Bounded(stream)
        sound = False
        readers = {"Pod": self._pod, "Job": self._job, "Event": self._event, "Node": self._node}
        lines = 0
        try:
            for found in objects_in(bounded):
                metadata = found.get("metadata")
                kind = found.get("kind") or self._kind
                if isinstance(metadata, dict) and kind in readers:
                    readers[kind](found, metadata)
                lines = bounded.lines
            sound = True
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise Unsound(f"an object is not what Kubernetes writes: {error!r}") from error
        finally:
            self._tally.bytes += bounded.total
            # A document without a line end at its end has one line more.
            self._tally.read[self._file] += max(1, bounded.lines) if sound else lines
            if not sound:
                self._tally.unread[self._file] += bounded.lines - lines

    def _time(self, text: Any) -> int | None:
        stamp = stamp_of_text(text)
        if stamp is not None and stamp > self._tally.newest:
            self._tally.newest = stamp
        return stamp

    def _pod(self, pod: dict[str, Any], metadata: Mapping[str, Any]) -> None:
        namespace, name = str(metadata.get("namespace", "")), str(metadata.get("name", ""))
        node = str((pod.get("spec") or {}).get("nodeName") or "")
        if node:
            self._tally.nodes[f"{namespace}/{name}"] = node
        created = self._time(metadata.get("creationTimestamp"))
        status = pod.get("status") or {}
        failed = status.get("phase") == "Failed"
        ends = [
            self._time(((one.get("state") or {}).get("terminated") or {}).get("finishedAt"))
            for one in status.get("containerStatuses") or ()
        ]
        known = [end for end in ends if end is not None]
        finished = max(known) if known and status.get("phase") in ("Succeeded", "Failed") else None
        cause, text = failure_reason({"status": status}) if failed else ("", "")
        if is_build(name, metadata.get("labels")):
            begun = first_started(pod)
            started = None if begun is None else stamp_of_epoch(begun)
            self._tally.build(
                namespace,
                name,
                Build(created=created, started=started, finished=finished, failed=failed, cause=cause),
            )
        if cause == FORK_FAILED:
            uid = str(metadata.get("uid") or f"{namespace}/{name}")
            self._mark(uid, (FORK_FAILED,), "pods", (finished, finished), 1, node, f"{namespace}/{name}: {text}")

    def _job(self, job: dict[str, Any], metadata: Mapping[str, Any]) -> None:
        self._time(metadata.get("creationTimestamp"))
        name = str(metadata.get("name", ""))
        if not is_build(name, metadata.get("labels")):
            return
        conditions = (job.get("status") or {}).get("conditions") or ()
        ended = [str(one.get("type")) for one in conditions if one.get("status") == "True"]
        word = "failed" if "Failed" in ended else "complete" if "Complete" in ended else "unfinished"
        self._tally.jobs[f"{metadata.get('namespace')}/{name}"] = word

    def _node(self, node: dict[str, Any], metadata: Mapping[str, Any]) -> None:
        self._time(metadata.get("creationTimestamp"))
        name = str(metadata.get("name", ""))
        for one in (node.get("status") or {}).get("conditions") or ():
            if one.get("type") == "PIDPressure" and one.get("status") == "True":
                since = self._time(one.get("lastTransitionTime"))
                text = f"{one.get('reason', '')}: {one.get('message', '')}"
                self._mark(f"node {name}", (PRESSURE,), "nodes", (since, since), 1, name, text)

    def _event(self, event: dict[str, Any], metadata: Mapping[str, Any]) -> None:
        series = event.get("series") or {}
        first = self._time(
            event.get("firstTimestamp") or event.get("deprecatedFirstTimestamp") or event.get("eventTime")
        )
        last = self._time(
            series.get("lastObservedTime") or event.get("lastTimestamp") or event.get("deprecatedLastTimestamp")
        )
        first, last = first if first is not None else last, last if last is not None else first
        about = event.get("involvedObject") or event.get("regarding") or {}
        namespace, name = str(about.get("namespace", "")), str(about.get("name", ""))
        reason = str(event.get("reason") or "")
        if about.get("kind") == "Pod" and is_build(name):
            if reason == "Scheduled":
                self._tally.build(namespace, name, Build(created=first))
            elif reason == "Started":
                self._tally.build(namespace, name, Build(started=first))
        text = str(event.get("message") or event.get("note") or "")
        line = f"{reason}: {text}".encode()
        kinds = tuple(
            dict.fromkeys(
                rule.kind
                for rule in self._rules
                if any(word in line for word in rule.words) and rule.pattern.search(line) and rule.has_needs(line)
            )
        )
        if not kinds:
            return
        host = (event.get("source") or event.get("deprecatedSource") or {}).get("host") or ""
        counted = series.get("count") or event.get("count") or event.get("deprecatedCount") or 1
        count = min(max(1, counted if isinstance(counted, int) else 1), _MAX_COUNT)
        uid = str(metadata.get("uid") or f"{namespace}/{metadata.get('name')}")
        self._mark(uid, kinds, "events", (first, last), count, str(host), f"{namespace}/{name}: {reason}: {text}")

    def _mark(
        self,
        uid: str,
        kinds: tuple[str, ...],
        source: str,
        times: tuple[int | None, int | None],
        count: int,
        node: str,
        text: str,
    ) -> None:
        self._tally.mark(
            uid,
            Mark(
                kinds=kinds,
                source=source,
                first=times[0],
                last=times[1],
                count=count,
                node=node,
                text=" ".join(text.split())[:MAX_TEXT],
                file=self._file,
            ),
        )
