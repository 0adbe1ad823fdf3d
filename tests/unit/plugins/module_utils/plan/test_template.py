"""Templates: what an author may write, what a value can never do, and how errors are told."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import jinja2.meta
import pytest
import yaml
from ansible_collections.kubestress.core.plugins.module_utils.cluster.labels import run_labels
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import VARYING
from ansible_collections.kubestress.core.plugins.module_utils.plan.jinja import TemplateError
from ansible_collections.kubestress.core.plugins.module_utils.plan.template import Template

ROLES = Path(__file__).resolve().parents[5] / "roles"
LABELS = run_labels("r-1", "deployments")
MEMBER = {"namespace": "a-3", "namespace_index": 3, "index": 7, "item": 2, "text": "plain"}
HEAD = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: c-{{ index }}\n"


def template(text: str, *, varying: tuple[str, ...] = (), **constants: Any) -> Template:
    return Template(text, name="t.yml.j2", constants=constants, varying=VARYING.union(varying, ["text"]), labels=LABELS)


def rendered(text: str, values: dict[str, Any] | None = None, **constants: Any) -> list[dict[str, Any]]:
    return [json.loads(one.body) for one in template(text, **constants).render(values or MEMBER)]


def data_of(expression: str, **constants: Any) -> Any:
    """Return what `data` becomes where the template says `data: <expression>`."""
    (found,) = rendered(HEAD + f"data: {expression}\n", **constants)
    return found["data"]


HOSTILE = (
    "plain",
    "",
    " ",
    'say "hi"',
    "it's",
    "{ a: b }",
    "}}{{ boom }}",
    "{% raw %}",
    "- a\n- b",
    "a: b\nkind: Pod",
    "x\n---\nkind: Namespace",
    "# no comment",
    "&anchor *alias !!tag",
    "yes",
    "null",
    "0x10",
    "1e3",
    "2026-11-21",
    "<<: *x",
    "tab\there",
    "nul\x00bell\x07",
    "\\n \\u0041 \\",
    "Grüße, 漢字, 🎉",
    "\u2028\u2029\ufeff",
    "[" * 100,
    "'\"`$(reboot)`",
    "x" * 10_000,
)


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("varies", [False, True])
@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("{{ VALUE }}", "{value}"),
        ('"{{ VALUE }}"', "{value}"),
        ("'{{ VALUE }}'", "{value}"),
        ('"<{{ VALUE }}-{{ index }}>"', "<{value}-7>"),
        ("|\n  first\n  {{ VALUE }}\n  last", "first\n{value}\nlast\n"),
        (">-\n  {{ VALUE }}", "{value}"),
    ],
)
def test_a_value_arrives_as_it_is_and_changes_nothing_around_it(value: str, varies: bool, place: str, expected: str):
    name = "text" if varies else "fixed"
    text = HEAD + f"data: {place.replace('VALUE', name)}\n" + "immutable: true\n"
    (found,) = rendered(text, MEMBER | {"text": value}, fixed=value)
    assert found["data"] == expected.replace("{value}", value)
    assert found["kind"] == "ConfigMap"
    assert found["immutable"] is True


@pytest.mark.parametrize("varies", [False, True])
def test_a_value_as_a_key_stays_one_key(varies: bool):
    name = "text" if varies else "fixed"
    (found,) = rendered(
        HEAD + f"data:\n  {{{{ {name} }}}}: x\n  other: y\n", MEMBER | {"text": "a: b\nc"}, fixed="a: b\nc"
    )
    assert found["data"] == {"a: b\nc": "x", "other": "y"}


@pytest.mark.parametrize("value", [3, 2.5, True, False, None, [1, "a"], {"a": {"b": [None]}}, "3", "true", "~"])
@pytest.mark.parametrize("varies", [False, True])
def test_an_unquoted_expression_keeps_its_type_and_a_quoted_one_is_text(value: Any, varies: bool):
    name = "text" if varies else "fixed"
    values = MEMBER | {"text": value}
    (plain,) = rendered(HEAD + f"data: {{{{ {name} }}}}\n", values, fixed=value)
    (quoted,) = rendered(HEAD + f'data: "{{{{ {name} }}}}"\n', values, fixed=value)
    assert plain["data"] == value
    assert type(plain["data"]) is type(value)
    assert isinstance(quoted["data"], str)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("{{ index * 2 }}", 14),
        ("{{ index }}-{{ item }}", "7-2"),
        ("{{ 'a' if index % 2 else 'b' }}", "a"),
        ("{{ numbers[index % 2] }}", 20),
        ("{{ numbers | length }}", 2),
        ("{{ {'n': index} | to_json }}", {"n": 7}),
        ('"{{ [index, none] | to_json }}"', "[7, null]"),
        ("{{ missing | default(index) }}", 7),
        ("{{ [index, 3] | max }}", 7),
        ("2026-11-21", "2026-11-21"),
        ("2026-11-21T10:00:00Z", "2026-11-21T10:00:00Z"),
        ("{% for n in numbers %}{{ n }}{{ ',' if not loop.last }}{% endfor %}", "10,20"),
        ("{% set twice = numbers[0] * 2 %}{{ twice }}", 20),
        ("{% set twice = index * 2 %}{{ twice }}", 14),
        ("{% macro m(x) %}<{{ x }}>{% endmacro %}{{ m('a: b') }}", "<a: b>"),
        ("{# nothing #}x", "x"),
    ],
)
def test_expressions(expression: str, expected: Any):
    assert data_of(expression, numbers=[10, 20]) == expected


def test_structure_may_vary_from_object_to_object():
    text = HEAD + "data:\n{% for n in range(index) %}\n  k{{ n }}: v{{ n * index }}\n{% endfor %}\n"
    made = template(text)
    assert made.varies_in(frozenset())
    for index in (1, 4, 2):
        (found,) = (json.loads(one.body) for one in made.render(MEMBER | {"index": index}))
        assert found["data"] == {f"k{n}": f"v{n * index}" for n in range(index)}


@pytest.mark.parametrize("constant", [True, False])
def test_structure_that_follows_a_constant_is_parsed_once(constant: bool):
    made = template(HEAD + "{% if wanted %}\ndata: {a: {{ index }}}\n{% endif %}\n", wanted=constant)
    (found,) = (json.loads(one.body) for one in made.render(MEMBER))
    assert not made.varies_in(frozenset())
    assert found.get("data") == ({"a": 7} if constant else None)


def test_a_template_may_hold_several_objects_and_empty_documents():
    text = HEAD + "---\n---\n" + HEAD.replace("ConfigMap", "Secret") + "---\n"
    assert [(one.kind, one.name) for one in template(text).render(MEMBER)] == [("ConfigMap", "c-7"), ("Secret", "c-7")]


def test_a_template_that_can_make_nothing_is_refused():
    with pytest.raises(TemplateError, match=r"^template t.yml.j2: it makes no object; set the count of its role to 0"):
        rendered("# only a comment\n")


def test_one_that_makes_nothing_for_some_is_not():
    text = "{% if index > 50 %}\n" + HEAD + "{% endif %}\n"
    assert rendered(text) == []


@pytest.mark.parametrize("given", ["elsewhere", "{{ namespace }}-x", "{{ prefix }}"])
def test_another_namespace_than_the_runs_is_refused(given: str):
    text = HEAD.replace("  name:", f'  namespace: "{given}"\n  name:')
    with pytest.raises(TemplateError, match=r"^template t.yml.j2: metadata.namespace is .*leave it out"):
        rendered(text, prefix="dev")


def test_the_runs_namespace_may_be_named():
    (found,) = rendered(HEAD.replace("  name:", '  namespace: "{{ namespace }}"\n  name:'))
    assert "namespace" not in found["metadata"]


def test_every_object_and_its_pods_carry_the_labels():
    paths = {
        "Deployment": ("spec", "template"),
        "StatefulSet": ("spec", "template"),
        "Job": ("spec", "template"),
        "CronJob": ("spec", "jobTemplate", "spec", "template"),
    }
    for kind, path in paths.items():
        pod: dict[str, Any] = {"metadata": {"labels": {"app": "x"}}, "spec": {}}
        spec: Any = pod
        for key in reversed(path):
            spec = {key: spec}
        metadata = {"name": "n", "labels": {"app": "x", "kubestress.core/run-id": "forged"}}
        definition = {"apiVersion": "x/v1", "kind": kind, "metadata": metadata, **spec}
        made = Template.from_object(definition, name="t", constants={}, varying=VARYING, labels=LABELS)
        (found,) = (json.loads(one.body) for one in made.render(MEMBER))
        inner = found
        for key in path:
            inner = inner[key]
        assert found["metadata"] == {"name": "n", "labels": {"app": "x", **LABELS}}
        assert inner["metadata"]["labels"] == {"app": "x", **LABELS}


def test_the_pods_of_every_job_in_a_job_set_carry_the_labels():
    template = {"metadata": {"labels": {"app": "x"}}, "spec": {"containers": []}}
    parts = [{"name": name, "template": {"spec": {"template": template}}} for name in ("main-job", "slice-job")]
    (found,) = rendered(
        "apiVersion: jobset.x-k8s.io/v1alpha2\nkind: JobSet\nmetadata: {name: n}\n"
        "spec: {replicatedJobs: {{ parts }}}\n",
        parts=parts,
    )
    pods = [part["template"]["spec"]["template"] for part in found["spec"]["replicatedJobs"]]
    assert [pod["metadata"]["labels"] for pod in pods] == [{"app": "x", **LABELS}] * 2
    assert template["metadata"] == {"labels": {"app": "x"}}
    with pytest.raises(TemplateError, match="replicatedJobs is not a list of mappings"):
        rendered("apiVersion: x/v1\nkind: JobSet\nmetadata: {name: n}\nspec: {replicatedJobs: {name: a}}\n")


def test_labels_and_objects_that_come_out_of_variables_are_left_as_they_were():
    """They serve other templates too, such as a Service's selector."""
    labels = {"app": "x"}
    pod = {"metadata": {"labels": labels}, "spec": {}}
    metadata = {"name": "n", "labels": labels}
    (found,) = rendered(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{ metadata }}\n"
        "spec: {selector: {matchLabels: {{ labels }}}, template: {{ pod }}}\n",
        metadata=metadata,
        labels=labels,
        pod=pod,
    )
    assert found["spec"]["template"]["metadata"]["labels"] == found["metadata"]["labels"] == {"app": "x", **LABELS}
    assert found["spec"]["selector"]["matchLabels"] == {"app": "x"}
    assert metadata == {"name": "n", "labels": {"app": "x"}}
    assert pod == {"metadata": {"labels": {"app": "x"}}, "spec": {}}


