"""Whose the namespaces are that exist already."""

from __future__ import annotations

from ansible_collections.kubestress.core.plugins.module_utils.cluster.labels import run_labels
from ansible_collections.kubestress.core.plugins.module_utils.preflight.namespaces import OF_ROLES, sort_out


def namespace(name, *, run_id=None, leaving=False, labels=None):
    labels = run_labels(run_id, "namespaces") if run_id else (labels or {})
    metadata = {"name": name, "labels": labels}
    return {"metadata": {**metadata, "deletionTimestamp": "2026-01-01T00:00:00Z"} if leaving else metadata}


WANTED = [f"deploy-test-{number}" for number in range(1, 10)]


def sorted_out(*found, listed=()):
    return sort_out(found, run_id="mine", wanted=WANTED, listed=listed, names=OF_ROLES)


def test_names_that_are_not_the_runs_do_not_matter():
    existing = sorted_out(namespace("default"), namespace("deploy-test-10"), namespace("deploy-test-1x"))
    assert (existing.own, existing.allowed, existing.refusals) == (frozenset(), frozenset(), ())


def test_our_own_are_taken_again():
    assert sorted_out(namespace("deploy-test-1", run_id="mine")).own == {"deploy-test-1"}


def test_another_runs_are_refused_with_its_run_id_and_the_cure():
    existing = sorted_out(*(namespace(f"deploy-test-{number}", run_id="theirs") for number in range(1, 8)))
    assert existing.refusals == (
        (
            "namespaces deploy-test-1, deploy-test-2, deploy-test-3, deploy-test-4, deploy-test-5 and 2 more belong to "
            "run theirs: remove that run with `ansible-playbook kubestress.core.cleanup -e run_id=theirs`, or choose "
            "another namespaces_prefix"
        ),
    )


def test_a_strangers_is_refused_and_the_run_id_alone_makes_nobody_ours():
    existing = sorted_out(namespace("deploy-test-2", labels={"kubestress.core/run-id": "mine"}))
    assert existing.own == frozenset()
    assert existing.refusals == (
        (
            "namespace deploy-test-2 exists and carries no run id, so this run does not own it: choose another "
            "namespaces_prefix, or list it in namespaces_existing"
        ),
    )


def test_what_the_user_lists_is_allowed_whoever_made_it():
    found = (namespace("deploy-test-1"), namespace("deploy-test-2", run_id="theirs"))
    existing = sorted_out(*found, listed=["deploy-test-1", "deploy-test-2"])
    assert (existing.allowed, existing.refusals) == ({"deploy-test-1", "deploy-test-2"}, ())


def test_one_that_is_being_deleted_cannot_be_used_even_if_it_is_ours():
    existing = sorted_out(namespace("deploy-test-1", run_id="mine", leaving=True))
    assert existing.refusals == (
        (
            "namespace deploy-test-1 is being deleted: wait until the cluster has removed it, or choose another "
            "namespaces_prefix"
        ),
    )
