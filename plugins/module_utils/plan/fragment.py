# Copyright: (c) 2026, kubestress contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What to send: fragments, checked and compiled before the first request."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..cluster.labels import run_labels
from ..errors import KubestressError
from ..readiness.registry import finishes
from .jinja import TemplateError
from .template import Rendered, Template

#: Kinds that start pods: they wait until their namespace has its ServiceAccount, else the first pods are refused and
#: their controllers back off.
POD_MAKERS = frozenset({"Pod", "Deployment", "StatefulSet", "DaemonSet", "ReplicaSet", "Job", "CronJob"})

#: Variables that differ from object to object, beside the members' own.
VARYING = frozenset({"namespace", "namespace_index", "index", "item"})

_FRAGMENT_KEYS = {
    "role",
    "count",
    "members",
    "steps",
    "variables",
    "wave",
    "active",
    "after",
    "ready",
    "ready_timeout",
    "stall_timeout",
    "expect",
}


class PlanError(KubestressError):
    """A fragment cannot be used; the text names the option, its value and what is allowed."""


@dataclass(frozen=True, slots=True)
class Item:
    """A template and how many times a step makes it (`item` counts from 1)."""

    template: Template
    count: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Fragment:
    """A role's part of the plan, for each namespace: `count` members that each go through `steps` in order.

    `active`: how many members of a namespace may be unfinished at once, 0 for all. `after`: roles whose objects of
    the namespace must be ready before the first member is sent. `expect` "restarts": pods that are meant to be killed
    count as ready once they have run.
    """

    role: str
    count: int
    steps: tuple[tuple[Item, ...], ...]
    members: tuple[Mapping[str, Any], ...] = ()
    wave_size: int = 0
    wave_pause_seconds: float = 0.0
    active: int = 0
    after: tuple[str, ...] = ()
    ready: bool = True
    #: Absolute limit; 0 for none, which only a fragment with `stall_timeout_seconds` may have.
    ready_timeout_seconds: float = 600.0
    #: The wait for this fragment ends when for so long none of it has come forward; 0 for no such limit.
    stall_timeout_seconds: float = 0.0
    expect: str = "normal"
    #: Objects of one member by (apiVersion, kind), as the first member has them.
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    makes_namespace: bool = False
    #: Pods at once of one member's last object, where it is a Job.
    parallelism: int = 0

    def values(self, *, namespace: str, namespace_index: int, index: int) -> dict[str, Any]:
        """The varying values of one member, but for `item`."""
        values: dict[str, Any] = dict(self.members[index - 1]) if self.members else {}
        values["namespace"], values["namespace_index"], values["index"] = namespace, namespace_index, index
        return values

    def render_step(self, step: int, values: dict[str, Any]) -> Iterator[Rendered]:
        """The objects of one step of one member."""
        for item in self.steps[step]:
            for number in range(1, item.count + 1):
                values["item"] = number
                yield from item.template.render(values)

    def step_makes_pods(self, step: int) -> bool:
        """Whether a step needs the namespace's ServiceAccount."""
        return step in self._pod_steps

    _pod_steps: frozenset[int] = frozenset()


def parse_fragments(
    raw: list[dict[str, Any]], *, run_id: str, variables: Mapping[str, Any], labels: Mapping[str, str]
) -> list[Fragment]:
    """Check and compile all fragments. Raises PlanError or TemplateError, before anything is sent."""
    if not raw:
        raise PlanError("fragments: the list is empty; name at least one")
    fragments = [
        _fragment(entry, where=f"fragments[{number}]", run_id=run_id, variables=variables, labels=labels)
        for number, entry in enumerate(raw)
    ]
    roles = [fragment.role for fragment in fragments]
    for number, fragment in enumerate(fragments):
        if fragment.role in roles[:number]:
            raise PlanError(f"fragments[{number}].role: {fragment.role!r} is in the list already; a role comes once")
        unknown = [role for role in fragment.after if role not in roles[:number]]
        if unknown:
            raise PlanError(f"fragments[{number}].after: {unknown[0]!r} is not the role of an earlier fragment")
    return fragments


def _fragment(
    entry: dict[str, Any], *, where: str, run_id: str, variables: Mapping[str, Any], labels: Mapping[str, str]
) -> Fragment:
    unknown = set(entry) - _FRAGMENT_KEYS
    if unknown:
        allowed = ", ".join(sorted(_FRAGMENT_KEYS))
        raise PlanError(f"{where}: unknown key {min(unknown)!r}; allowed are {allowed}")
    role = entry.get("role")
    if not isinstance(role, str) or not role:
        raise PlanError(f"{where}.role: {role!r}; a text is needed, it becomes the label kubestress.core/role")
    where = f"{where} (role {role})"
    members = entry.get("members") or []
    count = _whole(entry.get("count", len(members) or 1), where=f"{where}.count", least=0)
    if members and len(members) != count:
        raise PlanError(f"{where}.members: {len(members)} entries, but count is {count}")
    wave = entry.get("wave") or {}
    constants = {**variables, **(entry.get("variables") or {}), "run_id": run_id}
    all_labels = {**labels, **run_labels(run_id, role)}
    varying = VARYING | {name for member in members for name in member}
    steps = _steps(entry.get("steps"), where=where, constants=constants, labels=all_labels, varying=varying)
    if entry.get("expect", "normal") not in ("normal", "restarts"):
        raise PlanError(f"{where}.expect: {entry['expect']!r}; allowed are normal and restarts")
    return _with_kinds(
        Fragment(
            role=role,
            count=count,
            steps=steps,
            members=tuple(members),
            wave_size=_whole(wave.get("size", 0), where=f"{where}.wave.size", least=0),
            wave_pause_seconds=_seconds(wave.get("pause", 0), where=f"{where}.wave.pause"),
            active=_whole(entry.get("active", 0), where=f"{where}.active", least=0),
            after=tuple(entry.get("after") or ()),
            ready=bool(entry.get("ready", True)),
            ready_timeout_seconds=_seconds(entry.get("ready_timeout", 600), where=f"{where}.ready_timeout"),
            stall_timeout_seconds=_seconds(entry.get("stall_timeout", 0), where=f"{where}.stall_timeout"),
            expect=entry.get("expect", "normal"),
        ),
        where=where,
    )


