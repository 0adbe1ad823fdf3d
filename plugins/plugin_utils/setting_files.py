# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The collection's own settings files: role specs, role defaults and profiles. Only the controller reads them."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.kubestress.core.plugins.module_utils.settings.names import is_unset, known_names_text
from ansible_collections.kubestress.core.plugins.module_utils.settings.variable import SettingError, Variable

COLLECTION = Path(__file__).resolve().parents[2]
ROLES = COLLECTION / "roles"
PROFILES = COLLECTION / "playbooks" / "profiles"
_SUFFIXES = (".yml", ".yaml")

#: Each task runs in a process of its own, which reads some twenty files: libyaml makes that 10 ms instead of 100.
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
    """The collection's version: an installed collection says it in MANIFEST.json, a checkout in galaxy.yml."""
    manifest = COLLECTION / "MANIFEST.json"
    if manifest.exists():
        return str(read_yaml(manifest)["collection_info"]["version"])
    return str(read_yaml(COLLECTION / "galaxy.yml")["version"])


def profile_names() -> list[str]:
    """The names of the collection's profiles, sorted."""
    return sorted(path.stem for path in PROFILES.glob("*.yml"))


def profile_path(profile: Any, *, basedir: str = ".") -> Path | None:
    """The file of a profile: a name of ours, or the path of a YAML file; None if `profile` is unset.

    A relative path counts from the folder where the user stands, then from `basedir`, the playbook's. Raises
    SettingError for everything else, naming the profiles there are.
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
    candidates = [Path(name).expanduser(), Path(basedir) / name]
    for path in candidates:
        if path.is_file():
            return path.resolve()
    raise SettingError(f"profile: there is no file {name}; profiles by name are {', '.join(profile_names())}")


def load_profile(path: Path | None) -> dict[str, Any]:
    """The variables that a profile sets; none without a profile. Raises SettingError if it is no flat dictionary."""
    return {} if path is None else _load_profile(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=8)
def _load_profile(path: Path, _modified_ns: int) -> dict[str, Any]:
    content = read_yaml(path)
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(name, str) for name in content):
        raise SettingError(f"profile {path}: a profile is variables and their values, such as `namespaces_total: 3`")
    return content


@functools.cache
def load_variables(*, roles: Path = ROLES) -> dict[str, Variable]:
    """Every variable of every role, by name, from meta/argument_specs.yml and defaults/main.yml."""
    variables: dict[str, Variable] = {}
    for spec_path in sorted(roles.glob("*/meta/argument_specs.yml")):
        role = spec_path.parent.parent
        entry = read_yaml(spec_path)["argument_specs"]["main"]
        defaults_path = role / "defaults" / "main.yml"
        defaults = (read_yaml(defaults_path) if defaults_path.exists() else None) or {}
        for name, spec in (entry.get("options") or {}).items():
            variables[name] = Variable(name=name, role=role.name, spec=spec, default=defaults.get(name))
    return variables
