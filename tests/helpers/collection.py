"""The collection as files: its sources, a copy of them, and the tarball built from the copy."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

CHECKOUT = Path(__file__).resolve().parent.parent.parent


def source_files() -> list[Path]:
    """Return the checkout's files, relative to it: tracked by git, or untracked and not ignored."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    )
    names = sorted(set(listed.stdout.split("\0")) - {""})
    return [Path(name) for name in names if (CHECKOUT / name).is_file()]


def copy_sources(target: Path, *, without: tuple[str, ...] = ()) -> None:
    """Copy the source files into `target`, except paths that start with one of `without`."""
    for name in source_files():
        if str(name).startswith(without):
            continue
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, target / name)


def build_tarball(folder: Path) -> Path:
    """Build the collection's tarball into the folder and return its path.

    It is built from a copy: caches and notes lying about in a checkout can't get in, whatever build_ignore forgets.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="kubestress-build-") as scratch:
        copy_sources(Path(scratch) / "core")
        subprocess.run(
            ["ansible-galaxy", "collection", "build", "--force", "--output-path", folder, Path(scratch) / "core"],
            check=True,
            capture_output=True,
            text=True,
        )
    return max(folder.glob("kubestress-core-*.tar.gz"), key=lambda tarball: tarball.stat().st_mtime_ns)
