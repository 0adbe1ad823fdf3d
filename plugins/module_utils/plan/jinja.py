# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jinja2 with one difference: what an expression gives never becomes part of the document's text.

Each `{{ expression }}` leaves a marker in the text and its value in a table, so that the YAML parser sees only what
the template's author wrote. A value therefore keeps its type and cannot break out of its place, whatever it holds.
Expressions that use a varying variable are compiled apart and evaluated per object (`Deferred`); where a varying
variable also steers `{% if %}`, `{% for %}` or `{% set %}`, `Source.uniform` is false and the text is made anew per
object.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ..errors import KubestressError
from ..libraries import JINJA2, MissingLibrary
from .filters import FILTERS

_OPEN, _CLOSE = "\ue000", "\ue001"
MARKER = re.compile(f"{_OPEN}([0-9]+){_CLOSE}")
_TABLE = "_kubestress_table"


class TemplateError(KubestressError):
    """A template cannot be used. The text names the template, and the line and variable where they are known."""


@dataclass(frozen=True, slots=True)
class Deferred:
    """An expression over varying variables, which are among those it `uses`. `name`: where it is one bare variable."""

    evaluate: Callable[[Mapping[str, Any]], Any]
    name: str | None
    uses: frozenset[str]


class Source:
    """A template's text, parsed once. Raises TemplateError for a syntax error, and MissingLibrary."""

    def __init__(self, text: str, *, name: str, constants: Mapping[str, Any], varying: frozenset[str]) -> None:
        try:
            import jinja2
            from jinja2 import nodes
            from jinja2.sandbox import ImmutableSandboxedEnvironment
        except ImportError as error:
            raise MissingLibrary([JINJA2], error) from error
        if _OPEN in text or _CLOSE in text:
            raise TemplateError(f"template {name}: the characters U+E000 and U+E001 are not allowed in it")
        self.name = name
        self._constants = constants
        self._jinja2 = jinja2
        self._environment = ImmutableSandboxedEnvironment(
            undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True, finalize=_marker_for()
        )
        self._environment.filters.update(FILTERS)
        self.deferred: dict[str, Deferred] = {}
        try:
            tree = self._environment.parse(text, name=name, filename=name)
            text_values: Any = (nodes.Macro, nodes.CallBlock, nodes.AssignBlock, nodes.FilterBlock)
            self._nested_text_allowed = tree.find(text_values) is not None
            loaded = {node.name for node in tree.find_all(nodes.Name) if node.ctx == "load"}
            #: The varying variables in the text.
            self.used = varying.intersection(loaded)
            self.uniform = self._defer(tree, varying)
            code = self._environment.compile(tree, name=name, filename=name)
        except jinja2.TemplateSyntaxError as error:  # an unknown filter or test shows when the tree is compiled
            message = str(error.message)
            if message.startswith("No filter named"):
                message += f" Templates have Jinja2's filters, and of Ansible's {', '.join(sorted(FILTERS))}."
            raise TemplateError(f"template {name}, line {error.lineno}: {message}") from error
        self._template = jinja2.Template.from_code(self._environment, code, self._environment.make_globals(None))

    def _defer(self, tree: Any, varying: frozenset[str]) -> bool:
        """Take expressions over varying variables out of the tree. False if one is used in any other way."""
        from jinja2 import nodes

        local = {name.name for name in tree.find_all(nodes.Name) if name.ctx != "load"}
        total = sum(1 for name in tree.find_all(nodes.Name) if name.ctx == "load" and name.name in varying)
        found: list[tuple[Any, int, Any, int]] = []
        for output in tree.find_all(nodes.Output):
            for position, child in enumerate(output.nodes):
                names = _loaded_names(child)
                uses = sum(1 for name in names if name in varying)
                if uses and not local.intersection(names):
                    found.append((output, position, child, uses))
        if total != sum(uses for *_rest, uses in found):
            return False
        for number, (output, position, child, _uses) in enumerate(found):
            key = f"_kubestress_deferred_{number}"
            self.deferred[key] = self._deferred(child)
            output.nodes[position] = nodes.Name(key, "load", lineno=child.lineno)
        return True

    def _deferred(self, expression: Any) -> Deferred:
        from jinja2 import nodes
        from jinja2.environment import TemplateExpression

        if isinstance(expression, nodes.Name):
            name = expression.name
            return Deferred(evaluate=operator.itemgetter(name), name=name, uses=frozenset({name}))
        body = [nodes.Assign(nodes.Name("result", "store"), expression, lineno=expression.lineno)]
        tree = nodes.Template(body, lineno=1)
        tree.set_environment(self._environment)
        code = self._environment.compile(tree, name=self.name, filename=self.name)
        template = self._jinja2.Template.from_code(self._environment, code, self._environment.make_globals(None))
        compiled = TemplateExpression(template, False)
        line = expression.lineno

        def evaluate(values: Mapping[str, Any]) -> Any:
            try:
                value = compiled({**self._constants, **values})
                return str(value) if isinstance(value, self._jinja2.Undefined) else value
            except Exception as error:
                raise self._explained(error, line=line) from error

        return Deferred(evaluate=evaluate, name=None, uses=frozenset(_loaded_names(expression)))

    def text(self, values: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """The text with markers, and the table that they point into: values, or Deferred."""
        table: list[Any] = []
        context = {**values, **self.deferred, _TABLE: (table, self._nested_text_allowed)}
        try:
            return self._template.render(context), table
        except TemplateError as error:
            raise TemplateError(f"template {self.name}: {error}") from error
        except Exception as error:  # a template can raise anything that its expressions raise
            raise self._explained(error) from error

    def _explained(self, error: Exception, *, line: int | None = None) -> TemplateError:
        line = line or _line_in(self.name, error.__traceback__)
        place = f"template {self.name}" + (f", line {line}" if line else "")
        if isinstance(error, self._jinja2.exceptions.SecurityError):
            return TemplateError(f"{place}: not allowed in a template: {error}")
        return TemplateError(f"{place}: {error or type(error).__name__}")


def _loaded_names(node: Any) -> list[str]:
    from jinja2 import nodes

    inner = [name.name for name in node.find_all(nodes.Name) if name.ctx == "load"]
    return inner + ([node.name] if isinstance(node, nodes.Name) else [])


def _marker_for() -> Callable[..., str]:
    """Jinja's `finalize`: put a value into the table, and its marker into the text."""
    from jinja2 import Undefined, pass_context

    @pass_context
    def marker(context: Any, value: Any) -> str:
        table, nested_text_allowed = context[_TABLE]
        if isinstance(value, Undefined):
            str(value)  # strict: raises the error that names the variable
        if isinstance(value, str) and (_OPEN in value or _CLOSE in value):
            if nested_text_allowed and not MARKER.sub("", value).count(_OPEN):
                return value  # the text of a macro or of a block set, whose expressions are in the table already
            raise TemplateError("a value contains the character U+E000 or U+E001")
        table.append(value)
        return f"{_OPEN}{len(table) - 1}{_CLOSE}"

    return marker


def _line_in(name: str, trace: TracebackType | None) -> int | None:
    line = None
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == name:
            line = trace.tb_lineno
        trace = trace.tb_next
    return line
