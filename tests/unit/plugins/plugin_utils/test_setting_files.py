"""The collection's profiles, and what is said of a file that is none."""

from __future__ import annotations

import os
from typing import Any

import pytest
import yaml
from ansible import context
from ansible.module_utils.common.collections import ImmutableDict
from ansible_collections.kubestress.core.plugins.module_utils.settings.setting import SettingError
from ansible_collections.kubestress.core.plugins.module_utils.settings.table import RUN_SETTINGS
from ansible_collections.kubestress.core.plugins.plugin_utils import setting_files as files

# parallelism, completions, namespaces, Jobs per namespace, active Jobs per namespace (0: all), consent
PROFILES = {
    "smoke": (2, 2, 2, 4, 2, False),
    "safe": (3, 10, 10, 20, 1, False),
    "conservative": (2, 5, 20, 20, 1, False),
    "moderate": (5, 15, 5, 20, 1, False),
    "observed": (4, 10, 5, 20, 1, False),
    "high": (8, 20, 3, 20, 1, False),
    "high_volume": (5, 15, 5, 20, 0, True),
    "danger": (10, 30, 10, 20, 1, True),
    "reproduce": (10, 20, 10, 20, 0, True),
}
_COUNTED = ("failed_pods", "failed_jobs", "image_pulls", "crashes", "evictions", "fork_failures", "sandbox_failures")
FIRST_SIGN = {f"guard_{sign}": 1 for sign in _COUNTED} | {"guard_api_errors": 5, "guard_api_p99": 5, "guard_outage": 10}
MANY_SIGNS = {
    "guard_failed_pods": 50,
    "guard_failed_jobs": 20,
    "guard_crashes": 50,
    "guard_evictions": 20,
    "guard_fork_failures": 50,
    "guard_sandbox_failures": 50,
    "guard_pressured_nodes": 0,
    "guard_api_errors": 75,
    "guard_api_p99": 30,
}
FURTHER: dict[str, dict[str, Any]] = {
    "smoke": {"build_jobs_time_scale": 0.1},
    "safe": FIRST_SIGN,
    "conservative": {"build_jobs_timeout": 600, **FIRST_SIGN},
    "high_volume": MANY_SIGNS,
    "danger": MANY_SIGNS,
    "reproduce": {"guard_action": "warn"},
}


def test_profiles_are_those_of_the_table():
    assert files.profile_names() == sorted([*PROFILES, "defaults"])


def test_the_profile_of_the_old_command_changes_nothing():
    assert files.load_profile(files.profile_path("defaults")) == {}


@pytest.mark.parametrize("name", PROFILES)
def test_profile(name):
    values = dict(files.load_profile(files.profile_path(name)))
    parallelism, completions, namespaces, jobs, active, consent = PROFILES[name]
    assert bool(values.pop("preflight_risk", "")) is consent
    assert values == {
        "build_jobs_enabled": True,
        "build_jobs_parallelism": parallelism,
        "build_jobs_completions": completions,
        "namespaces_total": namespaces,
        "build_jobs_per_namespace": jobs,
        "build_jobs_active_per_namespace": active,
        **FURTHER.get(name, {}),
    }
    assert set(values) <= set(RUN_SETTINGS)


@pytest.mark.parametrize("name", [*PROFILES, "defaults"])
def test_each_profile_has_its_playbook(name):
    (play,) = yaml.safe_load((files.COLLECTION / "playbooks" / f"{name}.yml").read_text())
    assert play["ansible.builtin.import_playbook"] == "stress.yml"
    assert play["vars"] == {"profile": name, "run_profile_fixed": name}


def test_path_counts_from_where_the_user_stands_then_from_the_playbook(tmp_path, monkeypatch):
    here, playbooks = tmp_path / "here", tmp_path / "playbooks"
    for folder in (here, playbooks):
        folder.mkdir()
        (folder / "both.yml").touch()
    (playbooks / "one.yaml").touch()
    monkeypatch.chdir(here)
    assert files.profile_path("both.yml", basedir=str(playbooks)) == here / "both.yml"
    assert files.profile_path("one.yaml", basedir=str(playbooks)) == playbooks / "one.yaml"
    assert files.profile_path(str(playbooks / "both.yml")) == playbooks / "both.yml"


def test_a_profile_beside_the_playbook_that_imports_ours_is_found(tmp_path, monkeypatch):
    (tmp_path / "mine.yml").touch()
    (tmp_path / "site.yml").touch()
    monkeypatch.setattr(context, "CLIARGS", ImmutableDict(args=(str(tmp_path / "site.yml"),)))
    assert files.profile_path("mine.yml", basedir=str(tmp_path / "collection")) == tmp_path / "mine.yml"


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ("sfae", "profile: 'sfae' is unknown; did you mean safe? Known are conservative, danger"),
        ("xyzzy", "profile: 'xyzzy' is unknown; known are conservative, danger"),
        (3, "profile: '3' is unknown"),
        ("../safe", "profile: '../safe' is unknown"),
        ("none.yml", "profile: there is no file none.yml; profiles by name are conservative"),
    ],
)
def test_unknown_profile(profile, told):
    with pytest.raises(SettingError) as refused:
        files.profile_path(profile)
    assert str(refused.value).startswith(told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (b"- a\n", "a profile has variables and their values"),
        (b"3: a\n", "a profile has variables and their values"),
        (b"a: [\n", "is not YAML: while parsing"),
        (b"a: \xff\n", "not UTF-8"),
        (b"a: !!python/object:os.system x\n", "is not YAML: could not determine a constructor"),
    ],
)
def test_broken_profile_is_named_in_one_line(tmp_path, text, told):
    path = tmp_path / "mine.yml"
    path.write_bytes(text)
    with pytest.raises(SettingError) as refused:
        files.load_profile(path)
    assert str(path) in str(refused.value)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


def test_changed_profile_is_read_again(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("run_seed: 1\n")
    assert files.load_profile(path) == {"run_seed": 1}
    path.write_text("run_seed: 2\n")
    os.utime(path, ns=(1, 1))
    assert files.load_profile(path) == {"run_seed": 2}


def test_empty_profile_sets_nothing(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("---\n")
    assert files.load_profile(path) == {}
    assert files.load_profile(None) == {}


@pytest.mark.parametrize("manifest", [False, True])
def test_version_of_checkout_and_of_installed_collection(tmp_path, monkeypatch, manifest):
    (tmp_path / "galaxy.yml").write_text("version: 1.2.3\n")
    if manifest:
        (tmp_path / "MANIFEST.json").write_text('{"collection_info": {"version": "4.5.6"}}')
    monkeypatch.setattr(files, "COLLECTION", tmp_path)
    assert files.collection_version() == ("4.5.6" if manifest else "1.2.3")
