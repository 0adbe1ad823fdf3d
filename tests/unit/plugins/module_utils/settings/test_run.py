"""Run ids can be labels and do not repeat; the hash tells loads apart, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.settings.run import new_run_id, settings_hash
from ansible_collections.kubestress.core.plugins.module_utils.syntax import is_dns_label

SETTINGS = {"run_id": "a", "namespaces_total": 3, "deployments_requests": {"cpu": "1", "memory": "1Gi"}}


def test_run_ids():
    now = datetime(2026, 11, 21, 4, 36, 42, tzinfo=UTC)
    ids = {new_run_id(now) for _ in range(200)}
    assert len(ids) == 200
    assert all(is_dns_label(run_id) and run_id.startswith("20261121-043642-") for run_id in ids)


@pytest.mark.parametrize(
    "changes",
    [
        {"run_id": "b"},
        {"run_results_dir": "/x"},
        {"run_log_level": "DEBUG"},
        {"cleanup_on_completion": True},
        {"observe_api_interval": 1.0},
        {"preflight_accept_risk": True},
        {"accelerator_run_image_tag": "v2"},
    ],
)
def test_the_same_load_has_the_same_hash(changes):
    assert settings_hash(SETTINGS | changes) == settings_hash(SETTINGS)


def test_order_does_not_matter():
    assert settings_hash(dict(reversed(SETTINGS.items()))) == settings_hash(SETTINGS)


@pytest.mark.parametrize("changes", [{"namespaces_total": 4}, {"run_seed": 2}, {"run_max_concurrent": 10}])
def test_another_load_has_another_hash(changes):
    assert settings_hash(SETTINGS | changes) != settings_hash(SETTINGS)


def test_namespaces_that_are_called_like_their_run_make_no_other_load():
    first, second = ({**SETTINGS, "run_id": name, "namespaces_prefix": name} for name in ("a", "b"))
    assert settings_hash(first) == settings_hash(second)
    assert settings_hash({**first, "namespaces_prefix": "x"}) != settings_hash(first)
