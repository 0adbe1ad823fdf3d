# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""From a template to JSON bodies: YAML is parsed once, and per object only the leaves that vary are filled in."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, ClassVar

from ..libraries import YAML, MissingLibrary
from .filters import DataText
from .jinja import MARKER, Deferred, Source, TemplateError
from .kinds import EACH, POD_TEMPLATE

Values = Mapping[str, Any]
_Filler = Callable[[Values], str]


@dataclass(slots=True)
class Rendered:
    """One object, ready to be sent. `body` is JSON."""

    api_version: str
    kind: str
    name: str
    body: bytes


class _Leaf:
    """A place in the document that varies per object. `plain` means that it is a whole, unquoted YAML value."""

    __slots__ = ("parts", "plain")

    def __init__(self, parts: list[str | Deferred | Any], *, plain: bool) -> None:
        # What holds for every object becomes text now, not anew for each of them.
        made: list[Any] = [part if isinstance(part, Deferred) else _text(part) for part in parts]
        self.parts: list[Any] = parts if plain else made
        self.plain = plain

    @property
    def same(self) -> tuple[Any, ...]:
        """What two leaves have in common that give the same value for the same object."""
        parts = ((part,) if isinstance(part, str) else getattr(part, "name", None) or id(part) for part in self.parts)
        return (self.plain, *parts)

    @property
    def uses(self) -> frozenset[str]:
        """The variables that the value depends on."""
        return frozenset(name for part in self.parts if isinstance(part, Deferred) for name in part.uses)

    def value(self, values: Values) -> Any:
        if self.plain:
            (part,) = self.parts
            return _native(part.evaluate(values) if isinstance(part, Deferred) else part)
        text = ""
        for part in self.parts:
            text += part if isinstance(part, str) else _text(part.evaluate(values))
        return text


def _native(value: Any) -> Any:
    return value.value if isinstance(value, DataText) else value


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, (dict, list)) else str(value)


class Template:
    """A template of one or several objects (YAML documents).

    `constants` are the values that hold for every object; `varying` are the names of those that come with each
    `render`. `labels` go onto every object and onto its pods; a namespaced object's namespace is the caller's, since
    only the API server knows which kinds are namespaced.

    Raises TemplateError, naming the template, and the line and variable where they are known.
    """

    def __init__(
        self, text: str, *, name: str, constants: Values, varying: frozenset[str], labels: Mapping[str, str]
    ) -> None:
        self.name = name
        self._source = Source(text, name=name, constants=constants, varying=varying)
        self._constants = dict(constants)
        self._labels = dict(labels)
        self._compiled: list[_Document] | None = self._documents(self._constants) if self._source.uniform else None

    @classmethod
    def from_object(cls, definition: Mapping[str, Any], **arguments: Any) -> Template:
        """A template out of an object given as data; Jinja expressions in its strings work as in a file."""
        return cls(json.dumps(definition, indent=1), **arguments)

    @property
    def uses(self) -> frozenset[str]:
        """The varying variables that it uses anywhere."""
        return self._source.used

    def varies_in(self, keys: frozenset[str]) -> bool:
        """Whether what stands below one of these keys may differ from object to object."""
        return self._compiled is None or any(document.varying_keys & keys for document in self._compiled)

    def render(self, values: Values) -> Iterator[Rendered]:
        """The objects for one set of varying values."""
        for document in self._documents_for(values):
            yield document.render(values)

    def names(self, values: Values) -> Iterator[tuple[str, str, str]]:
        """(apiVersion, kind, name) of the objects that `render` makes; little else is evaluated."""
        for document in self._documents_for(values):
            yield document.api_version, document.kind, document.name_for(values)

    def names_use(self, variables: frozenset[str]) -> bool:
        """Whether a name, or how many objects there are, may depend on one of these variables."""
        return self._compiled is None or any(document.name_uses & variables for document in self._compiled)

    def _documents_for(self, values: Values) -> list[_Document]:
        return self._documents({**self._constants, **values}) if self._compiled is None else self._compiled

    def _documents(self, values: Values) -> list[_Document]:
        text, table = self._source.text(values)
        trees = [tree for tree in _parse_yaml(text, table, name=self.name) if tree is not None]
        if not trees and self._source.uniform:
            raise TemplateError(f"template {self.name}: it makes no object; set the count of its role to 0 for none")
        return [_Document(self._labelled(tree), name=self.name) for tree in trees]

    def _labelled(self, tree: Any) -> dict[str, Any]:
        if not isinstance(tree, dict):
            raise TemplateError(f"template {self.name}: a document is not a mapping, so it is no Kubernetes object")
        tree = dict(tree)
        for key in ("apiVersion", "kind"):
            if not isinstance(tree.get(key), str):
                raise TemplateError(f"template {self.name}: {key} is missing or varies; it must be a fixed text")
        metadata = _child(tree, "metadata", self.name)
        if "name" not in metadata and tree["kind"].endswith("List") and "items" in tree:
            raise TemplateError(
                f"template {self.name}: {tree['kind']} is a list of objects; write each as a document of its own, "
                "with a line '---' between two"
            )
        if "name" not in metadata:
            raise TemplateError(
                f"template {self.name}: metadata.name is missing (generateName would make a second run create more)"
            )
        self._take_namespace(metadata)
        if not self._labels:
            return tree  # a patch, which leaves them as they are
        _child(metadata, "labels", self.name).update(self._labels)
        if path := POD_TEMPLATE.get(tree["kind"]):
            self._label_pods(tree, path)
        return tree

    def _label_pods(self, node: dict[str, Any], path: tuple[str, ...]) -> None:
        """Label the pod templates at the end of a path, as far as it goes; parents are copied on the way."""
        for number, step in enumerate(path):
            if not node.get(step):
                return
            if path[number + 1 : number + 2] == (EACH,):
                entries = node[step]
                if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
                    raise TemplateError(f"template {self.name}: {step} is not a list of mappings")
                node[step] = [dict(entry) for entry in entries]
                for entry in node[step]:
                    self._label_pods(entry, path[number + 2 :])
                return
            node = _child(node, step, self.name)
        _child(_child(node, "metadata", self.name), "labels", self.name).update(self._labels)

    def _take_namespace(self, metadata: dict[str, Any]) -> None:
        """Leave it out: the request's path has it. Another than the run's would be ignored, so it is refused."""
        given = metadata.pop("namespace", None)
        if given and not (isinstance(given, _Leaf) and len(given.parts) == 1 and given.uses == {"namespace"}):
            shown = repr(given) if isinstance(given, str) else "a value"
            raise TemplateError(
                f"template {self.name}: metadata.namespace is {shown}, but objects go into the run's namespaces; leave "
                "it out, or write {{ namespace }}"
            )


