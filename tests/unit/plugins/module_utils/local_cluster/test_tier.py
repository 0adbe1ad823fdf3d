"""What a run does to a cluster that may already be there, as a table."""

from __future__ import annotations

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.local_cluster.tier import (
    Decision,
    decide,
    describe_difference,
)

WANTED = {"etcd": "e1", "api": "a1", "kwok": "k1"}
ALL = tuple(WANTED)


@pytest.mark.parametrize(
    ("recorded", "alive", "restart", "expected"),
    [
        ({}, (), False, Decision(start=ALL)),
        (WANTED, ALL, False, Decision()),
        (WANTED, ALL, True, Decision()),
        # one crashed: it alone is started
        (WANTED, ("etcd", "kwok"), False, Decision(start=("api",))),
        # new Stages: kwok is restarted without asking
        ({**WANTED, "kwok": "k0"}, ALL, False, Decision(replace=("kwok",))),
        # another port of the API server: refused, or everything restarted
        ({**WANTED, "api": "a0"}, ALL, False, Decision(outdated=("api",))),
        ({**WANTED, "api": "a0"}, ALL, True, Decision(replace=ALL)),
        # settings changed while nothing ran: nobody has to be asked
        ({"etcd": "e0", "api": "a0", "kwok": "k0"}, (), False, Decision(start=ALL)),
        # something runs of which nothing is known
        ({}, ("etcd",), False, Decision(start=("api", "kwok"), outdated=("etcd",))),
        ({**WANTED, "etcd": "e0"}, ("etcd", "kwok"), True, Decision(start=("api",), replace=("etcd", "kwok"))),
    ],
)
def test_decide(recorded, alive, restart, expected):
    assert decide(WANTED, recorded, alive=alive, replaceable=("kwok",), restart=restart) == expected


def test_difference_names_the_options():
    text = describe_difference({"api_port": 1, "binaries_dir": None}, {"api_port": 2, "binaries_dir": "/b"}, ["api"])
    assert text == "api_port is 1 instead of 2; binaries_dir is unset instead of /b"


def test_difference_without_a_changed_option_names_the_parts():
    assert "api" in describe_difference({"api_port": 1}, {"api_port": 1}, ["api"])
