"""Files generated from the table of settings: roles' defaults and argument specs, and the tables of docs/settings.md.

The table is plugins/module_utils/settings/table.py. `generate_docs.py` writes and checks these files with all others.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import Entry, Role, Setting
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import ROLES

CHECKOUT = Path(__file__).resolve().parent.parent
PAGE = "docs/settings.md"
SOURCE = "plugins/module_utils/settings/roles"
LINE_LENGTH = 120
AUTHOR = "kubestress contributors"
VERSION_ADDED = "1.0.0"
_BEGIN = f"<!-- generated from {SOURCE} by `make docs`: {{}} -->\n"
_END = "<!-- end of generated text -->\n"


def files() -> dict[str, str]:
    """Return the text of every generated file by its path in the checkout."""
    result = {}
    for role in ROLES.values():
        result[f"roles/{role.name}/defaults/main.yml"] = defaults(role)
        result[f"roles/{role.name}/meta/argument_specs.yml"] = argument_specs(role)
    result[PAGE] = page((CHECKOUT / PAGE).read_text())
    return result


def header(role: Role) -> str:
    """Return the first lines of a generated YAML file."""
    return f"---\n# Generated from {SOURCE}/{role.name}.py by `make docs`; change it there.\n"


# --- defaults/main.yml -----------------------------------------------------------------------------------------------


def defaults(role: Role) -> str:
    """Return a role's defaults/main.yml."""
    text = header(role)
    if any(setting.of_run for setting in role.settings):
        text += "# Extra vars and inventory come first; then environment variable, profile, and this default.\n"
    for setting in role.settings:
        if setting.of_run:
            text += lookup_line(setting)
        elif setting.default is not None:
            text += dumped({setting.name: setting.default})
    return text


def lookup_line(setting: Setting) -> str:
    """Return a default that is a lookup: on one line if it fits, else folded, which YAML reads as the same text."""
    expression = setting.role_default
    line = f'{setting.name}: "{expression}"\n'
    if len(line) <= LINE_LENGTH and '"' not in expression:
        return line
    if len(expression) > LINE_LENGTH - 2:
        expression = expression.replace(" default=", "\n  default=")
    return f"{setting.name}: >-\n  {expression}\n"


# --- meta/argument_specs.yml -----------------------------------------------------------------------------------------


def argument_specs(role: Role) -> str:
    """Return a role's meta/argument_specs.yml."""
    specs = {"argument_specs": {entry.name: entry_spec(entry) for entry in role.entries}}
    lines = dumped(specs).splitlines()
    # ansible-lint takes the names of inner options, which are Kubernetes', for names of variables.
    named = [f"{line} # noqa: var-naming" if line.strip() == "tolerationSeconds:" else line for line in lines]
    return header(role) + "\n".join(named) + "\n"


def entry_spec(entry: Entry) -> dict[str, Any]:
    """Return the specification of one entry point."""
    spec: dict[str, Any] = {
        "short_description": entry.summary,
        "description": entry.description.split("\n"),
        "author": AUTHOR,
        "version_added": VERSION_ADDED,
    }
    if entry.settings:
        spec["options"] = {setting.name: option(setting) for setting in entry.settings}
    return spec


def option(setting: Setting) -> dict[str, Any]:
    """Return the specification of one variable, its range and its environment variable in the description."""
    spec: dict[str, Any] = {"type": setting.type}
    if setting.elements:
        spec["elements"] = setting.elements
    if setting.default is None:
        spec["required"] = False
    else:
        spec["default"] = setting.default
    if setting.choices and not setting.synonyms:
        spec["choices"] = list(setting.choices)
    spec["description"] = setting.meaning.split("\n")
    if setting.synonyms:
        # Ansible's own check of a role would refuse what ours accepts.
        spec["description"].append(f"One of {', '.join(f'C({choice})' for choice in setting.choices)}.")
    if setting.allowed:
        spec["description"].append(f"Must be {setting.allowed}.")
    if setting.environment:
        spec["description"].append(f"Can also be set with the environment variable E({setting.environment}).")
    if setting.options:
        spec["options"] = {name: dict(inner) for name, inner in setting.options.items()}
    return spec


class Dumper(yaml.SafeDumper):
    """YAML as the linters want it: items of lists are indented, and nothing is an anchor."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Indent also the items of a list inside a dictionary."""
        super().increase_indent(flow, False)

    def ignore_aliases(self, data: Any) -> bool:
        """Write every value in full."""
        return True


def dumped(content: Any) -> str:
    """Return the content as YAML."""
    # PyYAML breaks a line only at the first space after `width`.
    return yaml.dump(content, Dumper=Dumper, sort_keys=False, width=LINE_LENGTH - 30, allow_unicode=True)


# --- docs/settings.md ------------------------------------------------------------------------------------------------


def page(text: str) -> str:
    """Return docs/settings.md with its tables anew; what stands outside the markers is written by hand."""
    for name, rows in (("old names", old_names()), ("all settings", all_settings())):
        begin = _BEGIN.format(name)
        before, found, rest = text.partition(begin)
        if not found:
            raise SystemExit(f"{PAGE}: the line is missing: {begin}")
        text = before + begin + "\n" + "".join(rows) + "\n" + _END + rest.partition(_END)[2]
    return text


def old_names() -> Iterator[str]:
    """Yield the lines of the table of environment variables and flags."""
    yield "| environment variable | old flag | variable | default |\n|---|---|---|---|\n"
    for role in ROLES.values():
        for setting in role.settings:
            if setting.environment:
                flags = ", ".join(f"`{flag}`" for flag in setting.old_flags)
                yield f"| `{setting.environment}` | {flags} | `{setting.name}` | {shown_default(setting)} |\n"


def all_settings() -> Iterator[str]:
    """Yield the lines of the tables of all variables, one table for each role."""
    for number, role in enumerate(ROLES.values()):
        yield f"{'' if number == 0 else chr(10)}### [{role.name}](roles/{role.name}.md)\n\n"
        yield "| variable | type | default | allowed |\n|---|---|---|---|\n"
        for setting in role.settings:
            kind = f"{setting.type} of {setting.elements}" if setting.elements else setting.type
            yield f"| `{setting.name}` | {kind} | {shown_default(setting)} | {allowed(setting)} |\n"


def shown_default(setting: Setting) -> str:
    """Return the default as a cell of a table; empty if there is none."""
    if setting.default in (None, ""):
        return ""
    if isinstance(setting.default, str):
        return f"`{setting.default}`"
    # A line of dots follows what is not a list or a dictionary.
    return f"`{yaml.safe_dump(setting.default, default_flow_style=True, width=10**6).splitlines()[0]}`"


def allowed(setting: Setting) -> str:
    """Return the range or the choices as a cell of a table."""
    return str(setting.allowed or "") or ", ".join(f"`{choice}`" for choice in setting.choices)