def _steps(
    raw: Any, *, where: str, constants: dict[str, Any], labels: dict[str, str], varying: frozenset[str]
) -> tuple[tuple[Item, ...], ...]:
    if not isinstance(raw, list) or not raw or not all(isinstance(step, list) and step for step in raw):
        raise PlanError(f"{where}.steps: a list of lists of templates is needed, such as [[{{template: a.yml.j2}}]]")
    steps = []
    for number, step in enumerate(raw):
        items = []
        for place, item in enumerate(step):
            label = f"{where}.steps[{number}][{place}]"
            unknown = set(item) - {"template", "definition", "content", "count"}
            if unknown:
                raise PlanError(f"{label}: unknown key {min(unknown)!r}; allowed are template, definition, count")
            items.append(
                Item(
                    template=_template(item, where=label, constants=constants, labels=labels, varying=varying),
                    count=_whole(item.get("count", 1), where=f"{label}.count", least=0),
                )
            )
        steps.append(tuple(items))
    return tuple(steps)


def _template(
    item: dict[str, Any], *, where: str, constants: dict[str, Any], labels: dict[str, str], varying: frozenset[str]
) -> Template:
    arguments: dict[str, Any] = {"constants": constants, "varying": varying, "labels": labels}
    content, definition = item.get("content"), item.get("definition")
    name = item.get("template") or f"{where}.definition"
    if content is not None:  # a file that the action plug-in, or the module itself, has read
        return Template(content, name=name, **arguments)
    if isinstance(definition, str):
        return Template(definition, name=name, **arguments)
    if isinstance(definition, dict):
        return Template.from_object(definition, name=name, **arguments)
    if item.get("template"):
        try:
            with open(item["template"], encoding="utf-8") as file:
                return Template(file.read(), name=name, **arguments)
        except OSError as error:
            raise PlanError(f"{where}.template: {item['template']}: {error.strerror}") from error
    raise PlanError(f"{where}: give template (a file) or definition (an object or text)")


def _with_kinds(fragment: Fragment, *, where: str) -> Fragment:
    """Render the first and the last member: errors show now, and the kinds are known."""
    from dataclasses import replace

    kinds: Counter[tuple[str, str]] = Counter()
    pod_steps = set()
    parallelism = 0
    last: Rendered | None = None
    for index in sorted({1, fragment.count} if fragment.count else ()):
        values = fragment.values(namespace="namespace-1", namespace_index=1, index=index)
        for step in range(len(fragment.steps)):
            for rendered in fragment.render_step(step, values):
                if rendered.kind in POD_MAKERS:
                    pod_steps.add(step)
                if index == 1:
                    kinds[rendered.api_version, rendered.kind] += 1
                    parallelism = _job_parallelism(rendered)
                    last = rendered
    if fragment.active and fragment.count and not (last and fragment.ready and finishes(last.api_version, last.kind)):
        made = "ready is false" if not fragment.ready else f"the last step makes {last.kind if last else 'nothing'}"
        raise PlanError(f"{where}.active: {fragment.active}, but {made}; it needs objects that end, such as a Job")
    makes_namespace = ("v1", "Namespace") in kinds
    if makes_namespace and (len(kinds) > 1 or fragment.count != 1):
        raise PlanError(f"{where}: a fragment that makes the Namespace makes nothing else, and has count 1")
    return replace(
        fragment,
        kinds=kinds,
        makes_namespace=makes_namespace,
        parallelism=parallelism,
        _pod_steps=frozenset(pod_steps),
    )


def _job_parallelism(rendered: Rendered) -> int:
    if rendered.kind != "Job":
        return 0
    import json

    spec = json.loads(rendered.body).get("spec") or {}
    completions, parallelism = spec.get("completions"), spec.get("parallelism", 1)
    return min(parallelism, completions) if completions else parallelism


def _whole(value: Any, *, where: str, least: int) -> int:
    if isinstance(value, bool) or not str(value).lstrip("-").isdigit() or int(value) < least:
        raise PlanError(f"{where}: {value!r}; a whole number of {least} or more is needed")
    return int(value)


def _seconds(value: Any, *, where: str) -> float:
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds < 1e9:
        raise PlanError(f"{where}: {value!r}; a number of seconds, 0 or more, is needed")
    return seconds


__all__ = ["Fragment", "Item", "PlanError", "TemplateError", "parse_fragments"]
