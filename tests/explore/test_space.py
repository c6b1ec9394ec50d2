import math

import pytest

from costmodel.errors import CostmodelError
from costmodel.explore import tasks
from costmodel.explore.axes import axis
from costmodel.explore.cases import cases
from costmodel.explore.networks import Network
from costmodel.explore.space import read_space
from tests.near import near

GOOD = {"networks": ["tfc-w1a1"], "targets": ["pynq-z2"]}


def test_lists_are_axes_and_the_space_is_their_product():
    space = read_space(
        {
            "networks": ["tfc-w1a1", {"model": "abbnn-reactnet18-cifar10", "width": [0.25, 0.5]}],
            "targets": [
                {"target": "pynq-z2", "clock": [1e8, 2e8]},
                {"target": "asic-7nm-asap7", "outputs": [16, 32], "terms": [64, 128, 256]},
            ],
        }
    )
    assert [n.name for n in space.networks] == [
        "tfc-w1a1", "abbnn-reactnet18-cifar10,width=0.25", "abbnn-reactnet18-cifar10,width=0.5",
    ]  # fmt: skip
    work = cases(space)
    assert [c.designs for c in work] == [1, 6] * 3
    assert [c.index for c in work] == list(range(6))
    assert [c.clocks for c in work] == [(1e8, 2e8), ()] * 3
    chunks = list(tasks.chunks(space))
    assert sum(c.stop - c.start for c in chunks) == sum(c.designs for c in work)


def test_patterns_name_several_networks():
    space = read_space({**GOOD, "networks": [{"match": "?fc-w1a1"}]})
    assert {n.model for n in space.networks} == {"tfc-w1a1", "sfc-w1a1", "lfc-w1a1"}


def test_ranges_are_linear_or_logarithmic_and_1e6_is_a_number():
    assert axis({"from": 1, "to": 3, "steps": 3}, "") == (1, 2, 3)
    assert axis({"from": "1e6", "to": 1e8, "steps": 3, "scale": "log"}, "") == near((1e6, 1e7, 1e8))
    assert axis(["1e6", "auto"], "") == (1e6, "auto")


def test_networks_compete_only_where_accuracy_counts():
    assert read_space(GOOD).fronts == "network"
    assert read_space({**GOOD, "objectives": ["lut", "accuracy"]}).fronts == "together"
    assert read_space({**GOOD, "fronts": "target"}).label(Network("tfc-w1a1"), "pynq-z2") == "pynq-z2"


def test_constraints_are_bounds():
    space = read_space({**GOOD, "constraints": {"lut": {"max": "3e4"}}})
    assert space.constraints == {"lut": (-math.inf, 3e4)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"networks": []}, "networks: expected a list"),
        ({"targets": [{"target": "xne", "mapping": "best"}]}, "mapping: 'best': expected exact"),
        ({"targets": [{"target": "xne", "mapping": {"samples": 0}}]}, "mapping: .*expected exact, or"),
        ({"targets": [{"target": "xne", "mapping": "exact", "dataflow": "output"}]}, "give one of the two"),
        ({"targets": [{"target": "pynq-z2", "max_weight_bits": "wide"}]}, "whole number of bits"),
        ({"networks": ["tfc-w1a1"], "target": []}, "unknown key.*targets"),
        ({"networks": [{"name": "x"}]}, "expected a name"),
        ({"networks": [{"match": "zzz*"}]}, "no network matches"),
        ({"targets": ["pynq-z3"]}, "pynq-z2"),
        ({"targets": [{"target": "pynq-z2", "clok": 1e8}]}, "clock"),
        ({"targets": [{"target": "pynq-z2", "clock": "fast"}]}, "clock"),
        ({"targets": [{"target": "pynq-z2", "clock": [1e8, 1e8]}]}, "twice"),
        ({"targets": [{"target": "pynq-z2", "clock": {"from": 1, "to": 2}}]}, "steps"),
        ({"targets": [{"target": "pynq-z2", "clock": {"from": 0, "to": 2, "steps": 3, "scale": "log"}}]}, "log"),
        ({"targets": [{"target": "pynq-z2", "folding": "best"}]}, "exact, auto"),
        ({"targets": [{"target": "pynq-z2", "folding": {"samples": 0}}]}, "samples"),
        ({"targets": [{"target": "pynq-z2", "memories": "some"}]}, "free or auto"),
        ({"objectives": ["speed"]}, "unknown objective"),
        ({"objectives": ["area_mm2"]}, "none of them applies"),
        ({"objectives": {"fpga": ["area_mm2"]}}, "unknown objective"),
        ({"objectives": {"arm": ["seconds_per_image"]}}, "unknown kind"),
        ({"objectives": "lut"}, "a list of metrics"),
        ({"constraints": {"lut": 5}}, "max"),
        ({"constraints": {"lut": {"min": 5, "max": 4}}}, "min <= max"),
        ({"constraints": {"luts": {"max": 4}}}, "lut"),
        ({"level": "raw"}, "deployed"),
        ({"fronts": "all"}, "together"),
    ],
)
def test_what_is_wrong_with_a_space_is_said(change, words):
    with pytest.raises(CostmodelError, match=words):
        read_space({**GOOD, **change})


def test_files_that_are_no_space_are_refused(tmp_path):
    with pytest.raises(CostmodelError, match="cannot read"):
        read_space(tmp_path / "missing.yaml")
    path = tmp_path / "space.yaml"
    path.write_text("networks: [a\n")
    with pytest.raises(CostmodelError, match="not YAML"):
        read_space(path)
    path.write_text("- a\n- b\n")
    with pytest.raises(CostmodelError, match="networks: and targets:"):
        read_space(path)
