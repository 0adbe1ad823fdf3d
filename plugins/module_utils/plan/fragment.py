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
from ..readiness.registry import finishes
from ..syntax import LABEL_VALUE_RULE, is_label_value
from .errors import PlanError
from .jinja import TemplateError
from .kinds import POD_MAKERS
from .placement import placement
from .scope import is_made_once
from .template import Rendered, Template

#: Variables that differ from object to object, beside the members' own.
VARYING = frozenset({"namespace", "namespace_index", "index", "item"})

#: The options of a fragment, as modules take them; the module's page says what each means.
FRAGMENT_OPTIONS: dict[str, dict[str, Any]] = {
    "role": {"type": "str", "required": True},
    "count": {"type": "int"},
    "members": {"type": "list", "elements": "dict"},
    "steps": {"type": "list", "elements": "raw", "required": True},
    "variables": {"type": "dict"},
    "wave": {"type": "dict"},
    "active": {"type": "int"},
    "after": {"type": "list", "elements": "str"},
    "ready": {"type": "bool"},
    "ready_timeout": {"type": "float"},
    "stall_timeout": {"type": "float"},
    "expect": {"type": "str", "choices": ["normal", "restarts"]},
    "scope": {"type": "str", "choices": ["namespace", "run"]},
    "patch": {"type": "str", "choices": ["merge", "strategic", "apply"]},
    "processes": {"type": "int"},
    "pod_phases": {"type": "list", "elements": "list"},
    "busy_phase": {"type": "int"},
    "levers": {"type": "dict"},
    "most": {"type": "dict"},
}
#: For how long a fragment of Jobs may stand still, beyond its longest Job's deadline: by that deadline the Job
#: controller fails a Job that hangs, which is progress, and it needs some time to do so on a busy cluster.
_STALL_MARGIN_SECONDS = 60.0
#: How long a fragment may take from its last stored member, and Jobs without a deadline may stand still.
_READY_TIMEOUT_SECONDS = 600.0
#: What a lever makes smaller.
_LEVERS = ("namespaces", "objects", "pods", "requests", "processes", "storage", "volume_mode", "nodes", "queue")


@dataclass(frozen=True, slots=True)
class Item:
    """A template and how many times a step makes it (`item` counts from 1)."""

    template: Template
    count: int = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Fragment:
    """A role's part of the plan, for each namespace or `once`: `count` members that each go through `steps` in order.

    `active`: how many members of a namespace may be unfinished at once, 0 for all. `after`: roles whose objects of
    the namespace must be ready before the first member is sent. `expect` "restarts": pods of
    StatefulSets are meant to be killed, and each of them has to be, once.
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
    ready_timeout_seconds: float = _READY_TIMEOUT_SECONDS
    #: The wait for this fragment ends when nothing of it has come forward for so long; 0 for no such limit.
    stall_timeout_seconds: float = 0.0
    expect: str = "normal"
    #: Live processes of one pod, where somebody knows them.
    processes: int = 0
    #: A pod's phases one after another: (shortest, longest) in seconds, each drawn evenly; empty where pods do not end
    #: or nobody knows.
    pod_phases: tuple[tuple[float, float], ...] = ()
    #: In which of them, counted from 1, a pod has its `processes`; 0 where nobody knows.
    busy_phase: int = 0
    #: What makes this fragment smaller, for messages: of each figure the settings with their values.
    levers: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Kind -> how many objects of it the whole plan may make before somebody has to agree.
    most: Mapping[str, int] = field(default_factory=dict)
    #: Objects of one member by (apiVersion, kind), as the first member has them.
    kinds: Counter[tuple[str, str]] = field(default_factory=Counter)
    makes_namespace: bool = False
    #: Whether the members are made once for the run, and not in each namespace: they lie in none.
    once: bool = False
    #: How its templates are sent as patches of objects that earlier fragments make: merge, strategic or apply. Empty
    #: where it makes its objects itself.
    patch: str = ""

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

    @property
    def uses(self) -> frozenset[str]:
        """The varying variables that its templates use."""
        return frozenset().union(*(item.template.uses for step in self.steps for item in step))

    @property
    def makes_pods(self) -> bool:
        """Whether it makes pods, or objects whose controllers do."""
        return bool(self._pod_steps)

    def step_makes_pods(self, step: int) -> bool:
        """Whether a step needs the namespace's ServiceAccount."""
        return step in self._pod_steps

    _pod_steps: frozenset[int] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Context:
    """What holds for all fragments of a plan. `openshift`: the cluster gives each namespace its own user ids."""

    run_id: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    openshift: bool = False

    def constants(self, variables: Mapping[str, Any]) -> dict[str, Any]:
        """The variables of a fragment's templates that are the same for each object."""
        given = {**self.variables, **variables}
        return {**placement(given, openshift=self.openshift), **given, "run_id": self.run_id}


def parse_fragments(raw: list[dict[str, Any]], context: Context) -> list[Fragment]:
    """Check and compile all fragments. Raises PlanError or TemplateError, before anything is sent."""
    if not raw:
        raise PlanError("fragments: the list is empty; name at least one")
    fragments = [_fragment(entry, where=f"fragments[{number}]", context=context) for number, entry in enumerate(raw)]
    roles = [fragment.role for fragment in fragments]
    for number, fragment in enumerate(fragments):
        if fragment.role in roles[:number]:
            raise PlanError(f"fragments[{number}].role: {fragment.role!r} is in the list already; a role comes once")
        unknown = [role for role in fragment.after if role not in roles[:number]]
        if unknown:
            raise PlanError(f"fragments[{number}].after: {unknown[0]!r} is not the role of an earlier fragment")
        apart = [one.role for one in fragments if fragment.once and one.role in fragment.after and not one.once]
        if apart:
            raise PlanError(
                f"fragments[{number}].after: {apart[0]!r} is made in each namespace, and {fragment.role!r} once for "
                "the run, so that it can only come after others that are"
            )
        if fragment.patch:
            _check_patch(fragment, fragments[:number], where=f"fragments[{number}]")
    return fragments


def _check_patch(fragment: Fragment, earlier: list[Fragment], *, where: str) -> None:
    """Check that what a fragment patches is there by then, and watched if the fragment waits for it."""
    before = [one for one in earlier if one.role in fragment.after and not one.patch]
    for api_version, kind in fragment.kinds:
        makers = [one for one in before if (api_version, kind) in one.kinds]
        if not makers:
            raise PlanError(f"{where}.after: a {kind} is patched; name the role of the fragment that makes it")
        if fragment.ready and not all(one.ready for one in makers):
            raise PlanError(
                f"{where}.ready: true, but role {makers[0].role}, which makes the {kind} that is patched, has false"
            )


def _fragment(entry: dict[str, Any], *, where: str, context: Context) -> Fragment:
    unknown = set(entry) - set(FRAGMENT_OPTIONS)
    if unknown:
        allowed = ", ".join(sorted(FRAGMENT_OPTIONS))
        raise PlanError(f"{where}: unknown key {min(unknown)!r}; allowed are {allowed}")
    role = entry.get("role")
    if not isinstance(role, str) or not role or not is_label_value(role):
        raise PlanError(f"{where}.role: {role!r}; it becomes the label kubestress.core/role: {LABEL_VALUE_RULE}")
    where = f"{where} (role {role})"
    members = entry.get("members") or []
    count = _whole(entry.get("count", len(members) or 1), where=f"{where}.count", least=0)
    if members and len(members) != count:
        raise PlanError(f"{where}.members: {len(members)} entries, but count is {count}")
    wave = entry.get("wave") or {}
    pod_phases = _phases(entry.get("pod_phases") or (), where=f"{where}.pod_phases")
    busy_phase = _whole(entry.get("busy_phase", 0), where=f"{where}.busy_phase", least=0)
    if busy_phase > len(pod_phases):
        raise PlanError(f"{where}.busy_phase: {busy_phase}, but pod_phases has {len(pod_phases)} entries")
    constants = context.constants(entry.get("variables") or {})
    patch, most = entry.get("patch") or "", entry.get("most") or {}
    # What is patched keeps the labels of the role that made it.
    all_labels = {} if patch else {**context.labels, **run_labels(context.run_id, role)}
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
            expect=entry.get("expect", "normal"),
            processes=_whole(entry.get("processes", 0), where=f"{where}.processes", least=0),
            pod_phases=pod_phases,
            busy_phase=busy_phase,
            levers=_levers(entry.get("levers") or {}, where=f"{where}.levers"),
            patch=patch,
            most={kind: _whole(number, where=f"{where}.most.{kind}", least=1) for kind, number in most.items()},
        ),
        scope=entry.get("scope"),
        stall_timeout=entry.get("stall_timeout"),
        ready_timeout=entry.get("ready_timeout"),
        where=where,
    )


def as_steps(raw: Any) -> Any:
    """The steps as a list of lists: a list of templates alone is one step."""
    if isinstance(raw, list) and raw and all(isinstance(item, dict) for item in raw):
        return [raw]
    return raw


def _steps(
    raw: Any, *, where: str, constants: dict[str, Any], labels: dict[str, str], varying: frozenset[str]
) -> tuple[tuple[Item, ...], ...]:
    given = as_steps(raw)
    if not isinstance(given, list) or not given or not all(isinstance(step, list) and step for step in given):
        raise PlanError(f"{where}.steps: a list of lists of templates is needed, such as [[{{template: a.yml.j2}}]]")
    steps = []
    for number, step in enumerate(given):
        items = []
        for place, item in enumerate(step):
            label = f"{where}.steps[{number}][{place}]"
            if not isinstance(item, dict):
                raise PlanError(f"{label}: {item!r}; a dictionary is needed, such as {{template: a.yml.j2}}")
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


def _with_kinds(
    fragment: Fragment, *, scope: str | None, stall_timeout: Any, ready_timeout: Any, where: str
) -> Fragment:
    """Render the first and the last member: errors show now, and the kinds and the time limits are known."""
    from dataclasses import replace

    kinds: Counter[tuple[str, str]] = Counter()
    pod_steps = set()
    longest_job_seconds = 0.0
    last: Rendered | None = None
    for index in sorted({1, fragment.count} if fragment.count else ()):
        values = fragment.values(namespace="namespace-1", namespace_index=1, index=index)
        for step in range(len(fragment.steps)):
            for rendered in fragment.render_step(step, values):
                if rendered.kind in POD_MAKERS and not fragment.patch:
                    pod_steps.add(step)
                longest_job_seconds = max(longest_job_seconds, _job_deadline_seconds(rendered))
                if index == 1:
                    kinds[rendered.api_version, rendered.kind] += 1
                    last = rendered
    if fragment.active and fragment.count and not (last and fragment.ready and finishes(last.api_version, last.kind)):
        made = "ready is false" if not fragment.ready else f"the last step makes {last.kind if last else 'nothing'}"
        raise PlanError(f"{where}.active: {fragment.active}, but {made}; it needs objects that end, such as a Job")
    makes_namespace = ("v1", "Namespace") in kinds and not fragment.patch
    if makes_namespace and (len(kinds) > 1 or fragment.count != 1):
        raise PlanError(f"{where}: a fragment that makes the Namespace makes nothing else, and has count 1")
    if makes_namespace and stall_timeout:
        raise PlanError(f"{where}.stall_timeout: {stall_timeout!r}; a Namespace has only ready_timeout")
    ends = last is not None and finishes(last.api_version, last.kind)
    stall_seconds, ready_seconds = _time_limits(
        stall_timeout, ready_timeout, ends=ends, job_deadline_seconds=longest_job_seconds, where=where
    )
    return replace(
        fragment,
        kinds=kinds,
        makes_namespace=makes_namespace,
        once=is_made_once(scope, kinds=kinds, used=fragment.uses, where=where),
        stall_timeout_seconds=stall_seconds,
        ready_timeout_seconds=ready_seconds,
        _pod_steps=frozenset(pod_steps),
    )


def _time_limits(
    stall_timeout: Any, ready_timeout: Any, *, ends: bool, job_deadline_seconds: float, where: str
) -> tuple[float, float]:
    """The stall timeout and the absolute limit in seconds; 0 is none.

    Objects that end always have a stall timeout; where it is not given, it follows from the longest deadline of the
    Jobs. With a stall timeout there is no absolute limit unless one is given.
    """
    stall = _seconds(stall_timeout or 0, where=f"{where}.stall_timeout")
    if ends and not stall:
        stall = job_deadline_seconds + _STALL_MARGIN_SECONDS if job_deadline_seconds else _READY_TIMEOUT_SECONDS
    if ready_timeout is None:
        return stall, 0.0 if stall else _READY_TIMEOUT_SECONDS
    ready = _seconds(ready_timeout, where=f"{where}.ready_timeout")
    if not ready and not stall:
        raise PlanError(f"{where}.ready_timeout: 0 means no limit, which needs a stall_timeout")
    return stall, ready


def _job_deadline_seconds(rendered: Rendered) -> float:
    """The activeDeadlineSeconds of a Job, or the longest of a JobSet's; 0 where there is none, and for other kinds."""
    if rendered.kind not in ("Job", "JobSet"):
        return 0.0
    import json

    spec = json.loads(rendered.body).get("spec") or {}
    specs = [(part.get("template") or {}).get("spec") or {} for part in spec.get("replicatedJobs") or ()] or [spec]
    return max(float(one.get("activeDeadlineSeconds") or 0) for one in specs)


def _phases(raw: Any, *, where: str) -> tuple[tuple[float, float], ...]:
    phases = []
    for number, phase in enumerate(raw):
        place = f"{where}[{number}]"
        if not isinstance(phase, list | tuple) or len(phase) != 2:
            raise PlanError(f"{place}: {phase!r}; two numbers of seconds are needed, the shortest and the longest")
        shortest, longest = (_seconds(value, where=place) for value in phase)
        if shortest > longest:
            raise PlanError(f"{place}: {phase!r}; the shortest length comes first")
        phases.append((shortest, longest))
    return tuple(phases)


def _levers(raw: Mapping[str, Any], *, where: str) -> Mapping[str, Mapping[str, Any]]:
    for figure, settings in raw.items():
        if figure not in _LEVERS or not isinstance(settings, Mapping):
            raise PlanError(
                f"{where}: {figure!r}; allowed are {', '.join(_LEVERS)}, each with settings and their values"
            )
    return raw


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
