"""The binary family: parameters, multiply-accumulates and betas as published, and what the options promise."""

import pytest
import torch

from costmodel.zoo import build, entry, list_models
from costmodel.zoo.layers import BinaryConv2d, SignConv2d
from costmodel.zoo.topology import TOPOLOGIES, mobilenet_units, resnet_units
from tests.zoo.counter import Macs, count_macs, parameters, randomise

#: Parameters of the official modules (A&B BNN, ReActNet and Bi-Real Net repositories, torchvision for the real ones).
PARAMETERS = {
    "resnet18": 11_689_512,
    "resnet34": 21_797_672,
    "mobilenetv1": 4_231_976,
    "bn-bireal18": 11_689_512,
    "bn-bireal34": 21_797_672,
    "bn-reactnet18": 11_704_424,
    "bn-reactnet34": 21_827_432,
    "bn-reactneta": 29_343_592,
    "abbnn-reactnet18": 11_699_624,
    "abbnn-reactnet34": 21_818_920,
    "abbnn-reactneta": 29_332_648,
    "abbnn-bireal18": 11_685_288,
    "abbnn-xnor18": 11_685_288,
    "bnfree-reactneta": 29_332_648,
    "abbnn-reactnet18-cifar10": 11_184_074,
    "abbnn-reactnet18-cifar100": 11_230_244,
    "abbnn-reactneta-cifar10": 28_317_898,
    "abbnn-reactneta-cifar100": 28_410_148,
    "abbnn-bireal18-cifar10": 11_169_738,
    "abbnn-bireal18-cifar100": 11_215_908,
    "abbnn-xnor18-cifar10": 11_169_738,
    "abbnn-xnor18-cifar100": 11_215_908,
    "abbnn-reactnet6-digits": 19_930,
    "bn-reactnet6-digits": 20_074,
}

STEM18, DOWN18, FC18 = 118_013_952, 19_267_584, 512_000

#: (binary x binary, real x binary, real x real) at 224 x 224.
MACS = {
    "bn-bireal18": Macs(1_676_279_808, 0, 137_793_536),
    "bn-reactnet18": Macs(1_676_279_808, 0, 137_793_536),
    "bn-reactneta": Macs(4_816_896_000, 0, 11_862_016),
    "abbnn-reactneta": Macs(4_816_896_000, 0, 11_862_016),
    "abbnn-reactnet18": Macs(1_676_279_808, DOWN18, STEM18 + FC18),
    "abbnn-reactnet34": Macs(3_525_967_872, DOWN18, STEM18 + FC18),
    "abbnn-xnor18": Macs(1_676_279_808, DOWN18, STEM18 + FC18),
    "abbnn-bireal18": Macs(1_676_279_808, 0, 137_793_536),
    "bnfree-reactnet18": Macs(1_676_279_808, DOWN18, STEM18 + FC18),
    "abbnn-bnn18": Macs(1_676_279_808 + DOWN18, 0, STEM18 + FC18),
    "resnet18": Macs(0, 0, 1_814_073_344),
}


@pytest.mark.parametrize(("name", "expected"), PARAMETERS.items())
def test_parameters(name: str, expected: int) -> None:
    with torch.device("meta"):
        assert parameters(build(name)) == expected


@pytest.mark.parametrize(("name", "expected"), MACS.items())
def test_multiply_accumulates_by_operand(name: str, expected: Macs) -> None:
    assert count_macs(build(name), entry(name).input_shape) == expected


@pytest.mark.parametrize(
    ("name", "total"),
    [("abbnn-reactnet18-cifar10", 555_422_720), ("abbnn-reactneta-cifar10", 394_110_976),
     ("abbnn-bireal18-cifar10", 555_422_720), ("abbnn-xnor18-cifar10", 555_422_720)],
)  # fmt: skip
def test_cifar_multiply_accumulates(name: str, total: int) -> None:
    found = count_macs(build(name), entry(name).input_shape)
    assert found.binary_binary + found.real_by_larq == total


def test_betas_of_resnet18_are_the_published_ones() -> None:
    stages = resnet_units(TOPOLOGIES["reactnet18"], 1.0, 0.25, "pool-binary")
    found = [[round(unit.beta, 4) for unit in stage] for stage in stages]
    assert found == [[1, 1, 0.9701, 0.9428]] + [[0.9177, 1, 0.9701, 0.9428]] * 3


def test_betas_of_reactnet_a_are_the_published_ones() -> None:
    found = [[round(u.beta, 4) for u in stage] for stage in mobilenet_units(TOPOLOGIES["reactneta"], 1.0, 0.25)]
    pairs = [1, 0.9701], [0.9428, 0.9177]
    five = [1, 0.9701, 0.9428, 0.9177, 0.8944, 0.8729, 0.8528, 0.8341, 0.8165, 0.8]
    assert found[0] == pairs[0]
    assert found[1] == pairs[1] + pairs[0]
    assert found[2] == pairs[1] + pairs[0]
    assert found[3] == pairs[1] + five
    assert found[4] == [0.7845, 0.7698] + pairs[0]


