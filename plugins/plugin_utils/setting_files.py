# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files with settings: the profiles, and the collection's own version. Only the controller reads them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.kubestress.core.plugins.module_utils.settings.names import is_unset, known_names_text
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError
from ansible_collections.kubestress.core.plugins.plugin_utils.places import user_folders

COLLECTION = Path(__file__).resolve().parents[2]
PROFILES = COLLECTION / "playbooks" / "profiles"
_SUFFIXES = (".yml", ".yaml")

#: libyaml reads a file ten times as fast, and each task reads the profile in a process of its own.
_Loader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file. Raises SettingError naming path, place and cause in one line."""
    try:
        with path.open(encoding="utf-8") as file:
            return yaml.load(file, Loader=_Loader)
    except OSError as error:
        raise SettingError(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingError(f"cannot read {path}: it is not UTF-8 text ({error.reason})") from error
    except yaml.YAMLError as error:
        raise SettingError(f"{path} is not YAML: {' '.join(str(error).split())}") from error


def collection_version() -> str:
    """The collection's version, from MANIFEST.json of an installed collection or galaxy.yml of a checkout."""
    manifest = COLLECTION / "MANIFEST.json"
    if manifest.exists():
        return str(read_yaml(manifest)["collection_info"]["version"])
    return str(read_yaml(COLLECTION / "galaxy.yml")["version"])


def profile_names() -> list[str]:
    """The names of the collection's profiles, sorted."""
    return sorted(path.stem for path in PROFILES.glob("*.yml"))


def profile_path(profile: Any, *, basedir: str = ".") -> Path | None:
    """The file of a profile, given by one of our names or by the path of a YAML file; None if `profile` is unset.

    A relative path is looked up in the working directory, then in `basedir`, the playbook's folder, then beside the
    playbooks on the command line. Raises SettingError for everything else, naming the profiles there are.
    """
    if is_unset(profile):
        return None
    name = str(profile).strip()
    if not name.endswith(_SUFFIXES):
        if name in profile_names():
            return PROFILES / f"{name}.yml"
        raise SettingError(
            f"profile: {name!r} is unknown; {known_names_text(name, profile_names())}, "
            "or the path of a file that ends in .yml"
        )
    candidates = [Path(name).expanduser(), Path(basedir) / name, *(folder / name for folder in user_folders())]
    for path in candidates:
        if path.is_file():
            return path.resolve()
    raise SettingError(f"profile: there is no file {name}; profiles by name are {', '.join(profile_names())}")


def load_profile(path: Path | None) -> dict[str, Any]:
    """The variables that a profile sets; none without a profile. Raises SettingError if it is not a dictionary."""
    return {} if path is None else _load_profile(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _load_profile(path: Path, _modified_ns: int) -> dict[str, Any]:
    content = read_yaml(path)
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise SettingError(f"profile {path}: a profile has variables and their values, such as `namespaces_total: 3`")
    return content
