"""Many configurations of a target at once: its models take arrays for numbers, and agree with single ones to the bit.

What follows from a few values of a choice (a unit at a width, a library at a voltage, a memory of a size) is computed
once for each distinct value by the scalar code and then gathered; what is arithmetic is done on the arrays. Choices
that change what is built (a dataflow, a format, a kernel library) are grouped, one evaluation a group.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError
from costmodel.targets.kept import kept
from costmodel.targets.quantity import Quantity

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from costmodel.targets.estimate import Line
    from costmodel.targets.spec import Parameter, Target

    Ints = NDArray[np.int64]

#: Configurations that are evaluated together, so that the arrays stay in the cache of the processor.
BLOCK = 1 << 13


def is_array(value: Any) -> bool:
    return not isinstance(value, (int, float, str)) and hasattr(value, "dtype")


@kept
def _codes(array: NDArray[Any]) -> tuple[list[Any], Ints]:
    """The distinct values of an array, as plain numbers, and for each element which of them it is."""
    import numpy as np

    values, index = np.unique(array, return_inverse=True)
    return values.tolist(), index


def each(make: Callable[..., Any], *arguments: Any) -> Any:
    """``make(*arguments)``; where arguments are arrays, an array of the results, made once for each distinct case.

    A :class:`Quantity` becomes one whose value and bounds are arrays.
    """
    if not any(is_array(a) for a in arguments):
        return make(*arguments)
    import numpy as np

    cases = [_codes(a) if is_array(a) else ([a], None) for a in arguments]
    index: Any = 0
    for values, codes in cases:
        index = index * len(values) + (0 if codes is None else codes)
    there, index = _compact(index, prod(len(values) for values, _ in cases))
    made = []
    for number in there.tolist():
        row = []
        for values, _ in reversed(cases):
            number, digit = divmod(number, len(values))
            row.append(values[digit])
        made.append(make(*reversed(row)))
    first = made[0]
    if len(made) == 1 or first is None:
        return first
    if isinstance(first, Quantity):
        value, low, high = (np.array([getattr(q, bound) for q in made])[index] for bound in ("value", "low", "high"))
        return Quantity(value, first.unit, low, high, first.source, first.confidence, first.note)
    return np.array(made)[index]


def _compact(index: Ints, size: int) -> tuple[Ints, Ints]:
    """The numbers below ``size`` that occur, in order, and for each element the position of its number among them."""
    import numpy as np

    if size > 4 * len(index):
        return np.unique(index, return_inverse=True)
    there = np.flatnonzero(np.bincount(index, minlength=size))
    place = np.empty(size, dtype=np.int64)
    place[there] = np.arange(len(there))
    return there, place[index]


def settings_of(
    target: Target, options: Mapping[str, Any], extra: Mapping[str, Parameter]
) -> tuple[dict[str, Any], int]:
    """All settings of a target, checked, as single values or arrays, and how many configurations they are."""
    import numpy as np

    several = {name: value for name, value in options.items() if is_array(value) or isinstance(value, (list, tuple))}
    settings = target.settings({name: value for name, value in options.items() if name not in several}, extra)
    lengths = {name: len(value) for name, value in several.items()}
    if len(set(lengths.values())) > 1:
        raise CostmodelError(f"options of different lengths: {', '.join(f'{k} {n}' for k, n in lengths.items())}")
    for name, values in several.items():
        distinct, codes = np.unique(np.asarray(values), return_inverse=True)
        checked = [target.settings({name: value}, extra)[name] for value in distinct.tolist()]
        settings[name] = np.array(checked)[codes]
    return settings, max(lengths.values(), default=1)


def sums(lines: Iterable[Line], constants: Mapping[str, Quantity]) -> dict[str, Any]:
    """The nominal total of every metric: numbers or arrays, added up in the order of the bill."""
    found: dict[str, Any] = {}
    for line in lines:
        value = line.coefficient
        for name in line.factors:
            value = value * constants[name].value
        found[line.metric] = found.get(line.metric, 0.0) + value
    return found


def groups(settings: Mapping[str, Any], vectorised: Iterable[str], count: int) -> Iterator[tuple[Ints, dict[str, Any]]]:
    """Configurations in groups and blocks: their numbers, and their settings as numbers, or as arrays where they vary.

    Of ``settings``, arrays [count] or single values, those that are not ``vectorised`` are the same within a group.
    """
    import numpy as np

    arrays = {name: value for name, value in settings.items() if is_array(value)}
    fixed = [name for name in arrays if name not in set(vectorised)]
    index = np.zeros(count, dtype=np.int64)
    for name in fixed:
        values, codes = _codes(arrays[name])
        index = index * len(values) + codes
    order = np.argsort(index, kind="stable")
    starts = np.flatnonzero(np.diff(index[order], prepend=-1))
    for begin, end in zip(starts, [*starts[1:], count], strict=True):
        for at in range(begin, end, BLOCK):
            numbers = order[at : min(at + BLOCK, end)]
            chosen = dict(settings)
            for name, array in arrays.items():
                part = array[numbers]
                same = name in fixed or bool((part == part[0]).all())
                chosen[name] = part[0].item() if same else part
            yield numbers, chosen
