"""Images per second: `costmodel train` next to the plain PyTorch loop of the published recipe, in one run.

    python benchmarks/train_throughput.py [--network abbnn-reactnet18-cifar10] [--width 1] [--batch 256] [--steps 20]
                                          [--device auto] [--workers 8] [--no-compile] [--data-dir DIR] [--json FILE]

The plain loop decodes and augments image by image in a DataLoader (pad, flip, crop, to float, normalise), moves each
batch to the device, runs the network eagerly in fp32, reads loss and accuracy after every batch, and clips parameter
by parameter. The fast one is the recipe `fast` as the command runs it. Both do the same arithmetic on the same
network, batch size and optimiser. They take turns; medians of blocks of steps, wall time and, on a CPU, CPU time.
Without --data-dir the images are random bytes of CIFAR's shape, which changes no speed.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset

from costmodel.train.data import IMAGENET_MEAN, IMAGENET_STD, DataSet, Split, load
from costmodel.train.feed import Batch, MemoryFeed
from costmodel.train.kernels import use_fast_layers
from costmodel.train.optimise import make_optimiser
from costmodel.train.recipes import Recipe, load_recipe
from costmodel.train.step import GraphedStep, Step, compiles
from costmodel.zoo import registry

BLOCKS = 5


class Plain(Dataset[tuple[Tensor, int]]):
    """Image by image with Pillow and numpy, as the published loop does it with torchvision's transforms."""

    def __init__(self, split: Split) -> None:
        from PIL import Image

        self.images = [Image.fromarray(image.transpose(1, 2, 0)) for image in split.images]
        self.labels = split.labels.tolist()

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        from PIL import Image

        image = Image.fromarray(np.pad(np.asarray(self.images[index]), ((4, 4), (4, 4), (0, 0)), mode="reflect"))
        if random.random() < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        left, top = random.randint(0, 8), random.randint(0, 8)
        image = image.crop((left, top, left + 32, top + 32))
        tensor = torch.from_numpy(np.array(image)).permute(2, 0, 1).contiguous().float().div(255)
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        return tensor.sub_(mean[:, None, None]).div_(std[:, None, None]), self.labels[index]


def clip_one_by_one(model: nn.Module, factor: float, eps: float) -> None:
    for name, p in model.named_parameters():
        if "fc" in name or p.grad is None:
            continue
        dims = tuple(range(1, p.ndim)) if p.ndim > 1 else None
        limit = torch.linalg.vector_norm(p.detach(), dim=dims, keepdim=p.ndim > 1).clamp_(min=eps).mul_(factor)
        norm = torch.linalg.vector_norm(p.grad, dim=dims, keepdim=p.ndim > 1)
        p.grad.copy_(torch.where(norm < limit, p.grad, p.grad * (limit / norm.clamp(min=1e-6))))


def plain_steps(
    data: DataSet, network: nn.Module, recipe: Recipe, device: torch.device, workers: int
) -> Iterator[None]:
    decayed = [p for n, p in network.named_parameters() if (p.ndim == 4 or "conv" in n) and "exponent" not in n]
    chosen = {id(p) for p in decayed}
    rest = [p for p in network.parameters() if id(p) not in chosen]
    optimiser = torch.optim.Adam([{"params": rest}, {"params": decayed, "weight_decay": 5e-6}], lr=1e-3)
    loader = DataLoader(
        Plain(data.train), recipe.batch, shuffle=True, num_workers=workers, pin_memory=device.type == "cuda",
        drop_last=True, persistent_workers=workers > 0,
    )  # fmt: skip
    network.train()
    while True:
        for images, labels in loader:
            images, labels = images.to(device), labels.to(device)
            logits = network(images)
            loss = F.cross_entropy(logits, labels)
            loss.item()
            (logits.argmax(1) == labels).float().sum().item()
            optimiser.zero_grad()
            loss.backward()
            if recipe.clip:
                clip_one_by_one(network, recipe.clip.factor, recipe.clip.eps)
            optimiser.step()
            yield


def fast_steps(data: DataSet, network: nn.Module, recipe: Recipe, device: torch.device) -> Iterator[None]:
    if device.type == "cpu" and not compiles(recipe, device):
        use_fast_layers(network)
    optimiser = make_optimiser(list(network.named_parameters()), recipe.phases[0], device)
    plain = Step(network, optimiser, recipe, None)
    step: Callable[[Batch], None] = plain
    feed = MemoryFeed(data, recipe.augment, recipe.batch, device)
    network.train()
    epoch = 0
    while True:
        for batch in feed.train(epoch):
            if device.type == "cuda" and step is plain:
                step = GraphedStep(plain, batch)
            step(batch)
            yield
        epoch += 1


def measure(steps: Iterator[None], count: int, device: torch.device) -> tuple[float, float]:
    """Wall and CPU seconds of ``count`` steps."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(count):
        next(steps)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - wall, time.process_time() - cpu


def random_images(count: int) -> DataSet:
    rng = np.random.default_rng(0)
    split = Split(rng.integers(0, 256, (count, 3, 32, 32), dtype=np.uint8), rng.integers(0, 10, count))
    return DataSet("random", split, split, 10, IMAGENET_MEAN, IMAGENET_STD)


def main() -> None:
    parser = argparse.ArgumentParser(description="Images per second of two ways to train the same network.")
    parser.add_argument("--network", default="abbnn-reactnet18-cifar10")
    parser.add_argument("--width", type=float, default=1.0)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=20, help="steps per block")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--workers", type=int, default=None, help="of the plain loop (default: 8 on a GPU, else 0)")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--data-dir", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    device = torch.device(args.device)
    if device.type == "cpu":
        torch.set_num_threads(1)
    else:
        torch.backends.cudnn.benchmark = True
    workers = args.workers if args.workers is not None else (8 if device.type == "cuda" else 0)
    recipe = load_recipe("fast-bn" if args.network.startswith("bn-") else "fast")
    recipe = msgspec.structs.replace(recipe, batch=args.batch, compile=recipe.compile and not args.no_compile)
    data = load("cifar10", args.data_dir) if args.data_dir else random_images(20 * args.batch)

    def network(layout: torch.memory_format) -> nn.Module:
        torch.manual_seed(0)
        made = registry.build(args.network, width=args.width, binary_weights=False)
        return made.to(device=device, memory_format=layout)

    ways = {
        "plain loop": plain_steps(data, network(torch.contiguous_format), recipe, device, workers),
        "costmodel train": fast_steps(data, network(torch.channels_last), recipe, device),
    }
    for steps in ways.values():
        measure(steps, 3, device)  # compilation, caches, workers
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(BLOCKS):
        for name, steps in ways.items():
            times[name].append(measure(steps, args.steps, device))
    report(times, args.steps * args.batch, device, args)


def report(times: dict[str, list[tuple[float, float]]], images: int, device: torch.device, args: Any) -> None:
    clock = 0 if device.type == "cuda" else 1  # on a CPU shared with others only CPU time says something
    rates = {name: images / statistics.median(t[clock] for t in blocks) for name, blocks in times.items()}
    base = rates["plain loop"]
    unit = "images/s" if clock == 0 else "images/CPU-s"
    print(f"{args.network}, width {args.width:g}, batch {args.batch}, {device.type}, first step of two-step training")
    for name, rate in rates.items():
        print(f"{name:18} {rate:10.1f} {unit}   {rate / base:5.2f}x")
    if args.json:
        args.json.write_text(json.dumps({"unit": unit, "rates": rates, "settings": vars(args)}, default=str, indent=1))


if __name__ == "__main__":
    main()
