"""From type, topology, machine and slices to selectors, tolerations, resources and completions."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest
from ansible_collections.kubestress.core.plugins.module_utils.accelerators.catalogue import BUILT_IN, parse_catalogue
from ansible_collections.kubestress.core.plugins.module_utils.accelerators.errors import AcceleratorError
from ansible_collections.kubestress.core.plugins.module_utils.accelerators.shape import shape_of

TPU, GPU, GKE = "google.com/tpu", "nvidia.com/gpu", "cloud.google.com"


class Case(NamedTuple):
    """A job, and what GKE's or the vendor's documentation says of it."""

    type: str
    asked: dict[str, Any]
    resource: str
    label: tuple[str, str]
    machine: str
    nodes: int
    chips_per_node: int


def tpu(name: str, label: str, topology: str, machine: str, nodes: int, each: int, /, **asked: Any) -> Case:
    return Case(name, {"topology": topology, **asked}, TPU, (f"{GKE}/gke-tpu-accelerator", label), machine, nodes, each)


def gpu(name: str, machine: str, each: int, /, **asked: Any) -> Case:
    wanted = {"machine": machine, **asked}
    return Case(name, wanted, GPU, (f"{GKE}/gke-accelerator", name), machine, asked.get("nodes", 1), each)


V4, V5P, V5E, V6E = "tpu-v4-podslice", "tpu-v5p-slice", "tpu-v5-lite-podslice", "tpu-v6e-slice"
CASES = [
    tpu("v4", V4, "2x2x1", "ct4p-hightpu-4t", 1, 4),
    tpu("v4", V4, "2x2x2", "ct4p-hightpu-4t", 2, 4),
    tpu("v4", V4, "2x2x4", "ct4p-hightpu-4t", 4, 4),
    tpu("v4", V4, "2x4x4", "ct4p-hightpu-4t", 8, 4),
    tpu("v4", V4, "4x4x4", "ct4p-hightpu-4t", 16, 4),
    tpu("v4", V4, "4x4x8", "ct4p-hightpu-4t", 32, 4),
    tpu("v4", V4, "4x8x8", "ct4p-hightpu-4t", 64, 4),
    tpu("v4", V4, "8x8x8", "ct4p-hightpu-4t", 128, 4),
    tpu("v4", V4, "8x8x16", "ct4p-hightpu-4t", 256, 4),
    tpu("v4", V4, "8x16x16", "ct4p-hightpu-4t", 512, 4),
    tpu("v4", V4, "4x12x16", "ct4p-hightpu-4t", 192, 4),
    tpu("v5p", V5P, "2x2x1", "ct5p-hightpu-4t", 1, 4),
    tpu("v5p", V5P, "2x2x1", "ct5p-hightpu-2t", 2, 2, machine="ct5p-hightpu-2t"),
    tpu("v5p", V5P, "2x2x1", "ct5p-hightpu-1t", 4, 1, machine="ct5p-hightpu-1t"),
    tpu("v5p", V5P, "4x4x4", "ct5p-hightpu-4t", 16, 4),
    tpu("v5p", V5P, "16x20x28", "ct5p-hightpu-4t", 2240, 4),
    tpu("v5e", V5E, "1x1", "ct5lp-hightpu-1t", 1, 1),
    tpu("v5e", V5E, "2x2", "ct5lp-hightpu-4t", 1, 4),
    tpu("v5e", V5E, "2x4", "ct5lp-hightpu-8t", 1, 8),
    tpu("v5e", V5E, "2x4", "ct5lp-hightpu-4t", 2, 4, machine="ct5lp-hightpu-4t"),
    tpu("v5e", V5E, "4x4", "ct5lp-hightpu-4t", 4, 4),
    tpu("v5e", V5E, "4x8", "ct5lp-hightpu-4t", 8, 4),
    tpu("v5e", V5E, "8x8", "ct5lp-hightpu-4t", 16, 4),
    tpu("v5e", V5E, "8x16", "ct5lp-hightpu-4t", 32, 4),
    tpu("v5e", V5E, "16x16", "ct5lp-hightpu-4t", 64, 4),
    tpu("v6e", V6E, "1x1", "ct6e-standard-1t", 1, 1),
    tpu("v6e", V6E, "2x4", "ct6e-standard-8t", 1, 8),
    tpu("v6e", V6E, "4x4", "ct6e-standard-4t", 4, 4),
    tpu("v6e", V6E, "16X16 ", "ct6e-standard-4t", 64, 4),
    gpu("nvidia-l4", "g2-standard-12", 1),
    gpu("nvidia-l4", "g2-standard-24", 2),
    gpu("nvidia-l4", "g2-standard-48", 4),
    gpu("nvidia-l4", "g2-standard-96", 8, nodes=3),
    gpu("nvidia-tesla-a100", "a2-highgpu-1g", 1),
    gpu("nvidia-tesla-a100", "a2-highgpu-2g", 2),
    gpu("nvidia-tesla-a100", "a2-highgpu-4g", 4),
    gpu("nvidia-tesla-a100", "a2-highgpu-8g", 8),
    gpu("nvidia-tesla-a100", "a2-megagpu-16g", 16),
    gpu("nvidia-a100-80gb", "a2-ultragpu-1g", 1),
    gpu("nvidia-a100-80gb", "a2-ultragpu-2g", 2),
    gpu("nvidia-a100-80gb", "a2-ultragpu-4g", 4),
    gpu("nvidia-a100-80gb", "a2-ultragpu-8g", 8),
    gpu("nvidia-h100-80gb", "a3-highgpu-1g", 1),
    gpu("nvidia-h100-80gb", "a3-highgpu-2g", 2),
    gpu("nvidia-h100-80gb", "a3-highgpu-4g", 4),
    gpu("nvidia-h100-80gb", "a3-highgpu-8g", 8, nodes=2),
    gpu("nvidia-h100-mega-80gb", "a3-megagpu-8g", 8),
    gpu("nvidia-h200-141gb", "a3-ultragpu-8g", 8),
    gpu("nvidia-b200", "a4-highgpu-8g", 8),
    gpu("nvidia-gb200", "a4x-highgpu-4g", 4),
    Case("nvidia", {"machine": "2-gpu"}, GPU, ("nvidia.com/gpu.present", "true"), "2-gpu", 1, 2),
    Case(
        "nvidia-h100-hbm3",
        {"machine": "8-gpu"},
        GPU,
        ("nvidia.com/gpu.product", "NVIDIA-H100-80GB-HBM3"),
        "8-gpu",
        1,
        8,
    ),
    Case(
        "amd-mi300x",
        {"machine": "8-gpu", "nodes": 2},
        "amd.com/gpu",
        ("amd.com/gpu.product-name", "AMD_Instinct_MI300X_OAM"),
        "8-gpu",
        2,
        8,
    ),
]


def name_of(case: Case) -> str:
    return "-".join([case.type, *(str(value) for value in case.asked.values())])


@pytest.mark.parametrize("case", CASES, ids=name_of)
def test_every_entry(case: Case) -> None:
    shape = shape_of(case.type, slices=2, **case.asked)
    found = shape.as_dict()
    assert (found["machine"], found["nodes"], found["chips_per_node"]) == (
        case.machine,
        case.nodes,
        case.chips_per_node,
    )
    assert found["completions"] == found["parallelism"] == case.nodes
    assert found["chips"] == case.nodes * case.chips_per_node
    assert found["slices"] == 2
    assert found["limits"] == {case.resource: str(case.chips_per_node)}
    selector = dict(found["node_selector"])
    assert selector.pop(case.label[0]) == case.label[1]
    topology = str(case.asked.get("topology", "")).strip().lower()
    if topology:
        assert selector.pop("cloud.google.com/gke-tpu-topology") == topology
    if not case.machine.endswith("-gpu"):
        assert selector.pop("node.kubernetes.io/instance-type") == case.machine
    if case.type == "nvidia-gb200":
        assert selector.pop("kubernetes.io/arch") == "arm64"
    assert selector == {}
    # Each taint of its nodes is tolerated, by key, value and effect.
    assert [{key: one[key] for key in ("key", "value", "effect")} for one in found["tolerations"]] == found["taints"]
    taints = {taint["key"] for taint in found["taints"]}
    on_gke = GKE in case.label[0]
    assert taints == (
        ({case.resource} | ({"kubernetes.io/arch"} if "gb200" in case.type else set())) if on_gke else set()
    )
    # A slice of several nodes is one pool.
    bound = case.resource == TPU and case.nodes > 1
    assert found["pool_label"] == ("cloud.google.com/gke-nodepool" if bound else "")


def test_every_machine_and_topology_has_a_case_or_a_rule() -> None:
    tried = {(case.type, case.machine) for case in CASES}
    assert {(name, machine) for name, entry in BUILT_IN.items() for machine in entry["machines"]} - tried <= {
        (plain, f"{number}-gpu") for plain in ("nvidia", "nvidia-h100-hbm3", "amd-mi300x") for number in (1, 2, 4, 8)
    } | {("v6e", "ct6e-standard-4t"), ("v5p", "ct5p-hightpu-4t")}
    for name, entry in BUILT_IN.items():
        for topology in entry.get("topologies", ()):
            shape = shape_of(name, topology=topology)
            assert shape.nodes * shape.chips_per_node == shape.chips


def test_a_job_of_cpus_has_no_accelerator() -> None:
    found = shape_of("", nodes=3, slices=2).as_dict()
    assert (found["completions"], found["slices"], found["limits"], found["node_selector"]) == (3, 2, {}, {})
    assert (found["tolerations"], found["pool_label"], found["chips"]) == ([], "", 0)


def test_a_node_label_is_as_good_as_the_name() -> None:
    assert shape_of("tpu-v5-lite-podslice", topology="2x2").type == "v5e"


REFUSED = [
    ("v5p-8", {}, "type", r"'v5p-8' is ambiguous: 8 counts cores in some tools and chips in others; name the type v5p"),
    ("v5p-8", {}, "type", r"topology 2x2x1 \(4 chips\) or topology 2x2x2 \(8 chips\)"),
    ("V4-512", {}, "type", r"topology 4x8x8 \(256 chips\) or topology 8x8x8 \(512 chips\)"),
    ("v5litepod-16", {}, "type", r"name the type v5e, and topology 4x4 \(16 chips\)"),
    ("tpu-v6e-8", {"topology": "2x4"}, "type", r"name the type v6e, and topology 2x4 \(8 chips\)"),
    ("v5p-6", {}, "type", r"a topology of 3 chips or a topology of 6 chips"),
    ("v7", {}, "type", r"'v7' is unknown; known are v4, v5p"),
    ("h100", {}, "type", r"did you mean nvidia-h100-80gb or nvidia-h100-mega-80gb or nvidia-h100-hbm3\?"),
    ("v5e", {}, "topology", r"none is given; v5e comes in 1x1, 2x2, 2x4"),
    ("v5e", {"topology": "4x2"}, "topology", r"'4x2': .*; did you mean 2x4\?"),
    ("v5e", {"topology": "2x2x2"}, "topology", r"'2x2x2': v5e comes in 1x1"),
    ("v5e", {"topology": "16"}, "topology", r"'16' is none; v5e comes in"),
    ("v5e", {"topology": "32x32"}, "topology", r"'32x32': v5e comes in"),
    ("v4", {"topology": "8x4x4"}, "topology", r"did you mean 4x4x8\?"),
    ("v4", {"topology": "2x2"}, "topology", r"did you mean 2x2x1\?"),
    ("v4", {"topology": "4x4x6"}, "topology", r"multiples of 4 with A <= B <= C and at most 64 cubes of 4x4x4"),
    # 2 x 4 x 9 cubes are 72.
    ("v4", {"topology": "8x16x36"}, "topology", r"at most 64 cubes"),
    # 4 x 5 x 7 cubes are the 140 that there may be; 5 x 5 x 6 are 150.
    ("v5p", {"topology": "20x20x24"}, "topology", r"at most 140 cubes"),
    ("v5e", {"topology": "2x2", "machine": "ct5lp-hightpu-8t"}, "topology", r"2x2 has 4 chips, which nodes of ct5lp"),
    (
        "v6e",
        {"topology": "2x2", "machine": "ct6e-standard-8t"},
        "topology",
        r"8 each do not make up; machine ct6e-standard-1t or ct6e-standard-4t does",
    ),
    ("v5e", {"topology": "4x4", "machine": "ct5lp"}, "machine", r"'ct5lp': v5e comes in ct5lp-hightpu-1t \(1\), "),
    ("v5e", {"topology": "4x4", "nodes": 2}, "nodes", r"2, but 4x4 on ct5lp-hightpu-4t has 4: 16 chips, 4 on a node"),
    ("nvidia-l4", {}, "machine", r"none is given; nvidia-l4 comes in g2-standard-12 \(1\)"),
    (
        "nvidia-l4",
        {"machine": "g2-standard-12", "topology": "1x1"},
        "topology",
        r"'1x1' is given, but nvidia-l4 has none",
    ),
    ("", {"topology": "4x4"}, "topology", r"'4x4' is given without a type"),
    ("", {"machine": "n2"}, "machine", r"'n2' is given without a type"),
    ("", {"slices": 0}, "slices", r"0 is not allowed"),
    ("", {"nodes": -1}, "nodes", r"-1 is not allowed"),
]


@pytest.mark.parametrize(("name", "asked", "option", "text"), REFUSED)
def test_what_cannot_be_is_refused_in_words(name: str, asked: dict[str, Any], option: str, text: str) -> None:
    with pytest.raises(AcceleratorError, match=text) as refused:
        shape_of(name, **asked)
    assert refused.value.option == option
    assert str(refused.value).startswith(f"{option}: ")
    assert "\n" not in str(refused.value)


def test_users_add_types_and_replace_ours() -> None:
    own = {
        "gaudi": {
            "resource": "habana.ai/gaudi",
            "labels": {"habana.ai/hpu.product": "HL-325L"},
            "taints": [{"key": "habana.ai/gaudi", "effect": "NoSchedule"}],
            "machines": {"hls-3": 8},
        },
        "v5e": {"resource": "example.com/tpu", "machines": {"one": 4}},
        "v5p-8": {"resource": "example.com/tpu", "machines": {"one": 8}},
    }
    shape = shape_of("gaudi", nodes=2, catalogue=own)
    assert (shape.limits, shape.chips, shape.machine) == ({"habana.ai/gaudi": "8"}, 16, "hls-3")
    assert shape.tolerations == [{"key": "habana.ai/gaudi", "effect": "NoSchedule", "operator": "Exists"}]
    assert shape.node_selector == {"habana.ai/hpu.product": "HL-325L"}
    assert shape_of("v5e", catalogue=own).limits == {"example.com/tpu": "4"}
    # A name that they gave is not ambiguous.
    assert shape_of("v5p-8", catalogue=own).chips == 8


GOOD = {"resource": "example.com/npu", "machines": {"one": 4}}


@pytest.mark.parametrize(
    ("entry", "text"),
    [
        ("v5e", r"the type x is 'v5e'; a dictionary with resource and machines"),
        ({"machines": {"one": 4}}, r"the type x has the resource ''; an extended resource"),
        ({**GOOD, "resource": "cpu"}, r"has the resource 'cpu'"),
        ({**GOOD, "machines": {}}, r"the type x has no machines"),
        ({**GOOD, "machines": {"one": "many"}}, r"the type x, machine one, is 'many'; a whole number of 1 or more"),
        ({**GOOD, "chips": 4}, r"has the unknown key 'chips'; allowed are resource, labels, machines"),
        ({**GOOD, "labels": {"a b": "c"}}, r"has the label a b=c, which no node can have"),
        ({**GOOD, "labels": {"a": True}}, r"the label a: True, which is not text; put it in quotes"),
        (
            {**GOOD, "taints": [{"key": "a", "effect": "no"}]},
            r"the taint a with the effect 'no'; choose one of NoSchedule",
        ),
        ({**GOOD, "taints": ["a=b"]}, r"the taint 'a=b'; allowed are key, value and effect"),
        ({**GOOD, "multi_host": "two"}, r"has multi_host 'two'; its machines are one"),
        ({**GOOD, "topologies": ["2x2"]}, r"needs both topologies and topology_label, or neither"),
        ({**GOOD, "pool_label": "a b"}, r"has the pool_label 'a b', which is no label's key"),
        ({**GOOD, "machine_label": 5}, r"has the machine_label 5, which is not text"),
        ({**GOOD, "resource": ["a/b"]}, r"has the resource \['a/b'\], which is not text"),
        ({**GOOD, "taints": {"key": "a"}}, r"has the taints \{'key': 'a'\}; a list is needed"),
        ({**GOOD, "topologies": "4x4", "topology_label": "t"}, r"has the topologies '4x4'; a list is needed"),
        ({**GOOD, "topologies": [4], "topology_label": "t"}, r"has the topology 4; such as 4x4 or 2x2x4"),
        ({**GOOD, "topologies": ["0x4"], "topology_label": "t"}, r"has the topology '0x4'"),
        ({**GOOD, "machine_label": "m", "machines": {"a b": 1}}, r"has the machine 'a b'; letters, digits"),
        ({**GOOD, "architecture": "x86"}, r"has the architecture 'x86'; choose amd64 or arm64"),
    ],
)
def test_an_entry_that_cannot_be_is_named(entry: Any, text: str) -> None:
    with pytest.raises(AcceleratorError, match=text) as refused:
        parse_catalogue({"x": entry})
    assert refused.value.option == "catalogue"


def test_the_built_in_types_pass_their_own_check() -> None:
    assert {re.sub(r"[^a-z0-9-]", "", name) for name in parse_catalogue()} == set(BUILT_IN)
