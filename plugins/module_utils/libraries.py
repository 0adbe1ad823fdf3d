# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Python libraries that modules need beside the standard library, and what users read where one is missing."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.machinery import PathFinder

from ansible.module_utils.basic import missing_required_lib

from .errors import ModuleFailed


class MissingLibrary(ModuleFailed):
    """The text names the libraries, the Python that lacks them, and the command that installs them."""

    def __init__(self, libraries: Iterable[Library], cause: object = "") -> None:
        libraries = list(libraries)
        names = ", ".join(library.module for library in libraries)
        pip = shlex.join([sys.executable, "-m", "pip", "install", *(library.requirement for library in libraries)])
        because = f" ({cause})" if cause else ""
        super().__init__(f"{missing_required_lib(names)}. To install: {pip}{because}")


@dataclass(frozen=True)
class Library:
    """`module` is what is imported, `requirement` what pip takes. A test compares both with requirements.txt."""

    module: str
    requirement: str


KUBERNETES = Library("kubernetes.aio", "kubernetes>=36.0.1,<38")
AIOHTTP = Library("aiohttp", "aiohttp>=3.13.5,<4")
MSGSPEC = Library("msgspec", "msgspec>=0.20.0,<1")
GOOGLE_AUTH = Library("google.auth", "google-auth>=2.40.0,<3")
REQUESTS = Library("requests", "requests>=2.32.0,<3")
PROMETHEUS_CLIENT = Library("prometheus_client", "prometheus-client>=0.22.0,<1")
# ansible-core brings these along, but a host that it manages need not have them.
JINJA2 = Library("jinja2", "jinja2>=3.1")
YAML = Library("yaml", "PyYAML>=5.1")
CRYPTOGRAPHY = Library("cryptography", "cryptography")

#: What talks to an API server needs these.
CLUSTER = (KUBERNETES, AIOHTTP)
#: What gets tokens for Google Cloud needs these.
GOOGLE = (GOOGLE_AUTH, REQUESTS)
#: What compiles templates needs these.
TEMPLATES = (JINJA2, YAML)


def check_libraries(*libraries: Library) -> None:
    """Raise MissingLibrary for all that are not installed. They are looked for, not imported, which takes no time."""
    missing = [library for library in libraries if not _is_installed(library.module)]
    if missing:
        raise MissingLibrary(missing)


def _is_installed(module: str) -> bool:
    """Whether the module is there. Unlike importlib.util.find_spec, this does not run the code of its packages."""
    path = None
    parts = module.split(".")
    for number in range(1, len(parts) + 1):
        name = ".".join(parts[:number])
        loaded = sys.modules.get(name)
        spec = loaded.__spec__ if loaded is not None else PathFinder.find_spec(name, path)
        if spec is None:
            return False
        path = list(spec.submodule_search_locations or ())
    return True