def test_a_pod_template_without_metadata_gets_labels_too():
    (found,) = rendered(HEAD.replace("ConfigMap", "Job") + "spec: {template: {spec: {containers: []}}}\n")
    assert found["spec"]["template"]["metadata"]["labels"] == LABELS


@dataclass(frozen=True)
class Broken:
    """A template's text that can't be used, and words that its error must hold, in this order."""

    text: str
    words: tuple[str, ...]
    late: bool = False  # only the values of one object show it


BROKEN = (
    Broken(HEAD + "data:\n  a: {{ wrong_name }}\n", ("t.yml.j2", "line 6", "'wrong_name' is undefined")),
    Broken(HEAD + "data:\n  a: {{ index + wrong_name }}\n", ("t.yml.j2", "line 6", "'wrong_name' is undefined"), True),
    Broken(HEAD + "data: {{ thing.size }}\n", ("t.yml.j2", "line 5", "no attribute 'size'")),
    Broken(HEAD + "data: {{ 1 // (index - 7) }}\n", ("t.yml.j2", "line 5", "zero"), True),
    Broken(HEAD + "data: {{ index | nosuchfilter }}\n", ("t.yml.j2", "line 5", "nosuchfilter")),
    Broken(HEAD + "data: {{ index\n", ("t.yml.j2", "line")),
    Broken(HEAD + "{% if index %}\n", ("t.yml.j2", "line")),
    Broken(HEAD + "data: [1, 2\n", ("t.yml.j2", "broken YAML")),
    Broken(HEAD + "data: {a: 1}}\n", ("t.yml.j2", "line 5", "broken YAML")),
    Broken(HEAD + "\tdata: x\n", ("t.yml.j2", "broken YAML")),
    Broken(HEAD + 'data: "{{ fixed }}\n', ("t.yml.j2", "broken YAML")),
    Broken(HEAD + "data: !!python/object:os.system {}\n", ("t.yml.j2", "broken YAML")),
    Broken(HEAD + "data: *nowhere\n", ("t.yml.j2", "line 5", "broken YAML")),
    Broken("- a\n- b\n", ("t.yml.j2", "not a mapping")),
    Broken("just text\n", ("t.yml.j2", "not a mapping")),
    Broken("kind: X\nmetadata: {name: a}\n", ("t.yml.j2", "apiVersion is missing")),
    Broken("apiVersion: v1\nmetadata: {name: a}\n", ("t.yml.j2", "kind is missing")),
    Broken("apiVersion: v1\nkind: '{{ text }}'\nmetadata: {name: a}\n", ("t.yml.j2", "kind is missing or varies")),
    Broken("apiVersion: v1\nkind: X\n", ("t.yml.j2", "metadata.name is missing")),
    Broken("apiVersion: v1\nkind: X\nmetadata: {generateName: a-}\n", ("metadata.name is missing", "generateName")),
    Broken("apiVersion: v1\nkind: List\nitems: [{kind: X}]\n", ("t.yml.j2", "List is a list of objects", "'---'")),
    Broken("apiVersion: v1\nkind: X\nmetadata: text\n", ("t.yml.j2", "metadata is not a mapping")),
    Broken("apiVersion: v1\nkind: X\nmetadata: {name: a, labels: [b]}\n", ("t.yml.j2", "labels is not a mapping")),
    Broken("apiVersion: v1\nkind: X\nmetadata: {name: 5}\n", ("t.yml.j2", "metadata.name is 5, not a text"), True),
    Broken("apiVersion: v1\nkind: X\nmetadata: {name: '{{ none }}'}\n", ("metadata.name is ''",), True),
    Broken("apiVersion: v1\nkind: X\nmetadata: {name: {{ index }}}\n", ("metadata.name is 7, not a text",), True),
    Broken(HEAD + "data: {{ fixed.__class__.__mro__ }}\n", ("t.yml.j2", "not allowed", "__class__")),
    Broken(HEAD + "data: {{ text.__class__ }}\n", ("t.yml.j2", "not allowed", "__class__"), True),
    Broken(HEAD + "data: {{ thing.update({'a': 1}) }}\n", ("t.yml.j2", "not allowed")),
    Broken(HEAD + "data: {{ cycler.__init__.__globals__.os }}\n", ("t.yml.j2", "not allowed")),
    Broken(HEAD + "data: {{ range(3) }}\n", ("t.yml.j2", "cannot be written as JSON", "range")),
    Broken(HEAD + "data: {{ range(index) }}\n", ("t.yml.j2", "cannot be written as JSON", "range"), True),
    Broken(HEAD + "data: \ue0000\ue001\n", ("t.yml.j2", "U+E000")),
    Broken(HEAD + "data: {{ marked }}\n", ("t.yml.j2", "U+E000")),
)


