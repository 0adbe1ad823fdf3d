"""Environment, then profile, then default."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.kubestress.core.plugins.lookup.setting import LookupModule


class Setting(LookupModule):
    """The lookup with its options read as Ansible's plugin loader would, which a test process does not have."""

    def set_options(self, var_options: Any = None, direct: Any = None, **_others: Any) -> None:
        self.given = {"env": None, "default": None} | direct

    def get_option(self, option: str, *_others: Any, **_more: Any) -> Any:
        return self.given[option]


def look_up(*names: str, profile: Any = None, switch: Any = None, **options: Any) -> list[Any]:
    loader = DataLoader()
    given = {"profile": profile, "run_environment": switch}
    variables = {name: value for name, value in given.items() if value is not None}
    lookup = Setting(loader=loader, templar=Templar(loader=loader))
    return lookup.run(list(names), variables=variables, **options)


@pytest.fixture
def profile(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text("namespaces_total: 4\nrun_seed: 0\n")
    return str(path)


@pytest.mark.parametrize(
    ("environment", "with_profile", "expected"),
    [
        (None, False, 100),
        (None, True, 4),
        ("7", False, "7"),
        ("7", True, "7"),
        ("", True, 4),
    ],
)
def test_precedence(monkeypatch, profile, environment, with_profile, expected):
    if environment is not None:
        monkeypatch.setenv("TOTAL_NAMESPACES", environment)
    chosen = profile if with_profile else None
    assert look_up("namespaces_total", profile=chosen, env="TOTAL_NAMESPACES", default=100) == [expected]


@pytest.mark.parametrize(("switch", "expected"), [("false", 100), (False, 100), ("yes", "7"), ("", "7")])
def test_the_environment_can_be_switched_off(monkeypatch, switch, expected):
    monkeypatch.setenv("TOTAL_NAMESPACES", "7")
    assert look_up("namespaces_total", switch=switch, env="TOTAL_NAMESPACES", default=100) == [expected]


def test_zero_in_a_profile_is_a_value(profile):
    assert look_up("run_seed", profile=profile, default=1) == [0]


def test_no_default_is_none():
    assert look_up("run_user_id") == [None]


@pytest.mark.parametrize("unset", ["", " ", None])
def test_unset_profile(unset):
    assert look_up("namespaces_total", profile=unset, default=100) == [100]


def test_profile_by_name_and_several_settings():
    assert look_up("namespaces_total", "build_jobs_parallelism", profile="safe") == [10, 3]


def test_unknown_profile():
    with pytest.raises(AnsibleError, match=r"profile: 'sfae' is unknown; did you mean safe\?"):
        look_up("namespaces_total", profile="sfae", default=100)
