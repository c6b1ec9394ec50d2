"""What a runtime fuses, packs and leaves over."""

from __future__ import annotations

import pytest

from costmodel.targets.arm.operators import Operator, operators
from tests.targets.hand import BINARY, BINARY01, Net, small_net


def kinds(net: Net) -> list[str]:
    return [op.kind for op in operators(net.ledger())]


def bits(net: Net, source: int = -1) -> int:
    return net.elementwise("threshold", source, out=BINARY)


def test_scale_and_relu_belong_to_a_real_convolution() -> None:
    net = Net(1, 8, 8, 8)
    net.elementwise("relu", net.affine(net.conv(-1, 16)))
    (only,) = operators(net.ledger())
    assert (only.kind, only.fused) == ("real_conv", (1, 2))


def test_a_scale_after_the_activation_of_a_real_convolution_is_glue() -> None:
    net = Net(1, 8, 8, 8)
    net.affine(net.elementwise("relu", net.conv(-1, 16)))
    assert kinds(net) == ["real_conv", "pass"]
    assert operators(net.ledger())[1].passes == 2


def test_a_value_that_is_read_twice_is_not_fused_into() -> None:
    net = Net(1, 8, 8, 8)
    x = net.conv(-1, 8)
    net.elementwise("add", net.affine(x), x)
    assert kinds(net) == ["real_conv", "pass", "binary"]


@pytest.mark.parametrize(
    ("padding", "relu_first", "expected"),
    [
        (0, True, ["pack", "binary_conv"]),
        (1, True, ["pack", "binary_conv", "pass", "pass"]),
        (0, False, ["pack", "binary_conv", "pass"]),
        (1, False, ["pack", "binary_conv", "pass"]),
    ],
)
def test_relu_is_fused_into_a_binary_convolution_before_the_scale_and_without_zero_padding(
    padding: int, relu_first: bool, expected: list[str]
) -> None:
    net = Net(1, 32, 8, 8)
    x = net.conv(bits(net), 32, 3, padding=padding, weight=BINARY)
    if relu_first:
        net.affine(net.elementwise("relu", x))
    else:
        net.elementwise("relu", net.affine(x))
    assert kinds(net) == expected


def test_additions_poolings_and_scales_take_an_activation() -> None:
    net = Net(1, 8, 8, 8)
    x = net.elementwise("relu", net.affine(-1))
    y = net.elementwise("relu", net.elementwise("add", x, -1))
    net.elementwise("relu", net.pool(y))
    assert [(op.kind, op.fused) for op in operators(net.ledger())] == [("pass", (1,)), ("binary", (3,)), ("pool", (5,))]


def test_a_sign_in_two_steps_is_one_operator() -> None:
    net = Net(1, 32, 8, 8)
    compared = net.elementwise("compare", -1, out=BINARY01)
    net.conv(net.elementwise("where", compared, out=BINARY), 32, weight=BINARY)
    assert kinds(net) == ["pack", "binary_conv"]
    assert operators(net.ledger())[0].fused == (1,)


def test_a_threshold_by_channel_is_a_subtraction_before_the_sign() -> None:
    net = Net(1, 32, 8, 8)
    net.elementwise("threshold", -1, out=BINARY, parameters=32)
    net.elementwise("threshold", -1, out=BINARY, parameters=1)
    assert [op.passes for op in operators(net.ledger())] == [2, 1]


def test_a_binary_convolution_writes_bits_when_only_a_sign_reads_it_and_padding_is_not_zero() -> None:
    for padding, packs in ((0, True), (1, False)):
        net = Net(1, 32, 8, 8)
        first = net.affine(net.conv(bits(net), 32, 3, padding=padding, weight=BINARY))
        net.conv(bits(net, first), 32, weight=BINARY)
        convs = [op for op in operators(net.ledger()) if op.kind == "binary_conv"]
        assert [op.packs_output for op in convs] == [packs, False]


def test_dense_layers_and_depthwise_convolutions_have_kernels_of_their_own() -> None:
    net = Net(1, 8, 8, 8)
    x = net.conv(-1, 8, groups=8)
    net.linear(net.elementwise("threshold", x, out=BINARY), 4, weight=BINARY)
    assert kinds(net) == ["depthwise", "pack", "binary_linear"]


def test_a_real_convolution_by_bits_is_not_a_binary_one() -> None:
    net = Net(1, 8, 8, 8)
    net.conv(-1, 8, weight=BINARY)
    net.conv(bits(net), 8)
    assert kinds(net) == ["real_conv", "pack", "real_conv"]


def test_every_layer_is_an_operator_or_part_of_one() -> None:
    ledger = small_net()
    found: list[Operator] = operators(ledger)
    covered = [op.layer.index for op in found] + [i for op in found for i in op.fused]
    assert sorted(covered) == [layer.index for layer in ledger.layers]
