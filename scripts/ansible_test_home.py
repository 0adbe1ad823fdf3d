"""A home folder for ansible-test, in the cache, so that it needs nothing but PyPI.

ansible-test creates an environment for each of its tests and downloads get-pip.py from another host. A machine that can
only reach package registries cannot do that. If the home folder's cache has a file of that name, ansible-test uses it
instead; the one written here installs the requested pip from PyPI. A separate home leaves the user's ~/.ansible alone.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

GET_PIP = '''\
"""Install the requested pip by running it from its wheel, which is next to this file."""
import pathlib
import subprocess
import sys

version = next(word for word in sys.argv[1:] if word.startswith("pip=="))
wheel = next(pathlib.Path(__file__).parent.glob(f"pip-{version.removeprefix('pip==')}-*.whl"))
sys.exit(subprocess.run([sys.executable, str(wheel / "pip"), "install", "--quiet", version], check=False).returncode)
'''
# pip's folders in a home: its settings may name the user's package index, its cache saves downloads.
PIP_FOLDERS = (".pip", ".config/pip", ".cache/pip")


def pip_version() -> str:
    """Return the version of pip that the installed ansible-test uses in its environments."""
    package = importlib.util.find_spec("ansible_test")
    assert package is not None
    assert package.submodule_search_locations is not None
    source = Path(package.submodule_search_locations[0]) / "_internal" / "python_requirements.py"
    found = re.search(r"pip='([\d.]+)'", source.read_text())
    if not found:
        raise RuntimeError(f"cannot find the version of pip in {source}; adapt scripts/ansible_test_home.py")
    return found[1]


def prepare(home: Path) -> Path:
    """Prepare the home folder, if that has not been done, and return it."""
    cache = home / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    version = pip_version()
    script = cache / f"get_pip_{version.replace('.', '_')}.py"
    if not script.exists() or not list(cache.glob(f"pip-{version}-*.whl")):
        fetch = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "-d", str(cache), f"pip=={version}"]
        subprocess.run(fetch, check=True)
        script.write_text(GET_PIP)
    for name in PIP_FOLDERS:
        link = home / name
        link.parent.mkdir(parents=True, exist_ok=True)
        if not link.is_symlink() and not link.exists():
            link.symlink_to(Path.home() / name)
    return home