def _child(parent: dict[Any, Any], key: str, name: str) -> dict[Any, Any]:
    """A mapping inside another, as a copy to write to: what came out of a variable is not ours to change."""
    child = parent.get(key)
    if child is not None and not isinstance(child, dict):
        raise TemplateError(f"template {name}: {key} is not a mapping")
    parent[key] = dict(child or {})
    return parent[key]


class _Document:
    """One compiled document: JSON text with gaps. Filling the gaps is all the work per object."""

    def __init__(self, tree: dict[str, Any], *, name: str) -> None:
        self._template_name = name
        self.api_version: str = tree["apiVersion"]
        self.kind: str = tree["kind"]
        self._name = tree["metadata"]["name"]
        self.name_uses = self._name.uses if isinstance(self._name, _Leaf) else frozenset[str]()
        self.varying_keys = frozenset(_keys_above_leaves(tree, ()))
        pieces: list[str | _Gap] = []
        try:
            _emit(tree, pieces)
        except TypeError as error:
            raise TemplateError(f"template {name}: a value cannot be written as JSON: {error}") from error
        self._pieces: list[Any] = []
        for piece in pieces:
            if isinstance(piece, str) and self._pieces and isinstance(self._pieces[-1], str):
                self._pieces[-1] += piece
            else:
                self._pieces.append(piece)
        # A name stands in an object's labels and selectors again and again: it is made once for all its places.
        places: dict[Any, list[int]] = {}
        fillers: dict[Any, _Filler] = {}
        for place, piece in enumerate(self._pieces):
            if not isinstance(piece, str):
                places.setdefault(piece.same, []).append(place)
                fillers.setdefault(piece.same, piece.fill)
        self._gaps = [(fill, places[same]) for same, fill in fillers.items()]

    def render(self, values: Values) -> Rendered:
        pieces = self._pieces.copy()
        try:
            for fill, places in self._gaps:
                text = fill(values)
                for place in places:
                    pieces[place] = text
        except TypeError as error:
            raise TemplateError(
                f"template {self._template_name}: a value cannot be written as JSON: {error}"
            ) from error
        return Rendered(self.api_version, self.kind, self.name_for(values), "".join(pieces).encode())

    def name_for(self, values: Values) -> str:
        """The object's name."""
        name = self._name.value(values) if isinstance(self._name, _Leaf) else self._name
        if not isinstance(name, str) or not name:
            raise TemplateError(f"template {self._template_name}: metadata.name is {name!r}, not a text")
        return name


