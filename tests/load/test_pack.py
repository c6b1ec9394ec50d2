"""Packed checkpoints: one bit per binary weight, and the same network after unpacking."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from costmodel.errors import CostmodelError
from costmodel.load.checkpoints import load_checkpoint
from costmodel.load.pack import pack, pack_bits, unpack_bits
from costmodel.train import shipped
from costmodel.train.records import measured
from costmodel.zoo import registry
from costmodel.zoo.layers import SignConv2d, SignLinear


@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 3), st.integers(0, 2**31))
def test_bits_survive_whatever_their_number(o: int, i: int, k: int, seed: int) -> None:
    signs = torch.rand(o, i, k, k, generator=torch.Generator().manual_seed(seed)) < 0.5
    packed = pack_bits(signs)
    assert packed.dtype == torch.uint8 and len(packed) == -(-signs.numel() // 8)
    assert torch.equal(unpack_bits(packed, tuple(signs.shape)) > 0, signs)


def shaken(name: str, **options: object) -> nn.Module:
    """A network whose every parameter differs from its initial value, as after training."""
    torch.manual_seed(11)
    model = registry.build(name, **options)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return model.eval()


@pytest.mark.parametrize("name", ["abbnn-digits", "bn-digits", "bnfree-digits"])
@pytest.mark.parametrize("scale", ["real", "pow2", "tied"])
def test_the_unpacked_network_is_the_packed_one(name: str, scale: str, tmp_path: Path) -> None:
    model = shaken(name, scale=scale)
    path = tmp_path / "net.safetensors"
    path.write_bytes(pack(model))
    again = registry.build(name, scale=scale).eval()
    load_checkpoint(again, path)
    x = torch.randn(16, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(again(x), model(x), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", ["tfc", "cnv", "abbnn-tfc", "abbnn-cnv"])
def test_dense_layers_of_signs_come_back_exactly(name: str, tmp_path: Path) -> None:
    model, again = shaken(name), registry.build(name).eval()
    path = tmp_path / "net.safetensors"
    path.write_bytes(pack(model))
    weights = sum(m.weight.numel() for m in model.modules() if isinstance(m, SignLinear | SignConv2d))
    others = sum(v.numel() for v in model.state_dict().values()) - weights
    assert weights / 8 < len(path.read_bytes()) <= weights / 8 + 8 * others + 20_000
    load_checkpoint(again, path)
    x = torch.rand(8, *registry.entry(name).input_shape[1:])
    with torch.no_grad():
        assert torch.equal(again(x), model(x))


def test_powers_of_two_come_back_exactly(tmp_path: Path) -> None:
    model, again = shaken("abbnn-digits", scale="pow2"), registry.build("abbnn-digits", scale="pow2")
    path = tmp_path / "net.safetensors"
    path.write_bytes(pack(model))
    load_checkpoint(again, path)
    for (name, a), b in zip(model.named_modules(), again.modules(), strict=True):
        if hasattr(a, "binary_weight"):
            assert torch.equal(a.binary_weight(), b.binary_weight()), name


def test_a_packed_network_takes_a_bit_a_binary_weight() -> None:
    model = shaken("abbnn-reactnet18-cifar10", width=0.25)
    binary = sum(m.weight.numel() for m in model.modules() if hasattr(m, "binary_weight"))
    others = sum(p.numel() for p in model.parameters()) - binary
    assert len(pack(model)) <= binary / 8 + 4 * others + 30_000  # 30 kB: names, shapes, header


def test_the_full_networks_stay_below_five_megabytes() -> None:
    for name in ("abbnn-reactnet18-cifar10", "abbnn-bireal18-cifar10", "abbnn-xnor18-cifar10"):
        assert len(pack(registry.build(name))) < 5_000_000, name


def test_a_damaged_header_and_a_network_without_bits_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CostmodelError, match="no layers of binary weights"):
        pack(nn.Linear(2, 2))
    raw = pack(shaken("abbnn-digits"))
    path = tmp_path / "net.safetensors"
    path.write_bytes(raw.replace(b"gain", b"mean", 1))
    with pytest.raises(CostmodelError, match="does not fit the network"):
        load_checkpoint(registry.build("abbnn-digits"), path)
    path.write_bytes(raw[: len(raw) // 2])
    with pytest.raises(CostmodelError, match="not a safetensors file"):
        load_checkpoint(registry.build("abbnn-digits"), path)


def test_shipped_weights_load_into_their_network_and_are_small() -> None:
    assert shipped.names()
    told = {record.weights: record for record in measured()}
    for name in shipped.names():
        path, record = shipped.find(name), told[name]
        assert path.stat().st_size < 5_000_000
        width = {"width": record.width} if record.width != 1 else {}
        load_checkpoint(registry.build(record.network, **width, **record.options), path)


def test_shipped_weights_go_by_the_aliases_of_their_network() -> None:
    assert shipped.find("abbnn-digits") == shipped.find("abbnn-reactnet6-digits")
    with pytest.raises(CostmodelError, match="Give a file, or one of"):
        shipped.find("abbnn-reactnet18-tencifar")
