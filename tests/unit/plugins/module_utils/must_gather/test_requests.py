"""Distinct requests: each once, with its first time; as many and as small as it says."""

from __future__ import annotations

import pickle
import random

from ansible_collections.kubestress.core.plugins.module_utils.must_gather.requests import ADD, DEL, Requests


def test_each_request_is_there_once_with_its_first_time() -> None:
    known = Requests()
    known.see((b"ab12", ADD, stamp, failed) for stamp, failed in ((50, False), (20, True), (90, False)))
    known.see([(b"ab12", DEL, 70, False)])
    assert sorted(known) == [(20, ADD, True), (70, DEL, False)]
    # What has been put away is the same request.
    known.see([(b"ab12", ADD, 10, False), (b"ab12", DEL, 80, True)])
    assert sorted(known) == [(10, ADD, True), (70, DEL, True)]


def test_many_agree_with_a_dictionary() -> None:
    rng = random.Random(1)
    known, expected = Requests(), {}
    for _number in range(30_000):
        # Close to each other, as no real ids are.
        name, verb, stamp = b"%064x" % rng.randrange(10_000), rng.randrange(2), rng.randrange(2**31)
        known.see([(name, verb, stamp, False)])
        expected[name, verb] = min(stamp, expected.get((name, verb), stamp))
    assert len(known) == len(expected)
    assert sorted((stamp, verb) for stamp, verb, _failed in known) == sorted(
        (stamp, verb) for (_name, verb), stamp in expected.items()
    )


def test_what_two_have_seen_is_one() -> None:
    one, other = Requests(), Requests()
    one.see([(b"aa", ADD, 5, False)])
    other.see([(b"aa", ADD, 3, True), (b"sandbox-of-another-kind", ADD, 4, False)])
    one.merge(pickle.loads(pickle.dumps(other)))
    assert sorted(one) == [(3, ADD, True), (4, ADD, False)]
    moved = Requests()
    moved.merge(one, lambda stamp: stamp + 10)
    assert sorted(moved) == [(13, ADD, True), (14, ADD, False)]


def test_a_request_takes_at_most_32_bytes() -> None:
    known = Requests()
    known.see((b"%x" % (number * 7919), ADD, number, False) for number in range(100_000))
    assert len(known) == 100_000
    assert sum(12 * len(keys) for keys in known._keys) <= 32 * 100_000
    assert not known._recent
