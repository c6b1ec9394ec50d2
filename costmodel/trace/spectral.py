"""Rules of Fourier transforms and of complex numbers, in operations on real numbers.

A transform of length n = p1 p2 ... (primes) takes a stage for each prime (Cooley and Tukey, Math. Comp. 19, 1965): n/2
complex products and n complex sums for p = 2, n (p - 1) of both for another p. A transform of real numbers takes half.
A complex product is four multiplications and two additions, a complex sum two additions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from costmodel.graph.domain import FLOAT_BITS
from costmodel.graph.vocabulary import Kind, Row
from costmodel.trace.arguments import numel
from costmodel.trace.lowering import Lowering
from costmodel.trace.reductions import stated
from costmodel.trace.rules import Rule, UncoveredError, counts, rule_of
from costmodel.trace.values import Ref, Value

#: Rules of operations one of whose operands, or whose result, is complex.
COMPLEX: dict[str, Rule] = {}


def _complex(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def register(function: Callable[..., None]) -> Callable[..., None]:
        COMPLEX.update({f"aten.{name}": rule_of(function) for name in names})
        return function

    return register


def _row(kind: Kind, count: int, tag: str = "other") -> Row:
    acc = FLOAT_BITS if kind == "add" else 0
    return Row(kind, tag, count, FLOAT_BITS, 0 if kind == "special" else FLOAT_BITS, acc)


def stages(n: int) -> tuple[int, int]:
    """Complex products and sums of one transform of length ``n``."""
    products, sums, rest, prime = 0, 0, n, 2
    while rest > 1:
        while rest % prime == 0:
            products += n // 2 if prime == 2 else n * (prime - 1)
            sums += n if prime == 2 else n * (prime - 1)
            rest //= prime
        prime += 1
        if prime * prime > rest > 1:
            prime = rest
    return products, sums


@_complex("_fft_r2c", "_fft_c2r", "_fft_c2c")
def transform(
    state: Lowering, value: Value, x: Any, dim: tuple[int, ...], normalization: int, onesided: bool = True,
    forward: bool = True, last_dim_size: int = 0,
) -> None:  # fmt: skip
    real = value.fn != "_fft_c2c"
    shape, out = state.shape(x), value.shape
    full = shape if value.fn == "_fft_r2c" else out  # in real numbers where one side is real
    half = tuple(min(a, b) for a, b in zip(shape, out, strict=True))  # of the spectrum
    products = sums = 0
    for place, axis in enumerate(dim):
        own = real and place == len(dim) - 1  # the dimension along which numbers are real
        n = full[axis]
        size = full if own else half
        lanes = numel(size) // n if own else numel(half) // max(1, half[axis])
        p, s = stages(n)
        products += lanes * p // 2 if own else lanes * p
        sums += lanes * s // 2 if own else lanes * s
    rows = [_row("mul", 4 * products), _row("add", 2 * products + 2 * sums)]
    if normalization:
        rows[0] = _row("mul", 4 * products + numel(out) * (1 if value.fn == "_fft_c2r" else 2))
    stated(state, value, *rows)


def _parts(state: Lowering, argument: Any) -> int:
    """Real numbers in one element of an argument: two of a complex tensor or number."""
    if isinstance(argument, Ref):
        return 2 if state.simplified.recording.values[argument.id].tensor_dtype.is_complex else 1
    return 2 if isinstance(argument, complex) else 1


@_complex("mul")
def product(state: Lowering, value: Value, x: Any, other: Any) -> None:
    n, both = numel(value.shape), _parts(state, x) * _parts(state, other) == 4
    stated(state, value, _row("mul", n * (4 if both else 2), "gate"), _row("add", 2 * n * both, "gate"))


@_complex("div")
def quotient(state: Lowering, value: Value, x: Any, other: Any) -> None:
    # by a complex number: times its conjugate, over its square
    n = numel(value.shape)
    if _parts(state, other) == 1:
        stated(state, value, _row("mul", 2 * n))
    else:
        stated(state, value, _row("mul", 8 * n), _row("add", 3 * n), _row("special", n))


@_complex("add", "sub")
def total(state: Lowering, value: Value, x: Any, other: Any, alpha: Any = 1) -> None:
    if alpha != 1:
        raise UncoveredError("its rule does not cover alpha of complex numbers")
    n = numel(value.shape)
    stated(state, value, _row("add", n * min(_parts(state, x), _parts(state, other)), "residual"))


@_complex("neg", "_conj", "_conj_physical", "conj_physical", "resolve_conj", "_neg_view")
def signs(state: Lowering, value: Value, x: Any) -> None:
    count = {"neg": 2, "_neg_view": 2, "resolve_conj": 0}.get(value.fn, 1)
    stated(state, value, Row("signflip", "other", numel(value.shape) * count, FLOAT_BITS, 1))


@_complex("abs")
def magnitude(state: Lowering, value: Value, x: Any) -> None:
    n = numel(value.shape)
    stated(state, value, _row("mul", 2 * n), _row("add", n), _row("special", n))


@_complex("angle", "polar", "exp", "log", "sqrt", "reciprocal", "sin", "cos", "tanh", "sigmoid", "pow")
def function(state: Lowering, value: Value, x: Any, **arguments: Any) -> None:
    # magnitude and angle each by a function, then two products
    n = numel(value.shape)
    stated(state, value, _row("special", 2 * n, "activation"), _row("mul", 2 * n, "activation"))


@_complex("complex")
def joined(state: Lowering, value: Value, **arguments: Any) -> None:
    stated(state, value)


@_complex("sum", "mean")
def reduced(state: Lowering, value: Value, x: Any, dim: Any = None) -> None:
    n, r = numel(state.shape(x)), numel(value.shape)
    rows = [_row("add", 2 * (n - r))]
    stated(state, value, *rows, *([_row("mul", 2 * r)] if value.fn == "mean" else []))


@_complex("mm", "bmm", "addmm", "baddbmm", "mv", "dot")
def matrices(state: Lowering, value: Value, **arguments: Any) -> None:
    names = ("mat1", "mat2") if "mat1" in arguments else ("x", "mat2")
    terms = state.shape(arguments[names[0]])[-1]
    results = numel(value.shape)
    both = _parts(state, arguments[names[0]]) * _parts(state, arguments[names[1]]) == 4
    products = results * terms * (4 if both else 2)
    bias = 2 * results if "x" not in names else 0
    stated(state, value, _row("mul", products, "matmul"), _row("add", products - 2 * results + bias, "matmul"))


# -- order ------------------------------------------------------------------------------------------------------------


def _lanes(value: Value, shape: tuple[int, ...], dim: int) -> tuple[int, int]:
    """The length of what is put in order, and how many such there are."""
    size = shape[dim] if shape else 1
    return size, numel(shape) // max(1, size)


def _ordered(state: Lowering, value: Value, comparisons: int) -> None:
    done = value.output and value.id - value.output in state.names  # places next to values
    stated(state, value, *([] if done else [Row("compare", "other", comparisons, FLOAT_BITS, FLOAT_BITS)]))


@counts("msort")
def msort(state: Lowering, value: Value, x: Any) -> None:
    sort(state, value, x, 0)


@counts("sort", "argsort")
def sort(state: Lowering, value: Value, x: Any, dim: int = -1, descending: bool = False, stable: Any = None) -> None:
    # by merging: n ceil(log2 n) comparisons at the most
    size, lanes = _lanes(value, state.shape(x), dim)
    _ordered(state, value, lanes * size * max(0, size - 1).bit_length())


@counts("kthvalue")
def kth(state: Lowering, value: Value, x: Any, k: int, dim: int = -1) -> None:
    rank(state, value, x, dim)


@counts("median", "nanmedian", "mode")
def rank(state: Lowering, value: Value, x: Any, dim: Any = None) -> None:
    shape = state.shape(x)
    size, lanes = (numel(shape), 1) if dim is None else _lanes(value, shape, dim)
    _ordered(state, value, lanes * size * max(0, size - 1).bit_length())


@counts("topk")
def topk(
    state: Lowering, value: Value, x: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> None:
    # a heap of the k best so far: n ceil(log2 (k + 1)) comparisons at the most, n - 1 for the best alone
    size, lanes = _lanes(value, state.shape(x), dim)
    _ordered(state, value, lanes * (size - 1 if k == 1 else size * k.bit_length()))


@counts("searchsorted", "bucketize")
def search(state: Lowering, value: Value, **arguments: Any) -> None:
    edges = arguments.get("sorted_sequence", arguments.get("boundaries"))
    size = state.shape(edges)[-1] if isinstance(edges, Ref) else 1
    _ordered(state, value, numel(value.shape) * max(1, size.bit_length()))


@counts("_unique2", "unique_dim", "unique_consecutive")
def distinct(state: Lowering, value: Value, x: Any, **results: Any) -> None:
    # in order, then each with the one before it
    size = numel(state.shape(x))
    _ordered(state, value, size * max(0, size - 1).bit_length() + max(0, size - 1))


# -- sampling at given places -----------------------------------------------------------------------------------------


@counts("affine_grid_generator")
def affine_grid(state: Lowering, value: Value, theta: Any, size: Any, align_corners: bool) -> None:
    # y[n, p] = theta[n] @ (p, 1): d products and sums for each coordinate
    d = value.shape[-1]
    count = d * numel(value.shape)
    stated(state, value, _row("mul", count, "resample"), _row("add", count, "resample"))


@counts("grid_sampler_2d", "grid_sampler_3d", "grid_sampler")
def grid_sample(
    state: Lowering, value: Value, x: Any, grid: Any, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> None:
    """Places once for all channels, then a weighted sum of the neighbours of each.

    Linear: 2^d neighbours; cubic: 4^d, with weights that are polynomials (three products and sums each).
    """
    results, shape = numel(value.shape), state.shape(grid)
    d, places = shape[-1], numel(shape[:-1])
    channels = state.shape(x)[1]
    mul, add, compare = d * places, d * places, 2 * d * places if padding_mode < 2 else 4 * d * places
    if interpolation_mode == 1:
        add += d * places  # rounding
    else:
        neighbours = (2 if interpolation_mode == 0 else 4) ** d
        add += 2 * d * places  # below, and how far from it
        if interpolation_mode == 0:
            add, mul = add + d * places, mul + places * neighbours * (d - 1)
        else:
            mul, add = mul + places * (12 * d + neighbours * (d - 1)), add + places * 12 * d
        mul, add = mul + results * neighbours, add + results * (neighbours - 1)
    assert results == places * channels
    stated(state, value, _row("mul", mul, "resample"), _row("add", add, "resample"),
           Row("compare", "resample", compare, FLOAT_BITS, FLOAT_BITS))  # fmt: skip
