"""The development environment: a Python environment in the cache, and the checkout linked as an installed collection.

Standard library only, because it runs before anything is installed. `scripts/dev` runs it: it prepares the environment
and then executes `scripts/dev.py` in it. tests/conftest.py imports it for the paths.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
ANSIBLE_CONFIG = CHECKOUT / "scripts" / "ansible.cfg"
REQUIREMENT_FILES = ("requirements.txt", "requirements-dev.txt", "constraints-dev.txt")
# A complete environment has this file; one without it was interrupted and is rebuilt.
COMPLETE = ".kubestress-complete"
# Everything that this file, scripts/dev.py and the module local_cluster write to the cache.
CACHE_ENTRIES = ("bin", "collections-*", "go", "locks", "sanity-*", "toolchain", "venv-*", "*.lock")
# Ansible settings that only change how output looks; all others would change what the tests see.
KEPT_ANSIBLE_SETTINGS = ("ANSIBLE_NOCOLOR", "ANSIBLE_FORCE_COLOR", "ANSIBLE_VERBOSITY")


class DevEnvError(Exception):
    """The environment cannot be created; the message says what is missing and what to do."""


def cache_dir() -> Path:
    """Return the cache folder of all checkouts: $KUBESTRESS_CACHE, or kubestress in the user's cache folder."""
    if named := os.environ.get("KUBESTRESS_CACHE"):
        return Path(named).expanduser().absolute()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().absolute() / "kubestress"


def venv_dir() -> Path:
    """Return the path of the environment for these requirements and this Python; it need not exist."""
    digest = hashlib.sha256(f"{sys.version}\0{sys.base_prefix}".encode())
    for name in REQUIREMENT_FILES:
        digest.update((CHECKOUT / name).read_bytes())
    return cache_dir() / f"venv-{digest.hexdigest()[:12]}"


def collections_dir() -> Path:
    """Return the collections path under which this checkout is kubestress.core; it need not exist."""
    checkout_hash = hashlib.sha256(os.fsencode(CHECKOUT)).hexdigest()[:12]
    return cache_dir() / f"collections-{checkout_hash}"


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock in the cache, so that of two `make`s started together one works and the other waits."""
    cache = cache_dir()
    try:
        cache.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DevEnvError(
            f"cannot create the cache folder {cache}: {error.strerror}; set KUBESTRESS_CACHE to another"
        ) from error
    with (cache / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"Waiting for another process that is using {cache / name}", file=sys.stderr, flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def ensure_collection_link() -> Path:
    """Make the checkout importable and callable as ansible_collections/kubestress/core; return the collections path."""
    root = collections_dir()
    link = root / "ansible_collections" / "kubestress" / "core"
    with locked(root.name):
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() or link.readlink() != CHECKOUT:
            link.unlink(missing_ok=True)
            link.symlink_to(CHECKOUT)
    return root


def ensure_venv() -> Path:
    """Create the environment for these requirements unless it is complete; return its folder."""
    venv = venv_dir()
    with locked(venv.name):
        if (venv / COMPLETE).exists():
            return venv
        print(f"Preparing the Python environment {venv} (once per change of requirements)", file=sys.stderr, flush=True)
        shutil.rmtree(venv, ignore_errors=True)
        made = subprocess.run([sys.executable, "-m", "venv", venv], capture_output=True, text=True, check=False)
        if made.returncode != 0:
            version = f"{sys.version_info.major}.{sys.version_info.minor}"
            raise DevEnvError(
                f"{sys.executable} -m venv failed: {(made.stderr or made.stdout).strip().splitlines()[-1:]}; "
                f"on Debian and Ubuntu: apt-get install python{version}-venv"
            )
        install = [str(venv / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*install, "-r", "requirements-dev.txt"], cwd=CHECKOUT, check=False).returncode != 0:
            raise DevEnvError("pip could not install requirements-dev.txt; its output is above")
        (venv / COMPLETE).touch()
    return venv


def environment(*, venv: Path, collections: Path) -> dict[str, str]:
    """Return os.environ changed so that commands find this environment's tools and this checkout.

    A user's ansible.cfg and ANSIBLE_* variables (another output format, another collections path) would change what the
    targets see, so they are dropped.
    """
    env = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("ANSIBLE_") or name in KEPT_ANSIBLE_SETTINGS
    }
    env.pop("PYTHONHOME", None)
    env |= {
        "ANSIBLE_COLLECTIONS_PATH": str(collections),
        "ANSIBLE_CONFIG": str(ANSIBLE_CONFIG),
        "KUBESTRESS_CACHE": str(cache_dir()),
        "PATH": os.pathsep.join([str(venv / "bin"), env.get("PATH", os.defpath)]),
        "VIRTUAL_ENV": str(venv),
    }
    # Ansible does not start in a locale without UTF-8, as a bare machine has.
    if "utf" not in (env.get("LC_ALL") or env.get("LC_CTYPE") or env.get("LANG") or "").lower():
        env["LC_ALL"] = "C.UTF-8"
    return env


def clean_cache() -> None:
    """Remove our entries from the cache, by name; print the names of all others, which stay.

    Runs outside the environment, because that is removed as well.
    """
    cache = cache_dir()
    for pattern in CACHE_ENTRIES:
        for path in cache.glob(pattern):
            if path.is_dir() and not path.is_symlink():
                # Go's module cache makes its folders read-only.
                for folder in [path, *path.rglob("*")]:
                    if folder.is_dir() and not folder.is_symlink():
                        folder.chmod(0o755)
                shutil.rmtree(path)
            else:
                path.unlink()
    left = sorted(path.name for path in cache.iterdir()) if cache.exists() else []
    if left:
        print(f"Kept in {cache}, because we did not create it: {', '.join(left)}")
    elif cache.exists():
        cache.rmdir()


def main() -> None:
    """Prepare the environment and execute scripts/dev.py in it with the same arguments."""
    if sys.argv[1:] == ["clean-cache"]:
        clean_cache()
        return
    try:
        venv, collections = ensure_venv(), ensure_collection_link()
    except DevEnvError as error:
        sys.exit(f"kubestress: {error}")
    python = str(venv / "bin" / "python")
    os.execve(
        python,
        [python, str(CHECKOUT / "scripts" / "dev.py"), *sys.argv[1:]],
        environment(venv=venv, collections=collections),
    )


if __name__ == "__main__":
    main()