@pytest.mark.parametrize("case", BROKEN, ids=lambda case: case.words[-1])
def test_an_error_names_the_template_the_line_and_what_is_wrong(case: Broken):
    constants = {"fixed": "f", "thing": {"a": 1}, "marked": "\ue0000\ue001"}
    made = None
    if case.late:
        made = template(case.text, **constants)
    with pytest.raises(TemplateError) as failure:
        list((made or template(case.text, **constants)).render(MEMBER))
    text = str(failure.value)
    assert "\n" not in text
    place = 0
    for word in case.words:
        assert word in text[place:], text
        place = text.index(word, place) + len(word)


def test_a_varying_value_with_private_characters_is_only_a_value():
    (found,) = rendered(HEAD + "data: '{{ text }}-{{ fixed }}'\n", MEMBER | {"text": "\ue0000\ue001"}, fixed="f")
    assert found["data"] == "\ue0000\ue001-f"


def test_no_object_can_change_the_next_ones():
    made = template(HEAD + "data: {{ thing }}\nmore: {{ [index] }}\n", thing={"a": []})
    first, second = (json.loads(one.body) for index in (1, 2) for one in made.render(MEMBER | {"index": index}))
    assert (first["data"], second["data"]) == ({"a": []}, {"a": []})
    assert (first["more"], second["more"]) == ([1], [2])


