"""Write everything that is generated: files from the table of settings, and pages from the documentation in the code.

- From the table: each role's defaults and argument specs, and the tables of docs/settings.md (`settings_files.py`).
- From what ansible-doc prints: docs/modules, docs/roles and each role's README. So the pages show what Ansible itself
  understood: fragments merged, argument_specs read.

`--check` writes nothing and fails if a file is not what it would write.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jinja2
import settings_files
import yaml
from antsibull_docs_parser import dom
from antsibull_docs_parser.md import MDFormatter, to_md
from antsibull_docs_parser.parser import Context, parse

CHECKOUT = Path(__file__).resolve().parent.parent
COLLECTION = "kubestress.core"
# The kinds of plugin that a user calls by name; each has its pages under docs/modules.
PLUGIN_KINDS = ("module", "lookup", "filter", "test")
# Written by hand or by other tools: not ours to remove when no source is left for them.
GENERATED_FOLDERS = ("docs/modules", "docs/roles")


def documentation() -> dict[str, dict[str, Any]]:
    """Return the documentation of everything in the collection, by kind and full name, from one run of ansible-doc."""
    done = subprocess.run(["ansible-doc", "--metadata-dump", COLLECTION], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)["all"]


class ReadableMarkdown(MDFormatter):
    """Markdown that reads well unrendered too: backticks instead of tags, and only what must be escaped is."""

    def format_text(self, part: dom.TextPart) -> str:
        return re.sub(r"([\\\\*_<>`\[\]])", r"\\\1", part.text)

    def format_bold(self, part: dom.BoldPart) -> str:
        return f"**{part.text}**"

    def format_italic(self, part: dom.ItalicPart) -> str:
        return f"*{part.text}*"

    def format_code(self, part: dom.CodePart) -> str:
        return f"`{part.text}`"

    def format_env_variable(self, part: dom.EnvVariablePart) -> str:
        return f"`{part.name}`"

    def format_option_name(self, part: dom.OptionNamePart, url: str | None) -> str:
        return f"`{part.name}`" if part.value is None else f"`{part.name}={part.value}`"

    def format_return_value(self, part: dom.ReturnValuePart, url: str | None) -> str:
        return f"`{part.name}`" if part.value is None else f"`{part.name}={part.value}`"

    def format_option_value(self, part: dom.OptionValuePart) -> str:
        return f"`{part.value}`"

    def format_module(self, part: dom.ModulePart, url: str | None) -> str:
        return f"`{part.fqcn}`"

    def format_plugin(self, part: dom.PluginPart, url: str | None) -> str:
        return f"`{part.plugin.fqcn}`"

    def format_link(self, part: dom.LinkPart) -> str:
        return f"[{part.text}]({part.url})"

    def format_url(self, part: dom.URLPart) -> str:
        return f"<{part.url}>"


def markdown(text: str | list[str] | None) -> str:
    """Return Ansible's markup as Markdown, paragraphs apart."""
    return to_md(parse(text or "", Context(), errors="exception"), formatter=ReadableMarkdown()).strip()


def cell(text: str | list[str] | None) -> str:
    """Return Ansible's markup as Markdown that fits into a table's cell."""
    return markdown(text).replace("|", "\\|").replace("\n\n", "<br>").replace("\n", " ")


def value(raw: Any) -> str:
    """Return a default or a choice as a reader would write it in YAML, on one line."""
    if isinstance(raw, str) and raw:
        return raw
    return yaml.safe_dump(raw, default_flow_style=True, width=10**6).removesuffix("\n").removesuffix("\n...")


def kind_of(option: Mapping[str, Any]) -> str:
    """Return an option's type, the type of its elements included."""
    name = option.get("type", "str")
    return f"{name} of {option['elements']}" if option.get("elements") else str(name)


def flat(options: Mapping[str, Any] | None, *, below: str, prefix: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every option or return value with its dotted name, those inside others after them.

    below is the key under which the inner ones stand: "options" or "suboptions" for options, "contains" for returns.
    """
    for name, option in (options or {}).items():
        yield prefix + name, option
        yield from flat(option.get(below), below=below, prefix=f"{prefix}{name}.")


def render(template: str, **variables: Any) -> str:
    """Return the page that scripts/templates/<template> makes of the variables."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(CHECKOUT / "scripts" / "templates"),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        autoescape=False,  # Markdown, not HTML; the source is this repository
    )
    environment.globals |= {"flat": flat, "kind_of": kind_of, "value": value, "markdown": markdown, "cell": cell}
    return environment.get_template(template).render(**variables).rstrip("\n") + "\n"


def pages() -> dict[str, str]:
    """Return every generated page's text by its path in the checkout."""
    result = {}
    index: dict[str, dict[str, str]] = {}
    documented = documentation()
    for kind in PLUGIN_KINDS:
        for fqcn, found in documented[kind].items():
            name = fqcn.removeprefix(f"{COLLECTION}.")
            result[f"docs/modules/{name}.md"] = render("plugin.md.j2", fqcn=fqcn, kind=kind, **found)
            index.setdefault(kind, {})[name] = found["doc"]["short_description"]
    for fqcn, found in documented["role"].items():
        name = fqcn.removeprefix(f"{COLLECTION}.")
        entries = found["entry_points"]
        result[f"docs/roles/{name}.md"] = render("role.md.j2", fqcn=fqcn, name=name, entries=entries)
        result[f"roles/{name}/README.md"] = render("role_readme.md.j2", fqcn=fqcn, name=name, entries=entries)
        index.setdefault("role", {})[name] = entries["main"]["short_description"]
    if roles := index.pop("role", None):
        result["docs/roles/README.md"] = render("index.md.j2", title="Roles", kinds={"role": roles})
    if index:
        result["docs/modules/README.md"] = render("index.md.j2", title="Modules and plugins", kinds=index)
    return result


def stale(wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Return what differs on disk from the wanted pages: path to new text, or to None for a page without a source."""
    present = {str(p.relative_to(CHECKOUT)) for folder in GENERATED_FOLDERS for p in (CHECKOUT / folder).glob("*.md")}
    removed: dict[str, str | None] = dict.fromkeys(present - set(wanted))
    return removed | changed(wanted)


def changed(wanted: Mapping[str, str]) -> dict[str, str | None]:
    """Return the wanted files, path to text, that are missing on disk or differ there."""
    return {
        path: text
        for path, text in wanted.items()
        if not (CHECKOUT / path).exists() or (CHECKOUT / path).read_text() != text
    }


def update(differing: Mapping[str, str | None], *, check: bool) -> None:
    """Write the files that differ, or with check only name them."""
    for path, text in sorted(differing.items()):
        print(f"{'not current' if check else 'written' if text is not None else 'removed'}: {path}")
        if check:
            continue
        if text is None:
            (CHECKOUT / path).unlink()
        else:
            (CHECKOUT / path).parent.mkdir(parents=True, exist_ok=True)
            (CHECKOUT / path).write_text(text)


def main() -> None:
    """Write the generated files, or with --check name those that are not current and fail."""
    parser = argparse.ArgumentParser(description="Write the files generated from the settings and the documentation.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file is not current")
    check = parser.parse_args().check
    from_settings = changed(settings_files.files())
    update(from_settings, check=check)
    # Only now: ansible-doc reads the argument specs, which the step before has written.
    from_documentation = stale(pages())
    update(from_documentation, check=check)
    if check and (from_settings or from_documentation):
        sys.exit("run `make docs` and commit what it writes")


if __name__ == "__main__":
    main()
