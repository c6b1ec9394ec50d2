"""How often bits of real numbers change, over those of random ones: ``input_activity`` and ``value_activity``.

    python -m costmodel.calibrate.activity        # needs scikit-learn; half a minute

Each tensor is rounded to fixed point of 8, 12 and 16 bits, its range the least power of two above it, and read line by
line; half of the bits of random numbers change from one number to the next. Inputs are the two photographs that come
with scikit-learn as they are, and at 224 and 32 lines: integers of 8 bits per channel, so that the bits of a wider word
below them are zero. Activations are all real tensors that enter or leave a convolution of the two trained networks for
handwritten digits that ship with this tool.
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING

from costmodel.errors import MissingExtraError

if TYPE_CHECKING:
    import torch

NETWORKS = ("bn-reactnet6-digits", "abbnn-reactnet6-digits")
WIDTHS = (8, 12, 16)
LINES = (0, 224, 32)
DIGITS = 64


def activity(values: torch.Tensor, bits: int) -> float:
    """Changes of bits between neighbours of a line [image, channel, row, column], over half of all bits."""
    import torch

    largest = float(values.abs().max()) or 1.0
    step = 2.0 ** (math.floor(math.log2(largest)) + 1 - (bits - 1))
    codes = torch.clamp(torch.round(values / step), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1).to(torch.int64)
    lines = (codes & (2**bits - 1)).flatten(2)
    changed = lines[..., 1:] ^ lines[..., :-1]
    ones = sum(int(((changed >> bit) & 1).sum()) for bit in range(bits))
    return float(ones / (changed.numel() * bits) / 0.5)


def of_photographs() -> dict[int, list[float]]:
    """Activities of photographs at every size, by width."""
    import torch
    from torch.nn.functional import interpolate

    try:
        from sklearn.datasets import load_sample_images
    except ImportError as error:
        raise MissingExtraError("measuring activity", "scikit-learn", "train") from error
    found: dict[int, list[float]] = {bits: [] for bits in WIDTHS}
    for image in load_sample_images().images:
        pixels = torch.tensor(image, dtype=torch.float32).permute(2, 0, 1)[None]
        for lines in LINES:
            size = (lines, lines * pixels.shape[3] // pixels.shape[2])
            sized = interpolate(pixels, size=size, mode="area") if lines else pixels
            for bits in WIDTHS:
                found[bits].append(activity(torch.round(sized) / 256, bits))
    return found


def of_network(name: str) -> list[float]:
    """Activities of the real tensors of a trained network for digits, its input apart."""
    import torch
    from sklearn.datasets import load_digits

    import costmodel
    from costmodel.load.checkpoints import load_checkpoint
    from costmodel.train.shipped import find

    images = torch.tensor(load_digits().images[:DIGITS] / 16.0, dtype=torch.float32)[:, None]
    model = costmodel.build_model(name).eval()
    load_checkpoint(model, find(name))
    found: list[float] = []

    def look(_: torch.nn.Module, inputs: tuple[torch.Tensor, ...], output: torch.Tensor) -> None:
        for tensor in (inputs[0], output):
            if tensor.dim() == 4 and tensor.shape[1] > 1 and len(set(tensor.flatten().tolist())) > 8:
                found.extend(activity(tensor, bits) for bits in WIDTHS)

    for module in model.modules():
        if "Conv" in type(module).__name__:
            module.register_forward_hook(look)
    with torch.no_grad():
        model(images)
    return found


def main() -> None:
    groups = {f"photographs in {bits} bits": values for bits, values in of_photographs().items()}
    groups["activations"] = [value for name in NETWORKS for value in of_network(name)]
    for what, values in groups.items():
        print(f"{what}: {min(values):.3f} to {max(values):.3f}, median {median(values):.3f}")


if __name__ == "__main__":
    main()