def slow_way(text: str, values: dict[str, Any]) -> list[Any]:
    """Return what plain Jinja2, its values written as JSON where they stand alone, and plain YAML give."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True, keep_trailing_newline=True)
    environment.finalize = in_yaml
    plain = environment.from_string(text).render(values)
    return [document for document in yaml.load_all(plain, Loader=yaml.CSafeLoader) if document]


def in_yaml(value: Any) -> Any:
    return value if isinstance(value, (str, int)) and not isinstance(value, bool) else json.dumps(value)


def without_labels(document: dict[str, Any]) -> dict[str, Any]:
    """Return the object without what the engine adds."""
    spec = document.get("spec") or {}
    jobs = [one["template"] for one in spec.get("replicatedJobs") or ()]
    for owner in (document, spec.get("template") or {}, *jobs, *(one["spec"]["template"] for one in jobs)):
        labels = owner.get("metadata", {}).get("labels", {})
        for label in LABELS:
            labels.pop(label, None)
        if not labels and "labels" in owner.get("metadata", {}):
            del owner["metadata"]["labels"]
    return document


TEMPLATES = sorted(ROLES.glob("*/templates/*.j2"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_the_roles_templates_are_what_plain_jinja_and_yaml_make_of_them(path: Path):
    """With random sets of values: the fast way must not differ from the obvious one in a single leaf."""
    text = path.read_text()
    names = jinja2.meta.find_undeclared_variables(jinja2.Environment().parse(text)) - set(VARYING)
    draw = random.Random(path.name)
    for _round in range(8):
        constants = {name: fitting(name, text, draw) for name in names}
        values: dict[str, Any] = {
            "namespace": f"n-{draw.randrange(999)}",
            "namespace_index": draw.randrange(1, 999),
            "index": draw.randrange(1, 999),
            "item": draw.randrange(1, 9),
        }
        # A role's templates have members' own variables too: half of the constants become varying ones.
        own = {name for name in names if draw.random() < 0.5 and not name.endswith("labels")}
        made = Template(
            text,
            name=path.name,
            constants={name: value for name, value in constants.items() if name not in own},
            varying=VARYING | own,
            labels=LABELS,
        )
        found = made.render(values | {name: constants[name] for name in own})
        assert [without_labels(json.loads(one.body)) for one in found] == [
            without_labels(document) for document in slow_way(text, constants | values)
        ]


def fitting(name: str, text: str, draw: random.Random) -> Any:
    """Return a value for a variable of a template; words stay words, so that the slow way can write them unquoted."""
    word = "".join(draw.choice("abcdefgh") for _ in range(8))
    if name == "accelerator":
        # Without a pool: its rule needs a filter that plain Jinja2 does not have.
        return {"completions": draw.randrange(9), "parallelism": draw.randrange(9), "slices": 2, "pool_label": ""}
    if "in " + name in text or name.endswith("_nodes"):
        return [word, word[::-1]]
    if name.endswith(("requests", "limits", "selector", "annotations", "labels")):
        return {word: word[::-1]}
    if name.endswith(("tolerations", "secrets")):
        return [{"name": word}] * draw.randrange(3)
    if name.endswith(("enabled", "open", "openshift")):
        return draw.random() < 0.5
    if name.endswith(
        (
            "replicas",
            "count",
            "size",
            "parallelism",
            "completions",
            "timeout",
            "seconds",
            "ttl",
            "limit",
            "copies",
            "per_volume",
        )
    ):
        return draw.randrange(1, 99)
    return word
