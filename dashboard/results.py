"""The results that are shipped: every network of the zoo on every target, priced once, and the ledgers behind them.

``python -m costmodel.dashboard.results`` makes them again (minutes); the application reads them without torch.

data/designs.json.gz          totals with their intervals, one row per network and target
data/profiles/NAME.json.gz    the ledgers of a network, from which any design is priced anew when it is looked at
"""

from __future__ import annotations

import gzip
import hashlib
import sys
import zlib
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import Profile
from costmodel.metrics import headlines

if TYPE_CHECKING:
    from costmodel.targets.estimate import Estimate
    from costmodel.targets.spec import Target

DATA = Path(__file__).parent / "data"
FORMAT = 3


class NetworkRow(msgspec.Struct, frozen=True):
    """A network as it is listed. ``arguments`` are those of its builder, empty for the network of the catalogue."""

    name: str
    model: str
    arguments: dict[str, str | int | float | bool]
    family: str
    topology: str
    normaliser: str
    dataset: str
    bits: str
    metrics: dict[str, float]
    source: str


class TargetRow(msgspec.Struct, frozen=True):
    name: str
    kind: str
    title: str


class DesignRow(msgspec.Struct, frozen=True):
    """A network on a target, priced with the target's defaults; its headline metrics are (value, low, high).

    ``notes``, ``scope`` (of what the energy is) and ``left_out`` (by metric, what its figure does not hold) are those
    of the estimate.
    """

    network: str
    target: str
    misfit: str
    metrics: dict[str, tuple[float, float, float]]
    scope: str = ""
    notes: tuple[str, ...] = ()
    left_out: dict[str, tuple[str, ...]] = {}


class Results(msgspec.Struct, frozen=True):
    format: int
    networks: list[NetworkRow]
    targets: list[TargetRow]
    designs: list[DesignRow]


def read(folder: Path = DATA) -> Results:
    """The shipped results. Raises :class:`CostmodelError` that says how to make them where they cannot be read."""
    path = folder / "designs.json.gz"
    again = "Make them with: python -m costmodel.dashboard.results"
    try:
        found = msgspec.json.decode(gzip.decompress(path.read_bytes()), type=Results)
    except FileNotFoundError:
        raise CostmodelError(f"there are no results in {path.parent}. {again}") from None
    except (OSError, EOFError, msgspec.MsgspecError, zlib.error) as error:
        raise CostmodelError(f"the results {path} cannot be read: {error}. {again}") from None
    if found.format != FORMAT:
        raise CostmodelError(f"the results {path} have format {found.format}, expected {FORMAT}. {again}")
    return found


@lru_cache(maxsize=16)
def profile(name: str, folder: Path = DATA) -> Profile:
    """The ledgers of a network of the results. ``name`` must be one of theirs: it becomes part of no path."""
    path = folder / "profiles" / _file(name)
    try:
        return msgspec.json.decode(gzip.decompress(path.read_bytes()), type=Profile)
    except (OSError, EOFError, msgspec.MsgspecError, zlib.error) as error:
        raise CostmodelError(
            f"the ledgers of {name} are missing or broken ({error.__class__.__name__}). "
            "Make them with: python -m costmodel.dashboard.results"
        ) from None


def make(folder: Path = DATA) -> Results:
    """Profile every network, price it on every target, and write both. Imports torch where profiles are not stored."""
    from costmodel.files import atomic_write
    from costmodel.targets import list_targets, load_target

    targets = [TargetRow(n, k, load_target(n).title) for n, k in list_targets().items()]
    (folder / "profiles").mkdir(parents=True, exist_ok=True)
    networks, designs = [], []
    for row, made in _networks():
        payload = msgspec.json.encode(made)
        atomic_write(folder / "profiles" / _file(row.name), gzip.compress(payload, 9, mtime=0))
        networks.append(row)
        designs += [design_row(row.name, made, target.name) for target in targets]
        print(f"{row.name}: {len(targets)} targets", file=sys.stderr, flush=True)
    results = Results(FORMAT, networks, targets, designs)
    atomic_write(folder / "designs.json.gz", gzip.compress(msgspec.json.encode(results), 9, mtime=0))
    kept = {_file(row.name) for row in networks}
    for path in (folder / "profiles").glob("*.json.gz"):
        if path.name not in kept:
            path.unlink()
    return results


