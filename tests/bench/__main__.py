"""`python tests/bench`: measure, print the table, write the figures as JSON."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT / "tests"))

from bench import accelerators, box, logs, parts, storage, storage_watching, table  # noqa: E402  (importable because of the line above)
from bench.parts import QUICK, Sizes  # noqa: E402
from bench.plane import MAX_PAIRS, Plane, fresh_plane  # noqa: E402

OUTPUT = CHECKOUT / "build" / "bench.json"
#: In running order: the playbook comes first, because its preflight reads all existing pods.
ON_PLANE: dict[str, Callable[[Plane, Sizes], list[table.Row]]] = {
    "playbook": parts.playbook,
    "headline": parts.headline,
    "observe": parts.observe,
    "live": parts.live,
    "cleanup": parts.cleanup,
    "creation": parts.creation,
    "scaling": parts.scaling,
    "storage": storage.storage,
}
#: Each starts a server of its own, or needs none.
ALONE: dict[str, Callable[[Sizes], list[table.Row]]] = {
    "memory": parts.memory,
    "preflight": parts.preflight,
    "gather": logs.gather,
    "truenas": box.truenas,
    "storage_watch": storage_watching.storage_watch,
    "accelerators": accelerators.accelerators,
}
PARTS = (*ON_PLANE, *ALONE)
#: Only on request, by name or with this variable as 1, because they take minutes more.
OPTIONAL = {"cleanup": "BENCH_CLEANUP", "accelerators": "BENCH_ACCELERATORS"}


def measured(wanted: list[str], sizes: Sizes, *, plane: Plane | None) -> list[table.Row]:
    """The rows of the selected parts, with progress on screen."""
    rows: list[table.Row] = []

    def step(name: str, found: Callable[[], list[table.Row]]) -> None:
        began = time.monotonic()
        print(f"measuring {name} …", end=" ", flush=True)
        rows.extend(found())
        print(f"{time.monotonic() - began:.0f} s", flush=True)

    for name, part in ON_PLANE.items():
        if name == "creation" and name in wanted and not shutil.which("h2load"):
            print("creation is left out: h2load is missing (Debian package nghttp2-client)", flush=True)
        elif name in wanted and plane is not None:
            step(name, lambda part=part: part(plane, sizes))  # type: ignore[misc]
    for name, without_plane in ALONE.items():
        if name in wanted:
            step(name, lambda part=without_plane: part(sizes))  # type: ignore[misc]
    return rows


def report(rows: list[table.Row], *, seconds: float, output: Path) -> None:
    """Print the table and write the JSON."""
    machine = f"{os.cpu_count()} processors, load {os.getloadavg()[0]:.1f}, Python {platform.python_version()}"
    print(f"\n{table.text(rows)}\n\n{machine}; {seconds:.0f} s in total; figures in {output}")
    document = {
        "schema": 1,
        "seconds": round(seconds, 1),
        "machine": {"processors": os.cpu_count(), "load": os.getloadavg()[0], "python": platform.python_version()},
        "rows": [row.to_dict() for row in rows],
    }
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(json.dumps(document, indent=1) + "\n")


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench ARGS=…", description=__doc__)
    parser.add_argument("--only", action="append", choices=PARTS, help="this part alone; may be given several times")
    parser.add_argument("--pairs", type=int, default=Sizes.pairs, help="comparisons of each kind (%(default)s)")
    parser.add_argument("--quick", action="store_true", help="tiny sizes: shows that it works, measures nothing")
    parser.add_argument(
        "--kubeconfig", type=Path, help="an embedded control plane that runs already, thrown away after"
    )
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where the figures go (%(default)s)")
    parser.add_argument("--strict", action="store_true", help="end with 1 if a goal is missed")
    chosen = parser.parse_args()
    if not 1 <= chosen.pairs <= MAX_PAIRS:
        parser.error(f"--pairs is {chosen.pairs}; allowed are 1 to {MAX_PAIRS}")
    return chosen


def main() -> None:
    """Run the selected parts."""
    options = arguments()
    default = [name for name in PARTS if name not in OPTIONAL or os.environ.get(OPTIONAL[name]) == "1"]
    wanted = options.only or default
    sizes = QUICK if options.quick else Sizes(pairs=options.pairs)
    began = time.monotonic()
    if options.kubeconfig:
        rows = measured(wanted, sizes, plane=Plane.from_kubeconfig(options.kubeconfig))
    elif set(wanted) & set(ON_PLANE):
        with fresh_plane() as plane:
            rows = measured(wanted, sizes, plane=plane)
    else:
        rows = measured(wanted, sizes, plane=None)
    report(rows, seconds=time.monotonic() - began, output=options.output)
    if options.strict and any(row.reached is False for row in rows):
        sys.exit(1)


if __name__ == "__main__":
    main()
