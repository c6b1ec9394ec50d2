"""From a graph with values to a program: every constant a number, every value of a fixed type.

Any graph can be assembled, before or after any rewrite: this is what the tests of the rewrites run. With
``fraction_bits=None`` the wide values are double-precision numbers; with a number of bits they are integers on the grid
``2^-fraction_bits``: sums over real weights are computed in double precision and rounded once to the grid, right shifts
and multiplications round to nearest, everything else is exact.
"""

from __future__ import annotations

from dataclasses import replace

# Importing the builders registers them.
from costmodel.deploy import assemble_ops, assemble_sums, assemble_windows  # noqa: F401
from costmodel.deploy.assembler import Assembler, CannotRunError
from costmodel.deploy.program import Program, narrow
from costmodel.errors import CostmodelError
from costmodel.graph.node import Graph


def assemble(graph: Graph, fraction_bits: int | None = None, scale: str = "exact") -> Program:
    """The program of ``graph``, whose values must have been kept.

    Raises :class:`CostmodelError` for a network that cannot be executed, with the place and the reason.
    """
    if fraction_bits is not None and not 1 <= fraction_bits <= 40:
        raise CostmodelError(f"{fraction_bits} fraction bits: give a number from 1 to 40")
    state = Assembler(graph, fraction_bits, scale)
    for node in graph.nodes:
        state.build(node)
    if any(leaf.foreign for leaf in graph.inputs):
        raise CannotRunError("a part of the network runs outside of torch, so the deployed network cannot be run")
    inputs = tuple((leaf.id, leaf.name, leaf.shape) for leaf in graph.inputs)
    if any(shape[:1] != (1,) for _, _, shape in inputs):
        raise CannotRunError("trace the network with a batch of one to execute it")
    outputs = tuple(state.real(i) for i in graph.outputs)
    instructions = tuple(replace(i, arrays={k: narrow(v) for k, v in i.arrays.items()}) for i in state.instructions)
    return Program(
        graph.network,
        inputs,
        outputs,
        instructions,
        state.types,
        fraction_bits,
        scale,
        tuple(dict.fromkeys(state.notes)),
    )
