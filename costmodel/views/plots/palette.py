"""The design system: colours that the colour-blind can tell apart, the same on screen and on paper.

The categorical colours are those of Okabe and Ito (Color Universal Design, 2008) without black, with purple, darkened
where they would be too faint on white: each has a contrast of at least 3:1 with the grounds of both themes (WCAG
1.4.11). Where more categories are needed than colours, symbols and labels carry the difference.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

CYCLE = ("#0072B2", "#D55E00", "#009E73", "#CF6F9E", "#9A8B20", "#3E94C8", "#7D6AC0", "#7F7F7F")
#: Series of a cycle of colours also differ in symbol, so that no figure depends on colour alone.
SYMBOLS = ("circle", "square", "triangle-up", "diamond", "triangle-down", "pentagon", "star", "hexagon")

#: Kinds of operations: what multiplies is warm, what is one bit is blue, what only wires is grey.
KIND_COLOURS = {
    "mul": "#D55E00",
    "add": "#0072B2",
    "compare": "#009E73",
    "xnor": "#56B4E9",
    "and": "#9AD0F5",
    "popcount": "#005A8C",
    "shift_const": "#B9B9B9",
    "shift_channel": "#8F8F8F",
    "shift_var": "#5F5F5F",
    "signflip": "#E69F00",
    "lut": "#CC79A7",
    "special": "#8A6D00",
    "unknown": "#7A0019",
}
ROLE_COLOURS = {"input": "#56B4E9", "output": "#0072B2", "weight": "#E69F00", "parameter": "#8A6D00"}


@dataclass(frozen=True, slots=True)
class Theme:
    """Ground, ink and lines of one mode. Ink on ground has a contrast of at least 7:1, muted of at least 4.5:1."""

    name: str
    ground: str
    panel: str
    ink: str
    muted: str
    line: str
    accent: str
    faded: str
    #: Sequential scale of densities, from few to many.
    density: tuple[str, ...]


LIGHT = Theme(
    "light", "#FFFFFF", "#F6F7F9", "#1B1F24", "#57606A", "#D5D9DF", "#00598C", "#7D8590",
    ("#EEF4F9", "#B7D3E6", "#6FA8CC", "#2C78A8", "#0B4468"),
)  # fmt: skip
DARK = Theme(
    "dark", "#14171C", "#1C2027", "#ECEFF3", "#A9B2BD", "#363D47", "#6CB8EA", "#7D8590",
    ("#1C2732", "#27465E", "#34709A", "#5AA2D1", "#BFE2F8"),
)  # fmt: skip
THEMES = {"light": LIGHT, "dark": DARK}


def marks(names: Iterable[str]) -> dict[str, tuple[str, str]]:
    """A colour and a symbol for each name, in order of first appearance: the first eight differ in both, and no two of
    the first 64 are the same."""
    table = {}
    for i, name in enumerate(dict.fromkeys(names)):
        turn, place = divmod(i, len(CYCLE))
        table[name] = (CYCLE[place], SYMBOLS[(place + turn) % len(SYMBOLS)])
    return table


def colours(names: Iterable[str], fixed: dict[str, str] | None = None) -> dict[str, str]:
    """A colour for each name, in order of first appearance; those in ``fixed`` keep theirs."""
    table: dict[str, str] = {}
    used = 0
    for name in dict.fromkeys(names):
        if fixed and name in fixed:
            table[name] = fixed[name]
        else:
            table[name] = CYCLE[used % len(CYCLE)]
            used += 1
    return table
