"""Where in a checkpoint the weights of a network are: found by names and shapes that match, not by a list."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

#: Keys under which training scripts put weights: of several that fit, the first of these is meant.
USUAL = ("state_dict", "model_state_dict", "model_state", "model", "net", "network", "weights", "params", "module")
_DEPTH = 6
_TRIED = 64


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and the keys under which they lie in the file; ``prefix`` is what was taken off their names."""

    place: str
    state: Mapping[str, Any]
    prefix: str = ""

    @property
    def said(self) -> str:
        return repr("/".join(part for part in (self.place, self.prefix) if part) or "the top")


def tensors_of(loaded: Any, place: str = "", depth: int = 0) -> Iterator[Weights]:
    """Every mapping of a file that holds tensors, and the tensors of every module that was stored as a whole."""
    if depth > _DEPTH:
        return
    from torch import Tensor

    state = _attributes(loaded)
    if "_parameters" in state:
        yield Weights(place, dict(_of_module(loaded)))
        return
    if isinstance(loaded, (list, tuple)):
        for index, item in enumerate(loaded):
            yield from tensors_of(item, f"{place}[{index}]", depth + 1)
        return
    if not isinstance(loaded, Mapping):
        return
    items = {**state, **loaded}
    found = {str(key): made for key, value in items.items() if (made := _tensor(value)) is not None}
    if found:
        yield Weights(place, found)
    for key, value in items.items():
        if not isinstance(value, Tensor):
            yield from tensors_of(value, f"{place}/{key}".lstrip("/"), depth + 1)


def _attributes(value: Any) -> Mapping[str, Any]:
    """What an object of the file was: see :class:`~costmodel.load.checkpoints.Inert`."""
    return vars(value) if isinstance(value, OrderedDict) else {}


def _tensor(value: Any) -> Any:
    import numpy as np
    import torch

    if isinstance(value, torch.Tensor):
        return value
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf" and value.dtype.itemsize <= 8:
        return torch.from_numpy(value.copy())
    return None


def _of_module(module: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Parameters and buffers of a module that was stored as a whole and is not made."""
    if depth > 64:
        return
    state = _attributes(module)
    left_out = state.get("_non_persistent_buffers_set") or ()
    for kind in ("_parameters", "_buffers"):
        for name, value in (state.get(kind) or {}).items():
            if _tensor(value) is not None and not (kind == "_buffers" and name in left_out):
                yield prefix + str(name), value
    for name, part in (state.get("_modules") or {}).items():
        yield from _of_module(part, f"{prefix}{name}.", depth + 1)


def fitting(found: list[Weights], own: Mapping[str, Any]) -> tuple[Weights, list[Weights]]:
    """Of all tensors of a file, those that fit a network best, under its names; and others that fit as well."""
    ranked: list[tuple[int, int, Weights]] = []
    for order, weights in enumerate(found):
        for renamed in _renamed(weights, own):
            fit = sum(key in renamed.state and renamed.state[key].shape == value.shape for key, value in own.items())
            ranked.append((fit, -_order(weights, order), renamed))
    best = max(ranked, key=lambda entry: entry[:2])
    others = [weights for fit, _, weights in ranked if fit == best[0] and weights is not best[2] and fit > 0]
    return best[2], [w for w in others if (w.place, w.prefix) != (best[2].place, best[2].prefix)]


def _order(weights: Weights, order: int) -> int:
    last = weights.place.rpartition("/")[2]
    return USUAL.index(last) if last in USUAL else len(USUAL) + order


def _renamed(weights: Weights, own: Mapping[str, Any]) -> Iterator[Weights]:
    """The tensors as they are, and with a beginning of their names taken off or put on that makes names match."""
    yield weights
    names = list(own)[:: max(1, len(own) // _TRIED)][:_TRIED]
    longer: Counter[str] = Counter()
    shorter: Counter[str] = Counter()
    for name in names:
        longer.update(k[: -len(name)] for k in weights.state if k.endswith(f".{name}"))
    keys = list(weights.state)[:: max(1, len(weights.state) // _TRIED)][:_TRIED]
    for key in keys:
        shorter.update(name[: -len(key)] for name in own if name.endswith(f".{key}"))
    for prefix, _ in longer.most_common(4):
        inside = {k.removeprefix(prefix): v for k, v in weights.state.items() if k.startswith(prefix)}
        yield Weights(weights.place, inside, prefix)
    for prefix, _ in shorter.most_common(2):
        yield Weights(weights.place, {prefix + k: v for k, v in weights.state.items()})
