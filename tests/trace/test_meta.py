"""Shapes alone give the operations: a network without memory is counted as the same one with weights."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

import costmodel
from costmodel.cli.main import main
from costmodel.errors import CostmodelError

DECODER = """
import torch
from torch import nn
from torch.nn import functional as F

class Norm(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(d))
    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6))

class Block(nn.Module):
    def __init__(self, d, heads, f):
        super().__init__()
        self.heads, self.first, self.second = heads, Norm(d), Norm(d)
        self.q, self.k, self.v, self.o = (nn.Linear(d, d, bias=False) for _ in range(4))
        self.gate, self.up = nn.Linear(d, f, bias=False), nn.Linear(d, f, bias=False)
        self.down = nn.Linear(f, d, bias=False)
    def forward(self, x):
        b, t, d = x.shape
        n = self.first(x)
        q, k, v = (w(n).view(b, t, self.heads, -1).transpose(1, 2) for w in (self.q, self.k, self.v))
        turn = (torch.arange(t)[:, None] * torch.ones(d // self.heads)).cos()
        a = F.scaled_dot_product_attention(q * turn, k * turn, v, is_causal=True).transpose(1, 2).reshape(b, t, d)
        x = x + self.o(a)
        n = self.second(x)
        return x + self.down(F.silu(self.gate(n)) * self.up(n))

class Decoder(nn.Module):
    def __init__(self, d=4096, heads=32, f=11008, layers=32, words=32000):
        super().__init__()
        self.words, self.blocks = nn.Embedding(words, d), nn.ModuleList(Block(d, heads, f) for _ in range(layers))
        self.norm, self.head = Norm(d), nn.Linear(d, words, bias=False)
    def forward(self, tokens):
        x = self.words(tokens)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
"""


def macs(t: int, d: int, f: int, layers: int, words: int) -> int:
    return t * (layers * (4 * d * d + 3 * d * f) + d * words) + layers * 2 * t * t * d


# ru_maxrss would not do: a child inherits there what its parent, the whole test process, had at the fork.
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
def test_seven_billion_parameters_within_two_gigabytes(tmp_path: Path) -> None:
    (tmp_path / "decoder.py").write_text(DECODER)
    code = (
        "import costmodel, re\nfrom costmodel.ledger.conventions import convention\n"
        f"name = {str(tmp_path / 'decoder.py')!r} + ':Decoder'\n"
        "p = costmodel.profile(name, '1x16:int64', meta=True, use_cache=False)\n"
        "print(p.parameters, convention('macs').count(p).number, p.deployed.total('unknown'),"
        " *re.findall(r'VmHWM:\\s*(\\d+) kB', open('/proc/self/status').read()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    parameters, products, unknown, kilobytes = map(int, done.stdout.split())
    assert parameters == 2 * 32000 * 4096 + 32 * (4 * 4096**2 + 3 * 4096 * 11008 + 2 * 4096) + 4096
    assert products == macs(16, 4096, 11008, 32, 32000) and unknown == 0
    assert kilobytes < 2_000_000


@pytest.mark.parametrize("name", ["abbnn-digits", "bn-digits", "tfc", "bnfree-digits", "resnet18-cifar10"])
def test_the_same_counts_as_with_weights(name: str) -> None:
    with_weights, shapes = (costmodel.profile(name, meta=meta, use_cache=False) for meta in (False, True))
    for level in ("as_written", "deployed"):
        assert dict(getattr(shapes, level).by_kind()) == dict(getattr(with_weights, level).by_kind())
    assert shapes.parameters == with_weights.parameters
    assert any("shapes alone" in caveat.message for caveat in shapes.caveats)


class Quantised(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(6, 8))
        self.scale = nn.Parameter(torch.rand(6, 1) + 0.5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        levels = torch.clamp(torch.round(self.weight / self.scale), -8, 7)
        return nn.functional.linear(torch.sign(x), torch.sign(self.weight) * self.scale) + x @ (levels * 0.5).t()


def test_kinds_follow_from_rules() -> None:
    model = Quantised().to("meta")
    made = costmodel.profile(model, torch.randn(1, 8))
    assert made.as_written.total("xnor") == 48
    products = [layer for layer in made.as_written.layers if layer.op == "linear"]
    assert {layer.b.kind for layer in products if layer.b is not None} == {"binary", "int"}


def test_a_checkpoint_says_the_kinds_that_rules_do_not(tmp_path: Path) -> None:
    path = tmp_path / "net.py"
    path.write_text("from torch import nn\ndef build(): return nn.Linear(64, 64, bias=False)\n")
    torch.save({"weight": torch.sign(torch.randn(64, 64))}, tmp_path / "w.pt")
    plain = costmodel.profile(f"{path}:build", "1x64", meta=True, use_cache=False)
    seen = costmodel.profile(f"{path}:build", "1x64", meta=True, checkpoint=tmp_path / "w.pt", use_cache=False)
    assert plain.deployed.total("mul") == 4096 and seen.deployed.total("signflip") == 4096


def test_what_needs_values_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "net.py"
    path.write_text(
        "from torch import nn\nclass Net(nn.Linear):\n    def forward(self, x):\n"
        "        y = super().forward(x)\n        return y * 2.5 if y.sum() > 0 else y\ndef build(): return Net(4, 4)\n"
    )
    assert main(["profile", f"{path}:build", "--input", "1x4", "--meta"]) == 2
    assert "--meta" in capsys.readouterr().err
    with pytest.raises(CostmodelError, match="no weights to deploy"):
        from costmodel.deploy.study import prepare

        prepare(nn.Linear(4, 4, device="meta"), torch.randn(1, 4))
