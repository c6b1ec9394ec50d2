"""Operations of a user's own: what they cost, said once, from shapes and operand kinds.

>>> @costmodel.register_op("mylib::correlation", run=correlation_of_arrays)
... def correlation(call):
...     products = call.result.numel * call["x"].shape[1]
...     return [costmodel.Row("mul", "other", products, 32, 32)]

Without a registration the results of such an operation are counted as unknown work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.graph.domain import Domain
from costmodel.graph.vocabulary import KINDS, TAGS, Row


class Operand(NamedTuple):
    """A tensor of a call. ``constant``: it does not depend on the network's input, such as a weight."""

    shape: tuple[int, ...]
    domain: Domain
    constant: bool = False

    @property
    def numel(self) -> int:
        return math.prod(self.shape)


class Call(NamedTuple):
    """One call of an operation: its arguments by the names of its declaration, and its (first) result.

    ``call["x"]`` is an :class:`Operand` for a tensor, a tuple of them for a list of tensors, and itself for the rest.
    The first argument is ``x`` where the declaration says ``self`` or ``input``.
    """

    arguments: Mapping[str, Any]
    result: Operand

    def __getitem__(self, name: Any) -> Any:
        if isinstance(name, str):
            if name not in self.arguments:
                raise UnknownNameError("argument", name, self.arguments)
            return self.arguments[name]
        return tuple.__getitem__(self, name)


class Registered(NamedTuple):
    """``rows`` gives the charges of a call, ``run`` its results; ``where`` is the place of the definition."""

    name: str
    rows: Callable[[Call], Iterable[Any]]
    run: Callable[..., Any] | None
    where: str


#: Operator (``mylib.op``) -> what was registered for it.
CUSTOM: dict[str, Registered] = {}


def register_op(
    name: str, rows: Callable[[Call], Iterable[Any]] | None = None, *, run: Callable[..., Any] | None = None
) -> Any:
    """Say what an operation of your own costs; with ``rows`` left out, a decorator of the function that says it.

    ``name``
        As torch prints it: ``"mylib::op"``. All overloads are meant.
    ``rows``
        Called with each :class:`Call`; returns the operations that it costs as :class:`costmodel.Row` (kind, tag,
        number, bits of both operands, bits of the sum if there is one), exact integers for the batch that is traced.
    ``run``
        The operation on numpy arrays, to execute the deployed network: called with the arguments of the call in their
        order, tensors as arrays with the images along the first dimension; returns its result, or a tuple of all.
        Without it the network is counted and priced, and running it is refused by name.

    An operation that is registered twice is what it was registered as last. Raises :class:`CostmodelError` for a name
    that is none.
    """
    space, _, op = name.partition("::")
    if not (space.isidentifier() and op.isidentifier()):
        raise CostmodelError(f"register_op({name!r}): give the name as torch prints it, such as 'mylib::op'")
    if rows is None:
        return lambda function: register_op(name, function, run=run)
    code = getattr(rows, "__code__", None)
    where = f"{code.co_filename.rsplit('/', 1)[-1]}:{code.co_firstlineno}" if code is not None else repr(rows)
    CUSTOM[f"{space}.{op}"] = Registered(name, rows, run, where)
    return rows


def rows_of(registered: Registered, call: Call) -> tuple[Row, ...]:
    """What a call costs. Raises :class:`CostmodelError` where the registered function fails or gives no rows."""
    where = f"the rows registered for {registered.name} ({registered.where})"
    try:
        given = [Row(*row) for row in registered.rows(call)]
    except CostmodelError:
        raise
    except Exception as error:
        raise CostmodelError(f"{where} raised {type(error).__name__}: {error}") from error
    for row in given:
        if row.kind not in KINDS:
            raise UnknownNameError(f"kind of operation in {where}:", str(row.kind), KINDS)
        if not set(row.tag.split("+")) <= set(TAGS):
            raise UnknownNameError(f"tag in {where}:", row.tag, TAGS)
        if not all(isinstance(size, int) and size >= 0 for size in row[2:]):
            raise CostmodelError(f"{where} gave {tuple(row)}: numbers and bits are integers from 0 on")
    return tuple(given)


def run_of(name: str) -> Callable[..., Any]:
    """How a registered operation is executed. Raises :class:`CostmodelError` where nothing says so."""
    found = CUSTOM.get(name.replace("::", "."))
    if found is None or found.run is None:
        raise CostmodelError(f"nothing says how to run {name}: costmodel.register_op({name!r}, ..., run=...)")
    return found.run
