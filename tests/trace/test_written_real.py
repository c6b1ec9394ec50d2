"""Networks of other kinds as many hands write them: every operation is accounted for, at both levels."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.trace.hand import Cases, Counts, Net, product, total

cases = Cases()


def softmax(rows: int, length: int) -> Counts:
    """Largest, difference, exponential, sum, reciprocal, scale."""
    n = rows * length
    return {"compare": n - rows, "special": n + rows, "add": 2 * n - rows, "mul": n}


def norm(n: int, groups: int, affine: bool = True) -> Counts:
    """Sum, 1/m, difference, square, sum, 1/m, epsilon, root, scale; gain and shift."""
    return {"mul": 2 * n + 2 * groups + n * affine, "add": 3 * n - groups + n * affine, "special": groups}


# -- convolutional -----------------------------------------------------------------------------------------------------


@cases(
    "MobileNetV3 block: hard swish, squeeze and excite by hard sigmoid", (1, 8, 6, 6),
    # 8 -> 16 | swish: +3, two bounds, product, /6 | depthwise 3x3 | pool | 16 -> 4 -> 16 | sigmoid | gate | 16 -> 8
    written=total(product(8 * 16 * 36, 576, bias=False), {"mul": 576, "add": 576},
                  {"add": 576, "compare": 1152, "mul": 1152}, product(16 * 9 * 36, 576, bias=False),
                  {"mul": 576, "add": 576}, {"add": 16 * 35, "mul": 16},
                  product(64, 4), {"compare": 4}, product(64, 16), {"add": 16, "compare": 32, "mul": 16}, {"mul": 576},
                  product(16 * 8 * 36, 288, bias=False), {"mul": 288, "add": 288}, {"add": 288}),
    # norms, 1/36 and 1/6 of the swish go into weights, + 3 of the gate into a bias; its 1/6 multiplies 16 numbers
    deployed=total(product(8 * 16 * 36, 576), {"add": 576, "compare": 1152, "mul": 576}, product(16 * 9 * 36, 576),
                   {"add": 16 * 35}, product(64, 4), {"compare": 4}, product(64, 16),
                   {"compare": 32, "mul": 16}, {"mul": 576}, product(16 * 8 * 36, 288), {"add": 288}),
)  # fmt: skip
def mobilenetv3() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        y = m.bn2(m.depthwise(F.hardswish(m.bn1(m.expand(x)))))
        y = y * F.hardsigmoid(m.up(F.relu(m.down(F.adaptive_avg_pool2d(y, 1)))))
        return m.bn3(m.project(y)) + x

    return Net(run, expand=nn.Conv2d(8, 16, 1, bias=False), bn1=nn.BatchNorm2d(16),
               depthwise=nn.Conv2d(16, 16, 3, padding=1, groups=16, bias=False), bn2=nn.BatchNorm2d(16),
               down=nn.Conv2d(16, 4, 1), up=nn.Conv2d(4, 16, 1), project=nn.Conv2d(16, 8, 1, bias=False),
               bn3=nn.BatchNorm2d(8))  # fmt: skip


@cases(
    "U-Net: down, transposed up, joined, bilinear up", (1, 4, 8, 8),
    # 4 -> 4 3x3 on 64, pool, 4 -> 8 3x3 on 16, up 8 -> 4 2x2 stride 2 (16 places), joined 8 -> 4, bilinear 8 -> 16
    written=total(product(4 * 4 * 9 * 64, 256), {"compare": 256 + 64 * 3}, product(4 * 8 * 9 * 16, 128),
                  {"compare": 128}, product(16 * 8 * 4 * 4, 256), product(8 * 4 * 9 * 64, 256),
                  {"mul": 1344, "shift_const": 1344, "add": 1344}),
)  # fmt: skip
def unet() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        a = F.relu(m.a(x))
        b = F.relu(m.b(F.max_pool2d(a, 2)))
        y = m.out(torch.cat([a, m.up(b)], 1))
        return F.interpolate(y, scale_factor=2, mode="bilinear", align_corners=False)

    return Net(run, a=nn.Conv2d(4, 4, 3, padding=1), b=nn.Conv2d(4, 8, 3, padding=1),
               up=nn.ConvTranspose2d(8, 4, 2, stride=2), out=nn.Conv2d(8, 4, 3, padding=1))  # fmt: skip


@cases(
    "feature pyramid: nearest up by size, added", (1, 4, 8, 8),
    written=total(product(4 * 4 * 64, 256), product(4 * 4 * 16, 64), {"add": 256}),
)  # fmt: skip
def pyramid() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        return m.a(x) + F.interpolate(m.b(x[..., ::2, ::2]), size=x.shape[-2:])

    return Net(run, a=nn.Conv2d(4, 4, 1), b=nn.Conv2d(4, 4, 1))


@cases(
    "ConvNeXt block: depthwise 7x7, layer norm over channels last, GELU, layer scale", (1, 8, 6, 6),
    written=total(product(8 * 49 * 36, 288), norm(288, 36), product(36 * 8 * 32, 36 * 32), {"special": 36 * 32},
                  product(36 * 32 * 8, 288), {"mul": 288}, {"add": 288}),
    deployed=total(product(8 * 49 * 36, 288), norm(288, 36), product(36 * 8 * 32, 36 * 32), {"special": 36 * 32},
                   product(36 * 32 * 8, 288), {"add": 288}),
)  # fmt: skip
def convnext() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        y = m.ln(m.depthwise(x).permute(0, 2, 3, 1))
        return x + (m.gamma * m.b(F.gelu(m.a(y)))).permute(0, 3, 1, 2)

    return Net(run, depthwise=nn.Conv2d(8, 8, 7, padding=3, groups=8), ln=nn.LayerNorm(8), a=nn.Linear(8, 32),
               b=nn.Linear(32, 8), gamma=nn.Parameter(1e-6 * torch.ones(8)))  # fmt: skip


@cases("1-d dilated convolution, weight norm", (1, 4, 20), written=product(4 * 6 * 3 * 16, 96))
def wavenet() -> nn.Module:
    return nn.utils.parametrizations.weight_norm(nn.Conv1d(4, 6, 3, dilation=2))


@cases("old weight norm, by hooks", (1, 4, 20), written=product(4 * 6 * 3 * 18, 108))
def old_weight_norm() -> nn.Module:
    return torch.nn.utils.weight_norm(nn.Conv1d(4, 6, 3))


@cases("spectral norm, by hooks", (1, 3, 6, 6), written=product(3 * 4 * 9 * 16, 64))
def spectral() -> nn.Module:
    return torch.nn.utils.spectral_norm(nn.Conv2d(3, 4, 3))


@cases(
    "3-d convolution, pooled over time", (1, 2, 4, 6, 6),
    written=total(product(2 * 4 * 27 * 32, 128), {"compare": 128 + 4 * 8 * 3}),
)  # fmt: skip
def video() -> nn.Module:
    return nn.Sequential(nn.Conv3d(2, 4, 3), nn.ReLU(), nn.MaxPool3d((1, 2, 2)))


@cases(
    "transposed convolution with a stride beyond its kernel", (1, 2, 3, 3),
    # 9 places of 5 channels are made, each of 2 terms; the bias is on all 25 places
    written={"mul": 9 * 2 * 5, "add": 9 * 5 + 25 * 5},
)  # fmt: skip
def gaps() -> nn.Module:
    return nn.ConvTranspose2d(2, 5, 1, stride=2)


@cases(
    "padding to a multiple of four, cropped again", (1, 4, 7, 9),
    written=product(4 * 4 * 9 * 8 * 12, 4 * 96),
)  # fmt: skip
def padded() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        h, w = x.shape[-2:]
        return m.conv(F.pad(x, (0, -w % 4, 0, -h % 4)))[..., :h, :w]

    return Net(run, conv=nn.Conv2d(4, 4, 3, padding=1))


@cases(
    "group norm, instance norm, no gain", (1, 8, 4, 4),
    written=total(norm(128, 2), {"special": 128}, norm(128, 8, affine=False)),
)  # fmt: skip
def group_norms() -> nn.Module:
    return nn.Sequential(nn.GroupNorm(2, 8), nn.SiLU(), nn.InstanceNorm2d(8))


@cases(
    "pooling in every spelling", (1, 2, 6, 6),
    # 2x2 mean: 3 adds, /4 | uneven 3 -> 2: windows of 2, one dimension after the other | sum of 2x2 | largest of 2
    written=total({"add": 18 * 3, "shift_const": 18}, {"add": 12 + 8, "shift_const": 12 + 8}, {"add": 2 * 3},
                  {"compare": 1}),
)  # fmt: skip
def pools() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        y = F.adaptive_avg_pool2d(F.avg_pool2d(x, 2), 2)
        return F.avg_pool2d(y, 2, divisor_override=1).amax(1)

    return Net(run)


# -- transformers ------------------------------------------------------------------------------------------------------


def attention_block(n: int, width: int, heads: int) -> Counts:
    """Projections in and out, scores / sqrt(width of a head), softmax, values."""
    return total(product(n * width * 4 * width, 4 * n * width), product(n * n * width, heads * n * n, bias=False),
                 softmax(heads * n, n), product(n * n * width, n * width, bias=False))  # fmt: skip


@cases(
    "ViT block: patches, class token, positions, pre-norm, fused projections", (1, 3, 8, 8),
    # 4x4 patches: 4 tokens of 16, 5 with the class; sqrt(8) is no power of two
    written=total(product(3 * 16 * 16 * 4, 64), {"add": 80}, norm(80, 5), attention_block(5, 16, 2), {"mul": 2 * 25},
                  {"add": 80}, norm(80, 5), product(5 * 16 * 32, 160), {"special": 160}, product(5 * 32 * 16, 80),
                  {"add": 80}, product(16 * 10, 10)),
)  # fmt: skip
def vit() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        t = m.patch(x).flatten(2).transpose(1, 2)
        t = torch.cat([m.token.expand(len(t), -1, -1), t], 1) + m.position
        b, n, c = t.shape
        q, k, v = m.qkv(m.ln1(t)).reshape(b, n, 3, 2, c // 2).permute(2, 0, 3, 1, 4).unbind(0)
        a = (q @ k.transpose(-2, -1)) * (c // 2) ** -0.5
        t = t + m.proj((a.softmax(-1) @ v).transpose(1, 2).reshape(b, n, c))
        t = t + m.mlp(m.ln2(t))
        return m.head(t[:, 0])

    return Net(run, patch=nn.Conv2d(3, 16, 4, stride=4), token=nn.Parameter(torch.zeros(1, 1, 16)),
               position=nn.Parameter(torch.randn(1, 5, 16)), ln1=nn.LayerNorm(16), qkv=nn.Linear(16, 48),
               proj=nn.Linear(16, 16), ln2=nn.LayerNorm(16),
               mlp=nn.Sequential(nn.Linear(16, 32), nn.GELU(), nn.Linear(32, 16)), head=nn.Linear(16, 10))  # fmt: skip


@cases(
    "scaled dot-product attention with a mask of numbers", (1, 4, 8, 16),
    written=total(product(4 * 64 * 16, 256, bias=False), {"shift_const": 256}, {"add": 256}, softmax(32, 8),
                  product(4 * 64 * 16, 512, bias=False)),
)  # fmt: skip
def masked_attention() -> nn.Module:
    mask = torch.zeros(8, 8).masked_fill(torch.ones(8, 8).triu(1) > 0, -10.0)
    return Net(lambda m, x: F.scaled_dot_product_attention(x, x, x, attn_mask=mask))


@cases(
    "causal attention by a constant mask: the choice is known offline", (1, 4, 8, 16),
    written=total(product(4 * 64 * 16, 256, bias=False), {"shift_const": 256}, softmax(32, 8),
                  product(4 * 64 * 16, 512, bias=False)),
)  # fmt: skip
def causal() -> nn.Module:
    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("mask", torch.tril(torch.ones(8, 8)))

        def forward(self, x: Tensor) -> Tensor:
            scores = (x @ x.transpose(-1, -2)) / math.sqrt(16)
            return scores.masked_fill(self.mask == 0, float("-inf")).softmax(-1) @ x

    return Attention()


@cases(
    "nn.MultiheadAttention", (1, 8, 16),
    written=total(attention_block(8, 16, 4), {"shift_const": 8 * 16}),
)  # fmt: skip
def multihead() -> nn.Module:
    return Net(lambda m, x: m.mha(x, x, x)[0], mha=nn.MultiheadAttention(16, 4, batch_first=True))


@cases(
    "language model: embedding, tied head, RMS norm, gated SiLU", torch.randint(0, 50, (1, 6)),
    # look-up | square, mean (15 adds, /16), eps, root, scale, gain | 2 up, SiLU, gate, down | shortcut | 6 x 16 x 50
    written=total({"lut": 96}, {"mul": 96, "add": 6 * 15 + 6, "shift_const": 6, "special": 6}, {"mul": 192},
                  product(2 * 6 * 16 * 24, 2 * 144, bias=False), {"special": 144, "mul": 144},
                  product(6 * 24 * 16, 96, bias=False), {"add": 96}, product(6 * 16 * 50, 300, bias=False)),
)  # fmt: skip
def language() -> nn.Module:
    def run(m: Any, ids: Tensor) -> Tensor:
        x = m.table(ids)
        y = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + 1e-6) * m.gain
        x = x + m.down(F.silu(m.gate(y)) * m.up(y))
        return F.linear(x, m.table.weight)

    return Net(run, table=nn.Embedding(50, 16), gain=nn.Parameter(torch.ones(16)),
               gate=nn.Linear(16, 24, bias=False), up=nn.Linear(16, 24, bias=False),
               down=nn.Linear(24, 16, bias=False))  # fmt: skip


@cases(
    "GELU of old, spelled out with a cube", (1, 10),
    # x/2 | x^3: 2 products | * 0.0447, + x, * sqrt(2/pi), tanh, + 1, product
    written={"shift_const": 10, "mul": 20 + 10 + 10 + 10, "add": 20, "special": 10},
)  # fmt: skip
def new_gelu() -> nn.Module:
    return Net(lambda m, x: 0.5 * x * (1 + torch.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * torch.pow(x, 3.0)))))


@cases(
    "einsum over two activations and a matrix", (2, 4, 6),
    written=product(2 * 4 * 4 * 6, 32, bias=False) | {},
)  # fmt: skip
def einsum() -> nn.Module:
    return Net(lambda m, x: torch.einsum("bic,bjc->bij", x, x))


@cases(
    "baddbmm and addmm with alpha and beta", (2, 3, 4),
    # 18 sums of 4 | * 1/4 | + 18 || 6 rows of 3 -> 5 | * 0.3 | + bias
    written=total(product(2 * 9 * 4, 18), {"shift_const": 18}, product(6 * 3 * 5, 30), {"mul": 30}),
    # 0.3 goes into the matrix, and so does 1/4 before it
    deployed=total(product(2 * 9 * 4, 18), {"shift_const": 18}, product(6 * 3 * 5, 30)),
)  # fmt: skip
def scaled_products() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        scores = torch.baddbmm(m.alibi, x, x.transpose(1, 2), beta=0.5, alpha=0.25)
        return torch.addmm(m.bias, scores.view(6, 3), m.matrix, beta=0.5, alpha=0.3)

    return Net(run, alibi=nn.Parameter(torch.randn(2, 3, 3)), bias=nn.Parameter(torch.randn(5)),
               matrix=nn.Parameter(torch.randn(3, 5)))  # fmt: skip


# -- recurrent ---------------------------------------------------------------------------------------------------------


@cases(
    "a cell in a loop, its state made by new_zeros", (1, 5, 6),
    # 5 input products, 4 state products (the first state is zero: offline); two biases each step; tanh
    written=total(product(5 * 36, 30, bias=False), product(4 * 36, 24, bias=False),
                  {"add": 30 + 24 + 30, "special": 30}),
    # in the first step the two biases are one
    deployed=total(product(5 * 36, 30, bias=False), product(4 * 36, 24, bias=False),
                   {"add": 30 + 24 + 24, "special": 30}),
)  # fmt: skip
def cell() -> nn.Module:
    def run(m: Any, x: Tensor) -> Tensor:
        h = x.new_zeros(1, 6)
        for step in x.unbind(1):
            h = torch.tanh(m.a(step) + m.b(h))
        return h

    return Net(run, a=nn.Linear(6, 6), b=nn.Linear(6, 6))


@pytest.mark.parametrize("name", cases)
def test_operations_are_those_worked_out_by_hand(name: str) -> None:
    cases.check(name)
