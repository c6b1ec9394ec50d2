"""Binary 3x3 convolutions of the executor against PyTorch's float32 ones, on one thread, in one run.

    python benchmarks/binary_convolution.py [--images 16] [--repeats 15] [--json FILE]

The layers are those of ResNet-18 on 32x32 images. Ours is timed from int8 signs to int32 sums, packing included; the
two take turns, and the ratio is that of their best CPU times. A second table runs a whole network: images per second of
the deployed abbnn-reactnet18-cifar10 in fixed point, and of the same module in PyTorch.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from costmodel.deploy.assemble import assemble
from costmodel.deploy.executor import Executor, _packed
from costmodel.deploy.ops import OPS
from costmodel.deploy.program import Instruction

#: (channels, size of the map)
LAYERS = ((64, 32), (128, 16), (256, 8), (512, 4))


def best(functions: list[Callable[[], Any]], repeats: int) -> list[float]:
    """Least CPU seconds of each, in turns, after one call to warm up."""
    times = [float("inf")] * len(functions)
    for turn in range(repeats + 1):
        for k, function in enumerate(functions):
            start = time.process_time()
            function()
            if turn:
                times[k] = min(times[k], time.process_time() - start)
    return times


def layer(channels: int, size: int, images: int, repeats: int) -> dict[str, Any]:
    rng = np.random.default_rng(0)
    signs = (2 * rng.integers(0, 2, (images, channels, size, size)) - 1).astype(np.int8)
    weight = (2 * rng.integers(0, 2, (channels, channels, 3, 3)) - 1).astype(np.int8)
    params = {"conv": True, "stride": [1, 1], "padding": [1, 1], "dilation": [1, 1], "groups": 1, "zero": False}
    ours = _packed(Instruction("xnor_sum", 1, (0,), (), "m", 0, "conv", params, {"signs": weight}))
    x, w = torch.tensor(signs).float(), torch.tensor(weight).float()
    expected = torch.nn.functional.conv2d(x, w, padding=1).numpy()
    assert np.array_equal(OPS["xnor_sum"](ours, [signs], Counter()), expected)
    own, theirs = best(
        [lambda: OPS["xnor_sum"](ours, [signs], None), lambda: torch.nn.functional.conv2d(x, w, padding=1)], repeats
    )
    return {
        "layer": f"{channels}x{size}x{size}",
        "costmodel_ms": 1e3 * own / images,
        "pytorch_ms": 1e3 * theirs / images,
        "ratio": theirs / own,
    }


def network(images: int, repeats: int) -> dict[str, Any]:
    from costmodel.deploy.study import prepare
    from costmodel.zoo import build

    torch.manual_seed(0)
    net = build("abbnn-reactnet18-cifar10").eval()
    made = prepare(net, torch.randn(1, 3, 32, 32))
    x = np.random.default_rng(0).standard_normal((images, 3, 32, 32))
    executor, t = Executor(assemble(made.graph, 16)), torch.tensor(x).float()
    with torch.no_grad():
        own, theirs = best([lambda: executor.run(x), lambda: net(t)], max(1, repeats // 3))
    return {"network": "abbnn-reactnet18-cifar10", "costmodel_images_per_s": images / own,
            "pytorch_images_per_s": images / theirs, "ratio": theirs / own}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--images", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    layers = [layer(channels, size, args.images, args.repeats) for channels, size in LAYERS]
    print(f"{'layer':>12} {'executor ms':>12} {'PyTorch ms':>12} {'ratio':>7}")
    for row in layers:
        print(f"{row['layer']:>12} {row['costmodel_ms']:12.3f} {row['pytorch_ms']:12.3f} {row['ratio']:7.1f}")
    whole = network(args.images, args.repeats)
    print(f"{whole['network']}: {whole['costmodel_images_per_s']:.1f} images/s deployed, "
          f"{whole['pytorch_images_per_s']:.1f} in PyTorch, ratio {whole['ratio']:.2f}")  # fmt: skip
    if args.json:
        args.json.write_text(json.dumps({"layers": layers, "network": whole, "torch": torch.__version__}, indent=1))


if __name__ == "__main__":
    main()
