"""Run a program on a batch, on integers and packed words, without torch.

Every operation is counted while it runs: ``run(..., tally=Counter())`` fills the tally with the operations of the whole
batch by (module, call, op, kind), which for one image are the rows of the deployed ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from costmodel.deploy.moves import moves_batch
from costmodel.deploy.ops import OPS
from costmodel.deploy.program import Array, Instruction, Program
from costmodel.deploy.sums import flat_filters, pack_weights
from costmodel.deploy.tally import Tally
from costmodel.errors import CostmodelError

Probe = Callable[[Instruction, list[Array], Array], None]


class Executor:
    """A program with its weights packed and the last use of every value known.

    >>> logits, = Executor(program).run(images)          # images: [n, 3, 32, 32]
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._instructions = [_packed(i) for i in program.instructions]
        self.one_by_one = any(i.op == "move" and moves_batch(i) for i in program.instructions)
        self._last: dict[int, int] = {}
        for position, instruction in enumerate(self._instructions):
            self._last.update(dict.fromkeys(instruction.inputs, position))

    def run(self, *inputs: Any, tally: Tally | None = None, probe: Probe | None = None) -> list[Array]:
        """The outputs for a batch, as real numbers.

        ``probe`` is called with every instruction, its operands and its result. Raises :class:`CostmodelError` for
        inputs that do not fit.
        """
        expected = self.program.inputs
        if len(inputs) != len(expected):
            raise CostmodelError(f"{self.program.network} has {len(expected)} inputs; {len(inputs)} were given")
        arrays = []
        for (_, name, shape), given in zip(expected, inputs, strict=True):
            array = np.asarray(given, dtype=np.float64)
            if array.shape[1:] != shape[1:]:
                raise CostmodelError(f"{name} of {self.program.network} is [n, {', '.join(map(str, shape[1:]))}]; "
                                     f"an array of shape {list(array.shape)} was given")  # fmt: skip
            arrays.append(array)
        if self.one_by_one and len(arrays[0]) > 1:
            parts = [self._run([a[k : k + 1] for a in arrays], tally, probe) for k in range(len(arrays[0]))]
            return [np.concatenate(outputs) for outputs in zip(*parts, strict=True)]
        return self._run(arrays, tally, probe)

    def _run(self, arrays: list[Array], tally: Tally | None, probe: Probe | None) -> list[Array]:
        values = {number: array for (number, *_), array in zip(self.program.inputs, arrays, strict=True)}
        kept = set(self.program.outputs)
        for position, instruction in enumerate(self._instructions):
            arguments = [values[i] for i in instruction.inputs]
            result = OPS[instruction.op](instruction, arguments, tally)
            values[instruction.out] = result
            if probe is not None:
                probe(instruction, arguments, result)
            for number in instruction.inputs:
                if self._last[number] == position and number not in kept:
                    values.pop(number, None)
        return [np.asarray(values[number], dtype=np.float64) for number in self.program.outputs]


def run_batches(
    executor: Executor,
    images: Array,
    batch: int = 16,
    threads: int = 1,
    transform: Callable[[Array], Array] | None = None,
) -> Array:
    """First output for many images, a few at a time so that maps stay in the cache.

    ``transform`` is applied to every batch first. The loops release the interpreter: ``threads`` of them run at once.
    """
    from concurrent.futures import ThreadPoolExecutor

    def one(start: int) -> Array:
        part = images[start : start + batch]
        return executor.run(part if transform is None else transform(part))[0]

    starts = range(0, len(images), batch)
    if threads == 1:
        return np.concatenate([one(start) for start in starts])
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(one, starts)))


def per_image(tally: Tally, images: int) -> Mapping[tuple[str, int, str, str], int]:
    """The operations of one image; every one of them is done for every image."""
    uneven = [key for key, operations in tally.items() if operations % images]
    if uneven:
        raise CostmodelError(f"operations of {uneven[0]} are not the same for all {images} images")
    return {key: operations // images for key, operations in tally.items()}


def _packed(instruction: Instruction) -> Instruction:
    if instruction.op != "xnor_sum":
        return instruction
    packed = pack_weights(flat_filters(instruction.arrays["signs"]), int(instruction.params.get("groups", 1)))
    return replace(instruction, arrays={**instruction.arrays, **packed})
