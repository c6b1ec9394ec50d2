"""Words that several sections share: how sure an answer is, what it is about, and lists in a sentence."""

from __future__ import annotations

from collections.abc import Sequence

from costmodel.metrics import leading
from costmodel.reports.content.subject import Hardware

#: From this probability on, one of two is said to be the cheaper.
DECIDED = 0.6
#: Up to so many networks the answer names each; of more, those at the ends.
EACH = 4


def certainty(probability: float) -> str:
    """A probability in per cent; never certainty where the sample cannot show it."""
    if probability >= 0.9995:
        return "over 99.9 %"
    return f"{100 * probability:.1f} %"


def join(parts: Sequence[str], word: str = "and") -> str:
    """Parts of a sentence: ``a, b and c``."""
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}" if len(parts) > 1 else "".join(parts)


def decisive(hardware: Hardware) -> str:
    """The metric that an answer is about: energy where a target prices it, else time."""
    return leading(m for e in hardware.estimates for m in e.metrics())
