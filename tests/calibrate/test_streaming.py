"""A&B blocks and whole convolutional networks as hardware compute what the executor computes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from costmodel import trial
from costmodel.calibrate import ab, aiger, hardware_price, streaming, verify, yosys
from costmodel.calibrate.hardware import Format, bits_of, literal
from costmodel.calibrate.streamed import Streamed
from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor
from costmodel.deploy.multipliers import replace_multipliers
from costmodel.deploy.program import Array, Instruction, Program, Type
from costmodel.errors import CostmodelError
from costmodel.trial import deploy

needs_yosys = pytest.mark.skipif(yosys.command() is None, reason="no simulator: pip install 'costmodel[calibrate]'")
BLOCK = Streamed("ab-4x4", ((2, 4),))
#: Stem, shortcut with pooling, stride 2, classifier: the network for digits with a quarter of its channels.
FOLDS = ((4, 1), (2, 4), (4, 4), (8, 1), (4, 2), (4, 8), (2, 1))


def small() -> Program:
    found = deploy("abbnn-digits", arguments={"width": 0.25}, seed=3)
    program = assemble(replace_multipliers(found.made.graph, "pow2"), ab.FRACTION, "pow2")
    return streaming.in_format(program, ab.WEIGHT)


def sums(program: Program) -> list[str]:
    return [i.module for i in program.instructions if i.op in ("real_sum", "xnor_sum", "signed_sum")]


def folded(program: Program, folds: tuple[tuple[int, int], ...]) -> dict[str, tuple[int, int]]:
    return dict(zip(sums(program), folds, strict=True))


def by_pixel(maps: Array) -> Array:
    """[n, c, h, w] as words leave the hardware."""
    return maps.reshape(*maps.shape[:2], -1).swapaxes(1, 2).reshape(len(maps), -1)


@needs_yosys
def test_a_block_is_bit_exact_and_as_fast_as_the_model_says() -> None:
    net, images = BLOCK.network(), BLOCK.images(64)
    run = streaming.simulate(net, images)
    (expected,) = Executor(BLOCK.program()).run(images)
    assert np.array_equal(run.outputs, by_pixel(expected))
    assert run.cycles == net.cycles == 2 * 9 * 16


@needs_yosys
def test_a_block_stops_and_goes_on_with_its_neighbours() -> None:
    """Words come and are taken with pauses, in each run others."""
    design = Streamed("ab-2x4", ((1, 2),))
    net, program = design.network(), design.program()
    assert net.first is not None and net.last is not None
    bits, made, pixels = net.first.bits, net.last.bits, 16

    def passed(words: list[int]) -> list[int]:
        whole = len(words) // pixels * pixels
        if not whole:
            return []
        values = np.array([[signed(w >> (c * bits), bits) for c in range(2)] for w in words[:whole]])
        maps = values.reshape(-1, pixels, 2).swapaxes(1, 2).reshape(-1, 2, 4, 4) / 2.0**ab.FRACTION
        return [int(v) & ((1 << made) - 1) for v in by_pixel(Executor(program).run(maps)[0]).reshape(-1)]

    def signed(word: int, width: int) -> int:
        value = word & ((1 << width) - 1)
        return value - (1 << width) if value >> (width - 1) else value

    (circuit,) = aiger.circuits(["network"], {**yosys.texts(*streaming.FILES), "network.sv": net.text})
    compared, fault = verify.drive(circuit, np.random.default_rng(1), 2 * bits, passed, cycles=1500, patient=True)
    assert not fault
    assert compared > 64 * 2 * pixels


@pytest.mark.slow
@needs_yosys
def test_a_network_with_shortcuts_and_strides_is_bit_exact() -> None:
    program = small()
    net = streaming.build(program, folded(program, FOLDS), ab.IMAGE)
    images = ab.IMAGE.integers(np.random.default_rng(2).standard_normal((64, 1, 8, 8)).clip(-3, 3)) / 2.0**ab.FRACTION
    run = streaming.simulate(net, images)
    (expected,) = Executor(program).run(images)
    assert np.array_equal(run.outputs, expected * 2.0**ab.FRACTION)
    assert len(np.unique(run.outputs, axis=0)) == 64


@needs_yosys
def test_maxima_and_layers_whose_signs_alone_are_read_are_bit_exact() -> None:
    """Binary convolution, thresholds in the matrix unit, maximum pooling, and a dense layer of the flattened map."""
    chance = np.random.default_rng(4)

    def signs(*shape: int) -> Array:
        return 2 * chance.integers(0, 2, shape) - 1

    limits = np.array([-40, 1, 2, 40]).reshape(1, 4, 1, 1)  # always, often, often, never
    conv = {"conv": True, "stride": [1, 1], "padding": [0, 0], "dilation": [1, 1], "groups": 1, "zero": False}
    pool = {"kernel": [2, 2], "stride": [2, 2], "padding": [0, 0], "dilation": [1, 1]}
    first = np.zeros((1, 2, 1, 1), np.int64)
    rows = (
        ("to_int", (1, 2, 4, 4), "int", {"fraction": 0}, {}),
        ("threshold", (1, 2, 4, 4), "bits", {"zero": False}, {"limits": first, "rising": first + 1}),
        ("xnor_sum", (1, 4, 2, 2), "int", conv, {"signs": signs(4, 2, 3, 3)}),
        ("threshold", (1, 4, 2, 2), "bits", {"zero": False}, {"limits": limits, "rising": np.ones_like(limits)}),
        ("max_pool", (1, 4, 1, 1), "bits", pool, {}),
        ("move", (1, 4), "bits", {"fn": "view", "arguments": [None, [1, 4]], "output": 0, "traced": [1, 4]}, {}),
        ("xnor_sum", (1, 3), "int", {**conv, "conv": False}, {"signs": signs(3, 4)}),
    )
    instructions = tuple(
        Instruction(op, k, (k - 1,), shape, f"{op}{k}", params=params, arrays=arrays)
        for k, (op, shape, _, params, arrays) in enumerate(rows, 1)
    )
    types = {0: Type("real"), **{k: Type(kind) for k, (_, _, kind, *_) in enumerate(rows, 1)}}
    program = Program("small", ((0, "x", (1, 2, 4, 4)),), (7,), instructions, types)
    net = streaming.build(program, {"xnor_sum3": (2, 2), "xnor_sum7": (3, 2)}, Format(4, 0))
    images = chance.integers(-8, 8, (64, 2, 4, 4)).astype(float)
    run = streaming.simulate(net, images)
    (expected,) = Executor(program).run(images)
    assert np.array_equal(run.outputs, expected)
    assert len(np.unique(run.outputs, axis=0)) > 2
    assert run.cycles == net.cycles == 2 * 9 * 4
    assert [stage.module for stage in net.stages].count("threshold_map") == 1


@pytest.mark.slow
@needs_yosys
def test_the_network_for_digits_is_bit_exact_on_test_images() -> None:
    program, folds = ab.digits(), ((16, 1), (8, 16), (16, 16), (16, 1), (8, 16), (8, 32), (1, 1))
    found, labels = trial.test_images(trial.Wanted(count=128), "digits", (1, 1, 8, 8), "abbnn-digits")
    images = ab.IMAGE.integers(found) / 2.0**ab.FRACTION
    net = streaming.build(program, folded(program, folds), ab.IMAGE)
    run = streaming.simulate(net, images)
    (expected,) = Executor(program).run(images)
    assert np.array_equal(run.outputs, expected * 2.0**ab.FRACTION)
    assert run.cycles == net.cycles == 1152
    assert (run.outputs.argmax(1) == labels).mean() > 0.93


def test_numbers_that_do_not_fit_a_format_are_refused() -> None:
    assert Format(5, 2).integers(np.array([-4.0, 0.3, 3.75])).tolist() == [-16, 1, 15]
    with pytest.raises(CostmodelError, match="values from -4 to 4 do not fit into 5 bits with a sign, 2 of"):
        Format(5, 2).integers(np.array([-4.0, 4.0]))


def test_bits_hold_both_ends() -> None:
    assert [bits_of(*ends) for ends in ((0, 0), (0, 1), (-1, 0), (-2, 1), (-3, 1), (0, 4), (-8, 7))] == [
        1, 2, 1, 2, 3, 4, 4,
    ]  # fmt: skip
    assert literal([1, -1, 2], 3) == "9'hb9"


def test_what_no_unit_carries_out_is_refused_by_name() -> None:
    found = deploy("abbnn-digits", seed=3)
    program = assemble(found.made.graph, ab.FRACTION)
    folds = folded(program, ((16, 1), (8, 16), (16, 16), (16, 1), (8, 16), (8, 32), (1, 1)))
    with pytest.raises(CostmodelError, match="weights of real sums are to be numbers of few bits"):
        streaming.build(program, folds, ab.IMAGE)
    program = streaming.in_format(program, ab.WEIGHT)
    with pytest.raises(CostmodelError, match=r"stages\.0\.0\.convs\.0: no unit carries out affine_int real"):
        streaming.build(program, folds, ab.IMAGE)


def test_folds_that_do_not_divide_a_layer_are_refused() -> None:
    with pytest.raises(CostmodelError, match="4 x 36: 3 rows and 4 columns at a time do not divide it"):
        replace(BLOCK, folds=((3, 4),)).network()


def test_every_unit_of_a_network_has_a_price() -> None:
    program = small()
    for stage in streaming.build(program, folded(program, FOLDS), ab.IMAGE).stages:
        assert sum(part.coefficient for part in hardware_price.parts([stage])) > 0
