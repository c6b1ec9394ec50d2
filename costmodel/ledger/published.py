"""Figures that papers printed, and by which rule each differs from a convention of ours.

A deviation is a list of signed quantities of the same ledger. It is tested that convention plus deviation is the
published figure, exactly, so a reader sees what a paper's table really counts.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from costmodel.errors import name_of
from costmodel.ledger.conventions import PAPER_TERMS, Tally, average_pooling, convention, is_binary, is_projection
from costmodel.ledger.ledger import Layer, Profile

Quantity = Callable[[Profile], int]


@dataclass(frozen=True)
class Deviation:
    """What the publication counts in addition (``factor`` positive) or leaves out (negative), and how much that is."""

    why: str
    factor: int
    quantity: Quantity

    def value(self, profile: Profile) -> int:
        return self.factor * self.quantity(profile)


@dataclass(frozen=True)
class Figure:
    """One printed figure: of which network, by which convention, as printed, and the exact integer behind it."""

    model: str
    convention: str
    printed: str
    exact: int
    source: str
    deviations: tuple[Deviation, ...] = ()

    def explain(self, profile: Profile) -> list[tuple[str, Fraction]]:
        """The convention's total and each deviation; their sum is what the publication counts."""
        total = convention(self.convention).count(profile).total
        return [
            (f"convention {self.convention}", total),
            *((d.why, Fraction(d.value(profile))) for d in self.deviations),
        ]


def binary_outputs(profile: Profile) -> int:
    """Elements that binary convolutions of the main path write."""
    return sum(math.prod(layer.shape_out) for layer in _main(profile))


def binary_inputs(profile: Profile) -> int:
    """Elements that binary convolutions of the main path read; what several read is counted once."""
    read = {layer.inputs: math.prod(layer.shape_in) for layer in _main(profile)}
    return sum(read.values())


def binary_positions(profile: Profile) -> int:
    """Positions of the windows of binary convolutions, over which all channels share one activation scale K."""
    return sum(math.prod(layer.shape_out) // layer.shape_out[1] for layer in _main(profile))


def pooled(profile: Profile) -> int:
    """Outputs of average pooling."""
    return sum(c.count for c in average_pooling(profile.as_written))


def classifier(profile: Profile) -> int:
    """Multiply-accumulates of linear layers."""
    return sum(layer.macs for layer in profile.as_written.layers if layer.op == "linear")


def binary_products(profile: Profile) -> int:
    """Multiply-accumulates of one-bit values by one-bit weights."""
    return sum(layer.macs for layer in profile.as_written.layers if is_binary(layer))


def real_products(profile: Profile) -> int:
    """All other multiply-accumulates."""
    return sum(layer.macs for layer in profile.as_written.layers if not is_binary(layer))


def term(name: str) -> Quantity:
    """What ``paper-abbnn`` counts under one term; raises :class:`UnknownNameError` for one that it does not have."""
    name = name_of("term of paper-abbnn", name, PAPER_TERMS.values())

    def quantity(profile: Profile) -> int:
        tally: Tally = convention("paper-abbnn").count(profile)
        return int(tally.by_term().get(name, 0))

    return quantity


def _main(profile: Profile) -> list[Layer]:
    return [layer for layer in profile.as_written.layers if is_binary(layer) and not is_projection(layer)]


ABBNN = "A&B BNN, arXiv:2403.03739, table of multiplications"
REACTNET = "ReActNet, arXiv:2003.03488"
_NOT_IN_CODE = "the published code has it, the paper's 0 does not: "


def _paper(model: str, printed: str, exact: int, *deviations: Deviation) -> Figure:
    return Figure(model, "paper-abbnn", printed, exact, ABBNN, deviations)


FIGURES: tuple[Figure, ...] = (
    _paper("bn-bnn18", "1.51 M", 1_505_280),
    _paper(
        "bn-xnor18", "3.20 M", 3_202_836,
        Deviation("batch norm on the inputs of binary convolutions", 1, binary_inputs),
        Deviation("the scale of the weights, which the other rows leave out", 1, binary_outputs),
        Deviation("the scale K of the activations, one per window, which the published code does not compute", 1,
                  binary_positions),
    ),
    _paper("bn-bireal18", "20.86 M", 20_860_672),
    _paper("bn-reactnet18", "22.37 M", 22_365_952),
    _paper(
        "bnfree-reactnet18", "4.60 M", 4_603_648,
        Deviation("the scale before each sign, once per output of its convolution, though it folds into the threshold",
                  1, binary_outputs),
    ),
    _paper(
        "bn-bireal34", "22.20 M", 22_202_880,
        Deviation("average pooling a second time; by the rule of Bi-Real-18 it is counted once", 1, pooled),
    ),
    _paper(
        "bn-reactneta", "10.79 M", 10_787_840,
        Deviation("average pooling at 4 per output, one for each element of its window; other rows count 1", 3, pooled),
    ),
    _paper(
        "bnfree-reactneta", "14.65 M", 14_651_392,
        Deviation("the scale before each sign, once per input of its convolution, though it folds into the threshold",
                  1, binary_inputs),
    ),
    _paper(
        "abbnn-xnor18", "0", 0,
        Deviation(_NOT_IN_CODE + "two PReLU of real slope", -1, term("PReLU")),
        Deviation(_NOT_IN_CODE + "average pooling", -1, term("average pooling")),
    ),
    _paper(
        "abbnn-bireal18", "0", 0,
        Deviation(_NOT_IN_CODE + "two PReLU of real slope", -1, term("PReLU")),
        Deviation(_NOT_IN_CODE + "real 1x1 convolutions on the way down", -1, term("real convolution")),
        Deviation(_NOT_IN_CODE + "average pooling", -1, term("average pooling")),
    ),
    _paper("abbnn-reactnet18", "0", 0),
    _paper("abbnn-reactneta", "0", 0),
    Figure(
        "bn-reactneta", "macs", "4.82e9 BOPs", 4_816_896_000, REACTNET,
        (Deviation("products with a real operand, which are the paper's FLOPs", -1, real_products),),
    ),
    Figure(
        "bn-reactneta", "macs", "0.12e8 FLOPs", 11_862_016, REACTNET,
        (Deviation("products of two one-bit values, which are the paper's BOPs", -1, binary_products),),
    ),
    Figure("bn-reactneta", "ops64", "0.87e8 OPs", 87_126_016, REACTNET),
    Figure(
        "bn-bireal18", "ops64", "1.63e8 OPs", 163_473_408, "Bi-Real Net, arXiv:1808.00278",
        (Deviation("the classifier, which the paper leaves out", -1, classifier),),
    ),
    Figure("bn-reactneta", "ace", "7.9e9 ACE", 7_853_572_096, "PokeBNN, arXiv:2112.00133, abstract"),
)  # fmt: skip


def figures(model: str) -> list[Figure]:
    """What was published about a network of the zoo."""
    return [figure for figure in FIGURES if figure.model == model]