def _keys_above_leaves(node: Any, above: tuple[str, ...]) -> Iterator[str]:
    """All keys on the ways to values that vary."""
    if isinstance(node, _Leaf):
        yield from above
    elif isinstance(node, dict):
        for key, value in node.items():
            if isinstance(key, _Leaf):
                yield from above
            yield from _keys_above_leaves(value, (*above, str(key)))
    elif isinstance(node, list):
        for value in node:
            yield from _keys_above_leaves(value, above)


@dataclass(slots=True, frozen=True)
class _Gap:
    """A place of the JSON text that is filled per object. Gaps that are the `same` get the same text."""

    same: tuple[Any, ...]
    fill: _Filler


def _emit(node: Any, pieces: list[str | _Gap]) -> None:
    if isinstance(node, _Leaf):
        pieces.append(_Gap(node.same, _filler(node)))
    elif isinstance(node, dict):
        pieces.append("{")
        for number, (key, value) in enumerate(node.items()):
            pieces.append("," if number else "")
            if isinstance(key, _Leaf):
                pieces.append(_Gap(("key", *key.same), _quoted_text_of(key)))
            else:
                pieces.append(_quoted(key if isinstance(key, str) else json.dumps(key)))
            pieces.append(":")
            _emit(value, pieces)
        pieces.append("}")
    elif isinstance(node, list):
        pieces.append("[")
        for number, value in enumerate(node):
            pieces.append("," if number else "")
            _emit(value, pieces)
        pieces.append("]")
    else:
        pieces.append(json.dumps(node))


def _quoted_text_of(leaf: _Leaf) -> _Filler:
    return lambda values: _quoted(_text(leaf.value(values)))


def _filler(leaf: _Leaf) -> _Filler:
    """The quickest function that fills one gap."""
    first = leaf.parts[0]
    if leaf.plain or len(leaf.parts) == 1:
        if leaf.plain:
            return lambda values: json.dumps(leaf.value(values))
        if isinstance(first, Deferred) and first.name:
            name = first.name
            return lambda values: _quoted(_text(values[name]))
    return lambda values: _quoted(leaf.value(values))


def _parse_yaml(text: str, table: list[Any], *, name: str) -> list[Any]:
    """The documents of a text with markers. A constant value goes into its place now, a Deferred stays as a _Leaf."""
    try:
        import yaml
    except ImportError as error:
        raise MissingLibrary([YAML], error) from error
    loader_class = _loader_class()
    loader = loader_class(text)
    loader.kubestress_table = table
    try:
        documents = []
        while loader.check_data():
            documents.append(loader.get_data())
        return documents
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = text.splitlines()[mark.line] if mark and mark.line < len(text.splitlines()) else ""
        where = f", line {mark.line + 1} as rendered" if mark else ""
        shown = MARKER.sub("{{ … }}", line).strip()
        raise TemplateError(f"template {name}{where}: broken YAML: {error.problem}: {shown}") from error
    except yaml.YAMLError as error:
        raise TemplateError(f"template {name}: broken YAML: {error}") from error
    finally:
        loader.dispose()


def _loader_class() -> Any:
    global _LOADER
    if _LOADER is None:
        import yaml

        base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

        class Loader(base):
            """A safe loader that knows markers; a date stays the text that it is in Kubernetes."""

            kubestress_table: list[Any]
            yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {
                first: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
                for first, resolvers in base.yaml_implicit_resolvers.items()
            }

        Loader.add_constructor("tag:yaml.org,2002:str", _construct_text)
        _LOADER = Loader
    return _LOADER


_LOADER: Any = None


def _construct_text(loader: Any, node: Any) -> Any:
    text: str = node.value
    if not MARKER.search(text):
        return text
    parts: list[Any] = []
    for number, piece in enumerate(MARKER.split(text)):
        if number % 2:
            parts.append(loader.kubestress_table[int(piece)])
        elif piece:
            parts.append(piece)
    leaf = _Leaf(parts, plain=not node.style and len(parts) == 1)
    return leaf if any(isinstance(part, Deferred) for part in parts) else leaf.value({})