def _networks() -> Iterator[tuple[NetworkRow, Profile]]:
    """Every network of the catalogue, and every variant of one whose accuracy was measured."""
    import costmodel
    from costmodel.train.records import measured
    from costmodel.zoo import registry

    wanted: dict[str, tuple[str, dict[str, Any]]] = {name: (name, {}) for name in costmodel.list_models()}
    for record in measured():
        arguments: dict[str, Any] = dict(record.options)
        if record.width != 1.0:
            arguments["width"] = record.width
        if arguments:
            wanted.setdefault(title(record.network, arguments), (record.network, arguments))
    for name, (model, arguments) in wanted.items():
        entry = registry.entry(model)
        made = costmodel.profile(model, arguments=arguments or None)
        of = (entry.family, entry.topology, entry.normaliser)
        yield network_row(name, model, arguments, made, *of, dataset=entry.dataset, source=entry.source), made


def network_row(
    name: str, model: str, arguments: dict[str, Any], made: Profile, family: str = "", topology: str = "",
    normaliser: str = "", *, dataset: str, source: str = "",
) -> NetworkRow:  # fmt: skip
    """The row of a profiled network, with the metrics that are the network's alone."""
    from costmodel.ledger.conventions import convention

    metrics = {c: float(convention(c).count(made).total) for c in ("ops64", "macs")}
    metrics |= {
        "mul": made.deployed.total("mul"),
        "weight_bits": made.deployed.weight_bits(),
        "parameters": made.parameters,
    }
    return NetworkRow(
        name, model, arguments, family, topology, normaliser, dataset, _bits(made), metrics, source
    )  # fmt: skip


def title(model: str, arguments: dict[str, Any]) -> str:
    """The name of a variant: ``abbnn-reactnet18-cifar10 (width=0.125)``."""
    words = ", ".join(f"{k}={v:g}" if isinstance(v, float) else f"{k}={v}" for k, v in sorted(arguments.items()))
    return f"{model} ({words})" if words else model


def design_row(network: str, made: Profile, target: str | Target) -> DesignRow:
    """A network priced on a target; what the target cannot run says so."""
    from costmodel.targets import estimate as price

    on = target if isinstance(target, str) else target.name
    try:
        estimate = price(made, target)
    except CostmodelError as error:  # a target that cannot run this network says so; that is a result, too
        return DesignRow(network, on, str(error), {})
    return row_of(network, on, estimate)


def row_of(network: str, target: str, estimate: Estimate) -> DesignRow:
    """An estimate as it is listed."""
    metrics = {}
    for name in headlines():
        if estimate.has(name):
            total = estimate.total(name)
            metrics[name] = (_round(total.value), _round(total.low), _round(total.high))
    left_out = {name: why for name, why in estimate.left_out.items() if name in metrics}
    misfit = "; ".join(estimate.misfit)
    return DesignRow(network, target, misfit, metrics, estimate.scope, estimate.notes, left_out)


def _bits(made: Profile) -> str:
    """Widths of weights and activations in the layers that do most of the products: ``W1A1``."""
    shares: dict[str, int] = {}
    for layer in made.as_written.layers:
        if layer.macs and layer.b is not None:
            name = f"W{layer.b.bits}A{layer.a.bits}"
            shares[name] = shares.get(name, 0) + layer.macs
    return max(shares, key=lambda name: shares[name], default="none")


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def _file(name: str) -> str:
    """A file name that depends on the whole name and holds nothing that a path could mean."""
    plain = "".join(c if c.isalnum() or c in "-_." else "-" for c in name)
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:6]}.json.gz"


if __name__ == "__main__":
    found = make()
    print(f"{len(found.networks)} networks on {len(found.targets)} targets in {DATA}")