@pytest.mark.parametrize("name", [n for n in list_models("*") if entry(n).family == "binary" and "100" not in n])
def test_both_training_steps_share_names_and_shapes(name: str) -> None:
    with torch.device("meta"):
        first, second = (build(name, stage=stage, width=0.25).state_dict() for stage in (1, 2))
    assert {k: v.shape for k, v in first.items()} == {k: v.shape for k, v in second.items()}


@pytest.mark.parametrize("variant", ["abbnn", "bnfree", "bn"])
@pytest.mark.parametrize("topology", ["reactnet18", "reactneta", "bireal18", "xnor18", "bnn18"])
def test_small_network_learns_from_every_parameter(variant: str, topology: str) -> None:
    net = build(f"{variant}-{topology}-cifar10", width=0.25)
    net(torch.randn(2, 3, 32, 32)).square().sum().backward()
    silent = [name for name, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def _mantissa_is_half(values: torch.Tensor) -> bool:
    return bool((torch.frexp(values.abs())[0] == 0.5).all())


@pytest.mark.parametrize("name", ["abbnn-reactnet18-cifar10", "abbnn-reactneta-cifar10", "bn-bireal18-cifar10"])
def test_pow2_scale_leaves_only_powers_of_two(name: str) -> None:
    net = randomise(build(name, width=0.25, scale="pow2"))
    for conv in net.modules():
        if isinstance(conv, BinaryConv2d):
            assert _mantissa_is_half(conv.binary_weight())


@pytest.mark.parametrize("name", ["abbnn-reactnet18-cifar10", "abbnn-reactneta-cifar10", "abbnn-xnor18-cifar10"])
def test_tied_scales_of_a_stream_differ_by_powers_of_two(name: str) -> None:
    net = randomise(build(name, width=0.25, scale="tied"))
    checked = 0
    for conv in net.modules():
        if isinstance(conv, BinaryConv2d):
            writes, reads = conv._streams
            assert writes is not None
            unit = (writes.value if reads is None else writes.value / reads.value).abs()
            assert _mantissa_is_half(conv.binary_weight() / unit)
            checked += 1
    assert checked == {"abbnn-reactneta-cifar10": 31}.get(name, 19)


def test_tied_network_is_a_power_of_two_network_in_scaled_streams() -> None:
    """Divide each stream by its scale: biases, stem and classifier take it up, binary weights are powers of two."""
    net = randomise(build("abbnn-reactnet18-cifar10", width=0.25, scale="tied")).double().eval()
    plain = build("abbnn-reactnet18-cifar10", width=0.25).double().eval()
    x = torch.randn(2, 3, 32, 32, dtype=torch.float64)
    with torch.no_grad():
        sigma = [stream.value.abs() for stream in net.streams]
        state = {k: v.clone() for k, v in net.state_dict().items() if not k.startswith("streams")}
        state["stem.conv.gain"] /= sigma[0]
        state["fc.weight"] *= sigma[3]
        for key in state:
            stage = int(key.split(".")[1]) if key.startswith("stages.") else 0
            if key.endswith("bias_in.bias"):
                state[key] /= sigma[stage - 1 if key.split(".")[2] == "0" and stage else stage]
            elif "shift_" in key:
                state[key] /= sigma[stage]
        plain.load_state_dict(state)
        tied_convs = [m for m in net.modules() if isinstance(m, BinaryConv2d)]
        free_convs = [m for m in plain.modules() if isinstance(m, BinaryConv2d)]
        for tied_conv, free_conv in zip(tied_convs, free_convs, strict=True):
            writes, reads = tied_conv._streams
            assert writes is not None
            unit = writes.value.abs() / (1 if reads is None else reads.value.abs())
            weight = tied_conv.binary_weight() / unit
            assert _mantissa_is_half(weight.float())
            free_conv.binary_weight = lambda weight=weight: weight  # type: ignore[method-assign, misc]
        torch.testing.assert_close(plain(x), net(x), rtol=1e-9, atol=1e-9)


def test_bnn_weights_are_unscaled_signs() -> None:
    for name, value in {"bn-bnn18-cifar10": {1.0}, "abbnn-bnn18-cifar10": None}.items():
        net = randomise(build(name, width=0.25)).eval()
        convs = [m for m in net.modules() if isinstance(m, SignConv2d)]
        assert len(convs) == 19
        factors = {conv.factor for conv in convs}
        assert all(_mantissa_is_half(torch.tensor(f)) for f in factors)
        assert value is None or factors == value


@pytest.mark.parametrize(("slope", "kind"), [("pow2", "QuantizedPReLU"), ("fixed", "LeakyReLU"), ("real", "PReLU")])
def test_slope_option(slope: str, kind: str) -> None:
    net = build("abbnn-digits", slope=slope)
    kinds = [type(m).__name__ for name, m in net.named_modules() if name.endswith("activation.slope")]
    assert kinds == [kind] * 4


def test_width_scales_every_stage() -> None:
    net = build("abbnn-reactneta-cifar10", width=0.5)
    assert net.fc.in_features == 512
    assert net(torch.randn(1, 3, 32, 32)).shape == (1, 10)


def test_other_classes_and_channels() -> None:
    net = build("abbnn-reactnet18-cifar10", width=0.25, num_classes=7, in_channels=1)
    assert net(torch.randn(2, 1, 32, 32)).shape == (2, 7)
