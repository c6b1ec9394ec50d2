"""Published operation counts, which a network and a convention must give to their last printed digit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from fractions import Fraction

from costmodel.ledger.conventions import convention
from costmodel.ledger.ledger import Profile
from costmodel.targets.quantity import Interval
from costmodel.validate.cases_arm import MODELS
from costmodel.validate.rows import Result, Row, Skipped

#: model of a row -> name in the zoo
NETWORKS = {
    "BNN-ResNet-18": "bn-bnn18",
    "XNOR-ResNet-18": "bn-xnor18",
    "Bi-ResNet-18": "bn-bireal18",
    "Bi-ResNet-34": "bn-bireal34",
    "ReActNet-18": "bn-reactnet18",
    "ReActNet-A": "bn-reactneta",
    "ReActNet-Adam(=A)": "bn-reactneta",
    "ReActNet-18 (BN-Free)": "bnfree-reactnet18",
    "ReActNet-A (BN-Free)": "bnfree-reactneta",
    "A&B ReActNet-18": "abbnn-reactnet18",
    "A&B ReActNet-A": "abbnn-reactneta",
    "XNOR-Net ResNet-18": "bn-xnor18",
    "Bi-Real Net-18": "bn-bireal18",
    "Real-to-Binary": "realtobinarynet",
    **{model: name for model, (name, _) in MODELS.items()},
}
#: metric of a row -> convention, its terms (empty: all), divisor to the row's unit
METRICS: dict[str, tuple[str, tuple[str, ...], float]] = {
    "binary_macs": ("larq", ("1-bit MACs",), 1.0),
    "fp32_macs": ("larq", ("32-bit MACs",), 1.0),
    "fp_macs": ("larq", ("32-bit MACs",), 1.0),
    "real_multiplications_M": ("paper-abbnn", (), 1e6),
    "OPs=fpMAC+bMAC/64": ("ops64", (), 1.0),
    "ACE_e9": ("ace", (), 1e9),
}
GROUPS = {
    "larq": "Counts, multiply-accumulates by precision",
    "paper-abbnn": "Counts, multiplications as the A&B BNN paper counts them",
    "ops64": "Counts, OPs of the ReActNet table",
    "ace": "Counts, arithmetic computation effort",
}
#: Published figures that follow another rule than the convention, and which.
OTHER_RULES = {
    "mo_reactnet-18_bn-free": "the paper also charges the scale before each sign, which the sign does not see",
    "mo_reactnet-a": "the paper counts average pooling at four multiplications per output here, at one elsewhere",
    "mo_reactnet-a_bn-free": "the paper also charges the scale before each sign, which the sign does not see",
    "mo_xnor-resnet-18": "batch norm on inputs, a scale on outputs and a map of magnitudes; no code is published",
    "mo_bi-resnet-34": "the paper counts average pooling twice here, once elsewhere",
    "ops_bi-real_net-18": "the table leaves the classifier out (163473408 without it)",
    "ops_xnor-net_resnet-18": "the table adds the scales of XNOR-Net, by no stated rule",
    "ops_real-to-binary": "the table adds the gates of the network, by no stated rule",
}


def results(rows: Sequence[Row], announce: Callable[[str], None]) -> list[Result | Skipped]:
    """Rows of kind ``count``."""
    import costmodel

    found: list[Result | Skipped] = []
    profiles: dict[str, Profile] = {}
    for row in rows:
        if row.kind != "count":
            continue
        if row.model not in NETWORKS or row.metric not in METRICS:
            found.append(Skipped(row, f"no network or convention for {row.model}, {row.metric}"))
            continue
        name = NETWORKS[row.model]
        if name not in profiles:
            profiles[name] = costmodel.profile(name, announce=announce)
        rule, terms, divisor = METRICS[row.metric]
        tally = convention(rule).count(profiles[name])
        by_term = tally.by_term()
        total = sum((by_term.get(t, Fraction(0)) for t in terms), Fraction(0)) if terms else tally.total
        value = float(total) / divisor
        note = f"exactly {int(total)}" if total.denominator == 1 else f"exactly {total}"
        if row.id in OTHER_RULES:
            note = f"{note}; {OTHER_RULES[row.id]}"
        found.append(Result(row, GROUPS[rule], rounded_to(value, row.value), note=note))
    return found


def rounded_to(value: float, printed: float) -> Interval:
    """``value`` as it would be printed: to the digits that ``printed`` shows."""
    if printed == 0 or not printed.is_integer():
        digits = len(repr(printed).partition(".")[2]) if printed else 2
        return Interval.exact(round(value, digits))
    digits = len(str(int(printed)).rstrip("0"))  # trailing zeros of a round figure are not digits
    step = 10 ** (len(str(int(printed))) - digits)
    return Interval.exact(float(math.floor(value / step + 0.5) * step))
