"""The tables of the README's headline, as the program answers today: python -m tools.headline.

Each stands in the README between ``<!-- NAME -->`` and the next empty line.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cache

import costmodel
from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import Profile
from costmodel.targets.estimate import Estimate
from costmodel.targets.quantity import Interval
from costmodel.targets.uncertainty import saving
from tools.readme import README

#: Network -> its name in the table.
NETWORKS = {
    "abbnn-reactnet18": "A&B ReActNet-18", "bn-reactnet18": "ReActNet-18", "bn-bireal18": "Bi-Real-18",
    "abbnn-reactneta": "A&B ReActNet-A", "bn-reactneta": "ReActNet-A",
}  # fmt: skip
#: Head of a column -> target, its options, what is said of it, in which unit.
COLUMNS: dict[str, tuple[str, dict[str, str], str, str]] = {
    "PYNQ-Z2, engine, mJ": ("pynq-z2", {"mode": "engine"}, "energy_J", "m"),
    "Alveo U250, pipeline, mJ": ("alveo-u250", {"mode": "dataflow"}, "energy_J", "m"),
    "Raspberry Pi 4B, ms": ("raspberry-pi-4b", {}, "latency_s", "m"),
    "45 nm (Horowitz), mJ": ("asic-45nm-horowitz", {}, "energy_J", "m"),
    "130 nm (SKY130), mJ": ("asic-130nm-sky130", {}, "energy_J", "m"),
}
#: What is saved -> the network that saves it, and the one that it is compared with.
SAVINGS = {
    "A&B instead of batch normalisation, ReActNet-18": ("abbnn-reactnet18", "bn-reactnet18"),
    "A&B instead of batch normalisation, ReActNet-A": ("abbnn-reactneta", "bn-reactneta"),
    "quantised PReLU instead of PReLU, ReActNet-18": ("abbnn-reactnet18", "bnfree-reactnet18"),
    "quantised PReLU instead of PReLU, ReActNet-A": ("abbnn-reactneta", "bnfree-reactneta"),
}


@cache
def _profile(network: str) -> Profile:
    return costmodel.profile(network)


@cache
def _estimate(network: str, column: str) -> Estimate:
    target, options, _, _ = COLUMNS[column]
    return _profile(network).estimate(target, **options)


def _figure(value: float) -> str:
    """Three significant digits, zeros at the end included."""
    return f"{value:#.3g}".rstrip(".")


def _cell(total: Interval) -> str:
    low, nominal, high = (_figure(1e3 * x) for x in (total.low, total.value, total.high))
    return f"{nominal} [{low}, {high}]"


def _share(share: Interval) -> str:
    nominal, low, high = (round(100 * x, 1) + 0.0 for x in (share.value, share.low, share.high))  # no "-0.0"
    return f"{nominal:.1f} [{low:.1f}, {high:.1f}]"


def _markdown(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    heads = list(heads)
    lines = [heads, ["---", *("--:" for _ in heads[1:])], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def headline() -> str:
    rows = []
    for network, title in NETWORKS.items():
        profile = _profile(network)
        counts = [profile.deployed.total("mul"), convention("paper-abbnn").count(profile).number]
        costs = [_cell(_estimate(network, column).total(COLUMNS[column][2])) for column in COLUMNS]
        rows.append([title, *(f"{count:,}" for count in counts), *costs])
    return _markdown(["network", "mul, strict", "mul, as the paper counts", *COLUMNS], rows)


def savings() -> str:
    rows = []
    for title, (less, more) in SAVINGS.items():
        shares = [saving(_estimate(less, c), _estimate(more, c), COLUMNS[c][2]) for c in COLUMNS]
        rows.append([title, *map(_share, shares)])
    return _markdown(["saved, %", *(head.rsplit(",", 1)[0] for head in COLUMNS)], rows)


TABLES: dict[str, Callable[[], str]] = {"headline": headline, "savings": savings}


def made(text: str) -> str:
    """``text`` with every table made again."""
    for name, table in TABLES.items():
        text, found = re.subn(rf"(?<=<!-- {name} -->\n)(?:\|.*\n)*", lambda _: table(), text)  # noqa: B023
        assert found == 1, name
    return text


def main() -> None:
    from costmodel.files import atomic_write

    atomic_write(README, made(README.read_text(encoding="utf-8")))


if __name__ == "__main__":
    main()
