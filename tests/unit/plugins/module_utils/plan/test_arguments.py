"""What the options of a plan refuse before anything is compiled or sent."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.plan.arguments import context_of, fragments_of
from ansible_collections.kubestress.core.plugins.module_utils.plan.errors import PlanError

OBJECT = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "c"}}
PARAMS: dict[str, Any] = {
    "run_id": "r-1",
    "variables": {},
    "labels": {"team": "a", "example.com/owner": ""},
    "fragments": [{"role": "config_maps", "steps": [[{"definition": OBJECT}]]}],
}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"run_id": "a b"}, "run_id: 'a b' is not allowed; letters, digits"),
        ({"labels": {"a b": "c"}}, "labels: 'a b' is no label's key; a name, or prefix/name, of letters, digits"),
        ({"labels": {"a": "b c"}}, "labels: a: 'b c' is no label's value; a text of letters, digits"),
        ({"labels": {"a": 1}}, "labels: a: 1 is no label's value; a text of letters, digits"),
        ({"fragments": [{**PARAMS["fragments"][0], "role": "r r"}]}, r"fragments\[0\].role: 'r r'; .* letters, digits"),
        ({"fragments": [{**PARAMS["fragments"][0], "role": ""}]}, r"fragments\[0\].role: ''; .* letters, digits"),
    ],
)
def test_what_no_label_can_hold_is_refused_by_name(options: dict[str, Any], told: str) -> None:
    """The API server would refuse it too, but object by object, when the namespaces are there already."""
    good = context_of(PARAMS)
    assert [one.role for one in fragments_of(PARAMS, good)] == ["config_maps"]
    bad = {**PARAMS, **options}
    with pytest.raises(PlanError, match=told):
        fragments_of(bad, context_of(bad))
