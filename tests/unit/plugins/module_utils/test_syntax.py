"""What Kubernetes takes as a name, a label and a quantity."""

from __future__ import annotations

from decimal import Decimal

import pytest
from ansible_collections.kubestress.core.plugins.module_utils import syntax as names
from ansible_collections.kubestress.core.plugins.module_utils.syntax import cpu_and_memory, cpu_milli, whole


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("a", True),
        ("a-1", True),
        ("1a", True),
        ("a" * 63, True),
        ("a" * 64, False),
        ("", False),
        ("A", False),
        ("a-", False),
        ("-a", False),
        ("a.b", False),
        ("a\n", False),
    ],
)
def test_dns_label(text, valid):
    assert names.is_dns_label(text) is valid


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("a", True),
        ("A_b.c-1", True),
        ("x.io/a", True),
        ("", False),
        ("/a", False),
        ("x.io/", False),
        ("X.io/a", False),
        ("a" * 64, False),
        ("a/b/c", False),
        ("a b", False),
    ],
)
def test_label_key(text, valid):
    assert names.is_label_key(text) is valid


@pytest.mark.parametrize(("text", "valid"), [("", True), ("a_B.1", True), ("-a", False), ("a" * 64, False)])
def test_label_value(text, valid):
    assert names.is_label_value(text) is valid


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("250m", Decimal("0.25")),
        ("1.5", Decimal("1.5")),
        (2, Decimal(2)),
        (0.5, Decimal("0.5")),
        ("64Mi", Decimal(64 * 1024**2)),
        ("1k", Decimal(1000)),
        ("1e3", Decimal(1000)),
        ("1E3", Decimal(1000)),
        ("2E", Decimal(2 * 10**18)),
        ("100n", Decimal("0.0000001")),
        (".5", Decimal("0.5")),
        ("-1", Decimal(-1)),
        ("", None),
        ("64MB", None),
        ("1 Gi", None),
        ("Mi", None),
        ("0x10", None),
        ("nan", None),
    ],
)
def test_quantity(text, number):
    assert names.quantity(text) == number


@pytest.mark.parametrize(
    ("quantity", "milli"), [("50m", 50), ("1", 1000), (2, 2000), ("0.5", 500), ("1500u", 2), ("100n", 1), ("0", 0)]
)
def test_cpu_is_counted_in_thousandths_and_rounded_up(quantity, milli):
    assert cpu_milli(quantity) == milli


@pytest.mark.parametrize(
    ("quantity", "number"),
    [("64Mi", 67_108_864), ("1k", 1_000), ("1.5Gi", 1_610_612_736), ("1e3", 1_000), ("128974848", 128_974_848)],
)
def test_bytes(quantity, number):
    assert whole(quantity) == number


@pytest.mark.parametrize("quantity", ["64MiB", "lots", "", "1,5"])
def test_what_is_no_quantity_is_refused(quantity):
    with pytest.raises(ValueError, match="is not a Kubernetes quantity"):
        whole(quantity)


def test_what_is_left_out_is_nothing():
    assert cpu_and_memory(None) == (0, 0)
    assert cpu_and_memory({"memory": "1Ki"}) == (0, 1024)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0),
        (90, 90),
        ("90m", 5400),
        (" 24 h ", 86_400),
        ("1.5d", 129_600),
        ("2w", 1_209_600),
        ("", None),
        ("-1", None),
        ("1y", None),
        ("1h30m", None),
        ("9" * 10, None),
    ],
)
def test_duration(text, seconds):
    assert names.duration_seconds(text) == seconds
