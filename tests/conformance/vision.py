"""Small networks that are not plain convolutions: transformers of patches and of words, and decoders of maps."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class Attention(nn.Module):
    """Self-attention, fused or written out."""

    def __init__(self, width: int, heads: int, fused: bool) -> None:
        super().__init__()
        self.qkv, self.out, self.heads, self.fused = nn.Linear(width, 3 * width), nn.Linear(width, width), heads, fused

    def forward(self, x: Tensor) -> Tensor:
        b, n, c = x.shape
        q, k, v = self.qkv(x).reshape(b, n, 3, self.heads, c // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            y = F.scaled_dot_product_attention(q, k, v)
        else:
            y = (q * q.shape[-1] ** -0.5 @ k.transpose(-2, -1)).softmax(-1) @ v
        return self.out(y.transpose(1, 2).reshape(b, n, c))


class Block(nn.Module):
    def __init__(self, width: int, heads: int = 4, fused: bool = True) -> None:
        super().__init__()
        self.n1, self.n2 = nn.LayerNorm(width, eps=1e-6), nn.LayerNorm(width, eps=1e-6)
        self.attention = Attention(width, heads, fused)
        self.mlp = nn.Sequential(nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.n1(x))
        return x + self.mlp(self.n2(x))


class ViT(nn.Module):
    """Patches, a class token, learned positions, pre-norm blocks."""

    shape = (1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 32, 8, 8)
        self.token, self.places = nn.Parameter(torch.randn(1, 1, 32)), nn.Parameter(torch.randn(1, 17, 32))
        self.blocks = nn.Sequential(Block(32), Block(32, fused=False))
        self.norm, self.head = nn.LayerNorm(32), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token, x], 1) + self.places
        return self.head(self.norm(self.blocks(x))[:, 0])


class ConvNeXt(nn.Module):
    """Depthwise convolutions, channel-last norms and layer scales; a mean that is no pooling."""

    shape = (1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.norm = nn.Conv2d(3, 16, 4, 4), nn.LayerNorm(16)
        self.depthwise, self.up, self.down = (
            nn.Conv2d(16, 16, 7, padding=3, groups=16),
            nn.Linear(16, 64),
            nn.Linear(64, 16),
        )
        self.gain, self.head = nn.Parameter(1e-6 * torch.ones(16)), nn.Linear(16, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.norm(self.depthwise(x).permute(0, 2, 3, 1))
        x = x + (self.gain * self.down(F.gelu(self.up(y)))).permute(0, 3, 1, 2)
        return self.head(F.layer_norm(x.mean((-2, -1)), (16,)))


class Windows(nn.Module):
    """Swin's windows: shifted maps, attention in each window, merging of patches."""

    shape = (1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.block = nn.Conv2d(3, 16, 4, 4), Block(16, 2)
        self.norm, self.merge, self.head = nn.LayerNorm(64), nn.Linear(64, 32, bias=False), nn.Linear(32, 10)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).permute(0, 2, 3, 1).roll((-2, -2), (1, 2))
        x = x.reshape(1, 2, 4, 2, 4, 16).transpose(2, 3).reshape(4, 16, 16)
        x = self.block(x).reshape(1, 2, 2, 4, 4, 16).transpose(2, 3).reshape(1, 8, 8, 16).roll((2, 2), (1, 2))
        x = torch.cat([x[:, k::2, j::2] for k in (0, 1) for j in (0, 1)], -1)
        return self.head(F.adaptive_avg_pool1d(self.merge(self.norm(x)).flatten(1, 2).transpose(1, 2), 1).flatten(1))


class Decoder(nn.Module):
    """A segmentation network: group norms, bilinear and nearest upsampling, a squeeze and an excitation."""

    shape = (1, 3, 32, 32)

    def __init__(self) -> None:
        super().__init__()
        self.down, self.norm = nn.Conv2d(3, 16, 3, 4, 1), nn.GroupNorm(4, 16)
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.lateral, self.out = nn.Conv2d(16, 8, 1), nn.Conv2d(8, 5, 3, padding=1)
        self.instance = nn.InstanceNorm2d(8, affine=True)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.norm(self.down(x)))
        y = y * torch.sigmoid(self.excite(F.relu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))))
        y = F.interpolate(self.instance(self.lateral(y)), scale_factor=2)
        return F.interpolate(self.out(y), size=x.shape[2:], mode="bilinear", align_corners=False)


class Words(nn.Module):
    """A decoder of words with tied embeddings, a causal mask and attention by einsum."""

    shape = (1, 6)

    def __init__(self) -> None:
        super().__init__()
        self.words, self.places = nn.Embedding(50, 32), nn.Embedding(6, 32)
        self.layer = nn.TransformerEncoderLayer(32, 4, 64, batch_first=True, norm_first=True)
        self.q, self.k, self.norm = nn.Linear(32, 32), nn.Linear(32, 32), nn.LayerNorm(32)

    def forward(self, x: Tensor) -> Tensor:
        x = self.words((x * 49).long()) + self.places(torch.arange(x.shape[1]))
        x = self.layer(x, nn.Transformer.generate_square_subsequent_mask(x.shape[1]))
        scores = torch.einsum("bid,bjd->bij", self.q(x), self.k(x)).softmax(-1)
        return F.linear(self.norm(torch.einsum("bij,bjd->bid", scores, x)), self.words.weight)


NETWORKS = [ViT, ConvNeXt, Windows, Decoder, Words]
