"""A home folder for ansible-test, in the cache, in which its bootstrap works from PyPI alone.

ansible-test makes an environment for each of its tests and fetches get-pip.py for it from a host of its own, which a
machine that reaches only package registries can't. A file of that name found in the home folder's cache is taken
instead; the one written here installs the pip that was asked for from PyPI. It stands in a home of its own so that
nobody's ~/.ansible is changed.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

GET_PIP = '''\
"""Install the pip asked for by running it from its own wheel, which lies beside this file."""
import pathlib
import subprocess
import sys

version = next(word for word in sys.argv[1:] if word.startswith("pip=="))
wheel = next(pathlib.Path(__file__).parent.glob(f"pip-{version.removeprefix('pip==')}-*.whl"))
sys.exit(subprocess.run([sys.executable, str(wheel / "pip"), "install", "--quiet", version], check=False).returncode)
'''
# What pip reads and keeps in a home: its settings name the user's own package index, its cache saves downloads.
PIP_FOLDERS = (".pip", ".config/pip", ".cache/pip")


def pip_version() -> str:
    """Return the version of pip that the installed ansible-test wants in its environments."""
    package = importlib.util.find_spec("ansible_test")
    assert package is not None
    assert package.submodule_search_locations is not None
    source = Path(package.submodule_search_locations[0]) / "_internal" / "python_requirements.py"
    found = re.search(r"pip='([\d.]+)'", source.read_text())
    if not found:
        raise RuntimeError(f"{source} no longer says which pip it wants; scripts/ansible_test_home.py must learn how")
    return found[1]


def prepare(home: Path) -> Path:
    """Make the home ready, which does nothing the second time; return it."""
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
