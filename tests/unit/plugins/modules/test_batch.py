"""What the module batch refuses before it has sent anything, in one line that names option, value and cure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from helpers.batches import config_maps, jobs, obj, run_batch


@dataclass(frozen=True)
class Wrong:
    """Options that are wrong, and words of the error in their order."""

    options: dict[str, Any]
    words: tuple[str, ...]


WRONG = (
    Wrong({"max_concurrent": 0}, ("max_concurrent: 0", "1 to 2,000")),
    Wrong({"qps": -1}, ("qps: -1", "0 to")),
    Wrong({"observe": {"node_interval": 0.5}}, ("observe.node_interval: 0.5", "1 to 3,600, or 0 for never")),
    Wrong({"observe": {"api_interval": 4000}}, ("observe.api_interval: 4000", "or 0 for only before and after")),
    Wrong({"namespaces_parallel": 0}, ("namespaces_parallel: 0", "1 to")),
    Wrong({"namespaces": []}, ("namespaces: none is given", "scope: run")),
    Wrong({"namespaces": ["Upper"]}, ("namespaces: 'Upper'", "lower-case")),
    Wrong({"namespaces": ["a", "a"]}, ("namespaces", "twice")),
    Wrong({"namespaces": ["x" * 64]}, ("namespaces: 'xxx", "at most 63")),
    Wrong({"run_id": "no spaces"}, ("run_id: 'no spaces'", "at most 63")),
    Wrong({"results_dir": "/dev/null/x"}, ("results_dir: the folder /dev/null/x", "cannot be made")),
    Wrong({"fragments": []}, ("fragments", "at least one")),
    Wrong({"fragments": [config_maps(1), config_maps(2)]}, ("fragments[1].role: 'configs'", "once")),
    Wrong({"fragments": [config_maps(-1)]}, ("fragments[0]", "count: -1", "0 or more")),
    Wrong({"fragments": [config_maps(1, after=["later"])]}, ("fragments[0].after: 'later'", "earlier fragment")),
    Wrong({"fragments": [config_maps(1, wave={"size": 1, "pause": -1})]}, ("wave.pause: -1", "0 or more")),
    Wrong({"fragments": [config_maps(2, members=[{"a": 1}])]}, ("members: 1 entries", "count is 2")),
    Wrong({"fragments": [config_maps(2, active=1)]}, ("active: 1", "ConfigMap", "such as a Job")),
    Wrong({"fragments": [jobs(2, active=1, ready=False)]}, ("active: 1", "ready is false")),
    Wrong({"fragments": [jobs(2, active=1)], "wait": False}, ("wait: false", "role jobs has active")),
    Wrong({"fragments": [{"role": "x", "steps": []}]}, ("fragments[0] (role x).steps", "list of lists")),
    Wrong({"fragments": [{"role": "x", "steps": [[{"template": "/no/file"}]]}]}, ("/no/file", "No such file")),
    Wrong(
        {"fragments": [{"role": "x", "steps": [[{"definition": "kind: [", "count": 1}]]}]},
        ("fragments[0] (role x).steps[0][0].definition", "broken YAML"),
    ),
    Wrong(
        {"fragments": [{"role": "x", "steps": [[obj("ConfigMap", "{{ nmae }}")]]}]},
        ("steps[0][0].definition, line", "'nmae' is undefined"),
    ),
)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.words[0][:40])
def test_wrong_options_are_refused_in_one_line_before_anything_is_sent(wrong: Wrong):
    options = {"run_id": "r", "namespaces": ["a"], "fragments": [config_maps(1)], **wrong.options}
    result = run_batch(host="http://127.0.0.1:9", **options)
    assert result["failed"]
    assert "\n" not in result["msg"]
    place = 0
    for word in wrong.words:
        assert word in result["msg"][place:], result["msg"]
        place = result["msg"].index(word, place) + len(word)
