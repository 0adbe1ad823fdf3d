"""How fast logs are read, beside grep on the same file, and in how much memory."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.parts import MEGABYTE, Sizes
from bench.table import Row, median_row

#: Of the time that grep takes with the words that the rules look for.
GREP_SHARE = 3.0
GATHER_RSS_MB = 80
#: One line in so many is about a request to the network plug-in, as in the log of a busy node.
_ONE_IN = 20
#: Logs in the tree.
_FILES = 4
_OTHER = (
    "2025-04-19T22:{:02}:{:02}.123456789Z I0419 22:00:00.123456    3512 base_network_controller_pods.go:479] "
    "[default/integration/auth-api-{}] creating logical port integration_auth-api for pod on switch worker-1\n"
)
_REQUEST = (
    '2025-04-19T22:{:02}:{:02}Z [verbose] ADD {} CNI request ContainerID:"{:064x}" Netns:"/var/run/netns/0" '
    'IfName:"eth0" Args:"IgnoreUnknown=1;K8S_POD_NAMESPACE=integration;K8S_POD_NAME=web-0" Path:""{}\n'
)
_CHILD = """
import json, resource, sys, time
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.gather import read_gather
from ansible_collections.kubestress.core.plugins.module_utils.must_gather.rules import RuleBook
began, clock = time.process_time(), time.monotonic()
tally = read_gather(sys.argv[1], RuleBook(), option="path", workers=int(sys.argv[2]))
seconds, wall = time.process_time() - began, time.monotonic() - clock
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
requests = sum(len(one) for one in tally.operations.values())
print(json.dumps({"seconds": seconds, "wall": wall, "peak": peak, "requests": requests}))
"""


def gather(sizes: Sizes) -> list[Row]:
    """A log of the given size, plain and compressed, read by one process."""
    rows: list[Row] = []
    with TemporaryDirectory(prefix="kubestress-bench-") as scratch:
        plain = Path(scratch) / "current.log"
        _write(plain, sizes.log_bytes)
        packed = Path(scratch) / "packed.log.gz"
        with packed.open("wb") as file:
            subprocess.run(["gzip", "-1", "-c", str(plain)], stdout=file, check=True)
        rows += _compared("plain", plain, ["grep"], sizes)
        if shutil.which("zgrep"):
            rows += _compared("gzip", packed, ["zcat"], sizes)
        packed.unlink()
        rows += _by_all(plain, Path(scratch) / "tree", sizes)
    return rows


def _by_all(log: Path, tree: Path, sizes: Sizes) -> list[Row]:
    """The same bytes as a tree of files, by one process and by two, in turn."""
    for number in range(_FILES):
        folder = tree / "namespaces" / "ns" / "pods" / f"pod-{number}" / "c" / "c" / "logs"
        folder.mkdir(parents=True)
        (folder / "current.log").hardlink_to(log)
    ratios = [_child(tree, workers=1)["wall"] / _child(tree, workers=2)["wall"] for _pair in range(sizes.pairs)]
    note = f"{_FILES} logs of {sizes.log_bytes / MEGABYTE:,.0f} MB; wall clock, which other work on the machine changes"
    return [median_row("gather: tree of logs, time of one process / of two", ratios, "", note=note)]


def _child(path: Path, *, workers: int) -> dict[str, Any]:
    # A process begins with the peak of the one that started it: the shell's is small.
    shell = ["sh", "-c", '"$1" -c "$2" "$3" "$4"; exit $?', "sh"]
    command = [*shell, sys.executable, _CHILD, str(path), str(workers)]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return found


def _write(path: Path, size: int) -> None:
    numbers = random.Random(1)
    written = 0
    with path.open("w") as file:
        while written < size:
            lines = []
            for number in range(2000):
                minute, second = numbers.randrange(60), numbers.randrange(60)
                if number % _ONE_IN:
                    lines.append(_OTHER.format(minute, second, numbers.randrange(10**6)))
                else:
                    container = numbers.getrandbits(256)
                    lines.append(_REQUEST.format(minute, second, "starting", container, ""))
                    lines.append(_REQUEST.format(minute, second, "finished", container, ', result: "", err: <nil>'))
            text = "".join(lines)
            file.write(text)
            written += len(text)


def _compared(name: str, path: Path, how: list[str], sizes: Sizes) -> list[Row]:
    """Our CPU seconds and those of grep, in turn: on one core, whatever else the machine does."""
    words = _words()
    megabytes = sizes.log_bytes / MEGABYTE
    ours, many, one = [], [], []
    peak, requests = 0, 0
    for _pair in range(sizes.pairs):
        found = _child(path, workers=1)
        ours.append(found["seconds"])
        peak, requests = max(peak, found["peak"]), found["requests"]
        many.append(_grep(how, path, ["-F", *(part for word in words for part in ("-e", word))]))
        one.append(_grep(how, path, ["-e", "CNI request"]))
    return [
        median_row(
            f"gather: {name} log", [megabytes / seconds for seconds in ours], "MB/s", note=f"{requests:,} requests"
        ),
        median_row(
            f"gather: {name} log, time / {' '.join(how)} with all words",
            [mine / theirs for mine, theirs in zip(ours, many, strict=True)],
            "",
            goal=GREP_SHARE,
            note=f"{len(words)} words: {megabytes / min(many):,.0f} MB/s; one word: {megabytes / min(one):,.0f} MB/s, "
            f"of which ours takes {min(ours) / min(one):.1f} times the time",
        ),
        Row(name=f"gather: {name} log, peak RSS", value=peak / MEGABYTE, unit="MB", goal=GATHER_RSS_MB),
    ]


def _words() -> list[str]:
    from ansible_collections.kubestress.core.plugins.module_utils.must_gather.rules import RuleBook

    return [word.decode() for word, _rules in RuleBook().for_file("current.log")]


def _grep(how: list[str], path: Path, options: list[str]) -> float:
    """CPU seconds of grep -c, with those of zcat for a compressed file; in the user's own locale."""
    before = _children_cpu()
    if how == ["zcat"]:
        with subprocess.Popen(["zcat", str(path)], stdout=subprocess.PIPE) as source:
            subprocess.run(["grep", "-c", *options], stdin=source.stdout, capture_output=True, check=True)
    else:
        subprocess.run(["grep", "-c", *options, str(path)], capture_output=True, check=True, env=dict(os.environ))
    # Some kernels count in hundredths of a second: nothing takes no time.
    return max(0.01, _children_cpu() - before)


def _children_cpu() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime
