"""Which objects and pods are a batch's own."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.load.planned import Planned, maker_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.fragment import Context, parse_fragments
from helpers.batches import NAMESPACES, jobs, obj


def planned(*plan: dict[str, Any], namespaces: int = 2) -> Planned:
    fragments = parse_fragments(list(plan), Context(run_id="r"))
    return Planned(fragments, [(number, f"n-{number}") for number in range(1, namespaces + 1)])


def test_names_are_those_of_the_plan_in_each_namespace() -> None:
    named = {"role": "named", "steps": [[obj("ConfigMap", "c-{{ namespace_index }}")]]}
    plan = planned(NAMESPACES, jobs(2), named)
    assert plan.has("jobs", "Job", "n-1", "j-2")
    assert not plan.has("jobs", "Job", "n-1", "j-3")
    assert not plan.has("jobs", "Pod", "n-1", "j-1")
    assert plan.has("named", "ConfigMap", "n-2", "c-2")
    assert not plan.has("named", "ConfigMap", "n-2", "c-1")
    assert plan.has("named", "ConfigMap", "", "c-2")
    assert plan.namespaces == {"", "n-1", "n-2"}


def test_what_is_made_once_for_the_run_is_in_the_plan_once() -> None:
    plan = planned({"role": "volumes", "count": 2, "steps": [[obj("PersistentVolume", "v-{{ index }}")]]})
    assert plan.has("volumes", "PersistentVolume", "", "v-2")
    assert not plan.has("volumes", "PersistentVolume", "", "v-3")


def test_where_a_name_cannot_be_rendered_nothing_is_called_strange() -> None:
    """Sending that member ends the batch with the template's error; until then nothing is left out."""
    fails_later = obj("ConfigMap", "c-{{ 1 // (index - 2) if index == 2 else index }}")
    assert planned({"role": "x", "count": 3, "steps": [[fails_later]]}).has("x", "ConfigMap", "n-1", "c-7")


OWNER = {"kind": "ReplicaSet", "name": "web-1-5d4f", "controller": True}


@pytest.mark.parametrize(
    ("owner", "labels", "maker"),
    [
        (None, {}, ("Pod", "p")),
        ({"kind": "Job", "name": "j-1", "controller": True}, {}, ("Job", "j-1")),
        (OWNER, {"pod-template-hash": "5d4f"}, ("Deployment", "web-1")),
        (OWNER, {}, ("ReplicaSet", "web-1-5d4f")),
    ],
)
def test_what_a_pod_was_made_for(owner: dict[str, Any] | None, labels: dict[str, str], maker: tuple[str, str]) -> None:
    metadata = {"name": "p", "labels": labels, "ownerReferences": [owner] if owner else []}
    assert maker_of({"metadata": metadata}) == maker
