"""Units of hardware constants: written as published (``fJ``, ``um2``, ``GB/s``), held in SI or as counts.

A unit is a product of atoms, ``atom (* atom | / atom)*``; ``1`` is the empty product. Areas are held in mm², because
that is what people read; everything else in SI base units. Conversion is decimal, so 0.03 pJ becomes exactly the
double nearest to 3e-14.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

from costmodel.errors import CostmodelError

_PREFIXES = {"f": -15, "p": -12, "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12}
_PREFIXED = ("J", "s", "Hz", "W", "V", "F", "A", "B")
_COUNTED = (
    "1", "bit", "byte", "word", "cycle", "instr", "op", "MAC", "bMAC", "element", "lane", "pixel", "access", "inf",
    "px", "channel", "layer", "call", "unit", "core", "image", "transistor", "gate", "LUT", "LUT4", "LUT6", "FF",
    "CARRY", "CARRY4", "BRAM18", "BRAM36", "EBR", "SPRAM", "URAM", "DSP", "slice", "m", "mm", "um", "nm", "degC", "K",
)  # fmt: skip


def _table() -> dict[str, tuple[str, int]]:
    atoms = {name: (name, 0) for name in _COUNTED}
    for base in _PREFIXED:
        for prefix, power in _PREFIXES.items():
            atoms[prefix + base] = (base, power)
    atoms.update({"mm2": ("mm2", 0), "um2": ("mm2", -6), "nm2": ("mm2", -12), "m2": ("mm2", 6)})
    atoms["byte"] = ("B", 0)
    return atoms


_ATOMS = _table()


@lru_cache(maxsize=512)
def canonical(unit: str) -> tuple[str, int]:
    """The unit in base form and the power of ten that converts to it: ``"fJ/bit"`` gives ``("J/bit", -15)``.

    Raises :class:`CostmodelError` for a unit that is not known.
    """
    parts = re.split(r"([*/])", unit.replace(" ", ""))
    names: list[str] = []
    power = 0
    for position in range(0, len(parts), 2):
        atom = parts[position]
        if atom not in _ATOMS:
            raise CostmodelError(
                f"unknown unit {unit!r}: {atom!r} is not one of the SI units {', '.join(_PREFIXED)} with a prefix, "
                f"mm2, um2, nor a counted unit ({', '.join(_COUNTED)})"
            )
        base, exponent = _ATOMS[atom]
        inverse = position > 0 and parts[position - 1] == "/"
        power += -exponent if inverse else exponent
        names.append(("/" if inverse else "*") + base if position else base)
    return "".join(names), power


def to_base(value: float, power: int) -> float:
    """``value * 10**power``, rounded once."""
    return float(Decimal(repr(value)).scaleb(power)) if power else float(value)
