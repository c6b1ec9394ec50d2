"""Folding files: today's and earlier names are read, what FINN would refuse is refused, what is not priced is said."""

import json

import pytest

from costmodel.errors import CostmodelError
from costmodel.graph.domain import FLOAT
from costmodel.targets import estimate
from costmodel.targets.fpga.design import Widths, stages
from costmodel.targets.fpga.finn import KINDS, folding_data, read_folding
from costmodel.targets.fpga.folding import Fold
from tests.targets.fpga.test_price import conv, network, small

DESIGN = stages(small(), Widths(16, 8, 8), byte_accumulators=False)
PLAIN = {0: Fold(2, 8), 1: Fold(4, 16)}


def file(name="MVAU_hls", **more):
    return {f"{name}_0": {"PE": 2, "SIMD": 8, **more}, f"{name}_1": {"PE": 4, "SIMD": 16}}


@pytest.mark.parametrize("name", KINDS["matrix"].types)
def test_matrix_units_are_read_under_the_names_of_all_versions(name):
    assert read_folding(file(name), DESIGN).folds == PLAIN


@pytest.mark.parametrize("name", KINDS["window"].types)
def test_windows_are_read_under_the_names_of_all_versions(name):
    found = read_folding({**file(), f"{name}_0": {"SIMD": 8, "ram_style": "block"}}, DESIGN)
    assert found.folds[0].window == "block"
    assert found.folds[1].window == "auto"


def test_what_is_written_has_the_names_of_today():
    written = folding_data(PLAIN, DESIGN)
    types = {name.rsplit("_", 1)[0] for name in written if name != "Defaults"}
    assert types == {"MVAU_hls", "ConvolutionInputGenerator_rtl"}
    padded = stages(network(conv(0, (-1,), 8, 16, 8, pad=1)), Widths(16, 8, 8), False)
    assert "FMPadding_rtl_0" in folding_data({0: Fold(1, 1)}, padded)


def test_depthwise_units_are_numbered_by_themselves():
    layers = conv(0, (-1,), 8, 8, 8), conv(1, (0,), 8, 8, 6, groups=8), conv(2, (1,), 8, 16, 4, k=1)
    design = stages(network(*layers), Widths(16, 8, 8), False)
    folds = {0: Fold(2, 4), 1: Fold(4, 9), 2: Fold(8, 2)}
    written = folding_data(folds, design)
    assert [name for name in written if "U_" in name] == ["MVAU_hls_0", "VVAU_hls_0", "MVAU_hls_1"]
    assert read_folding(json.loads(json.dumps(written)), design).folds == folds


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (file(ram_stile="block"), "ram_stile.*Did you mean ram_style"),
        ({**file(), "MVAV_hls_2": {"PE": 1}}, "MVAV_hls.*Did you mean MVAU_hls"),
        ({**file(), "MVAU_hls": {"PE": 1}}, "MVAU_hls"),
        (file(resType="dsq"), "resType='dsq': expected auto or lut or dsp"),
        ({"MVAU_hls_0": {"PE": 3, "SIMD": 8}, "MVAU_hls_1": {}}, "PE=3 does not divide the 16 rows.* 2 and 4"),
        ({"MVAU_hls_0": {"PE": 1, "SIMD": 7}, "MVAU_hls_1": {}}, "SIMD=7 does not divide the 72 columns"),
        ({**file(), "ConvolutionInputGenerator_rtl_0": {"SIMD": 3}}, "SIMD=3 does not divide the 8 channels"),
        ({**file(), "Defaults": {"ram_style": "block"}}, "Defaults: ram_style"),
        (file(inFIFODepths=["deep"]), "inFIFODepths"),
        ({**file(), "MVAU_hls_0": 3}, "expected an object"),
    ],
)
def test_what_finn_would_not_build_is_refused(given, complaint):
    with pytest.raises(CostmodelError, match=complaint):
        read_folding(given, DESIGN)


def test_defaults_are_for_the_types_that_they_name():
    given = {**file(), "Defaults": {"ram_style": ["block", ["all"]], "resType": ["dsp", ["MVAU_rtl"]]}}
    folds = read_folding(given, DESIGN).folds
    assert {fold.weights for fold in folds.values()} == {"block"}
    assert {fold.products for fold in folds.values()} == {"auto"}
    assert read_folding({**given, "MVAU_hls_0": {"ram_style": "ultra"}}, DESIGN).folds[0].weights == "ultra"


def test_what_is_not_priced_is_said():
    given = {**file(mem_mode="external"), "Thresholding_rtl_0": {"PE": 2}, "AddStreams_hls_0": {"PE": 1}}
    said = read_folding(given, DESIGN).notes
    assert any("mem_mode of MVAU_hls_0" in note for note in said)
    assert any("PE of Thresholding_rtl_0 and 1 more" in note for note in said)
    bill = estimate(small(), "pynq-z2", mode="dataflow", folding=given)
    assert set(said) <= set(bill.notes)
    assert read_folding(file(), DESIGN).notes == ()


def test_products_go_where_the_file_says():
    real = network(conv(0, (-1,), 4, 8, 6, a=FLOAT, b=FLOAT))

    def dsp(kind):
        folding = {"MVAU_hls_0": {"PE": 2, "SIMD": 4, "resType": kind}}
        bill = estimate(real, "zcu104", mode="dataflow", folding=folding)
        return bill.by_component("dsp").get("compute"), bill.total("lut").value

    lut, slices = dsp("lut"), dsp("dsp")
    assert lut[0] is None
    assert slices[0].value == 8
    assert lut[1] > slices[1]
    assert dsp("auto") == slices


def test_overlays_pad_their_matrices():
    folding = {"MVAU_hls_0": {"PE": 3, "SIMD": 7}, "MVAU_hls_1": {"PE": 1, "SIMD": 1}}
    bill = estimate(small(), "pynq-z2", mode="dataflow", folding=folding, streams="pixel")
    assert bill.by_layer("cycles")[0].value == 6 * 11 * 64
