"""Which members of a front are certain: the front again, under the bounds and under joint draws of the constants."""

from __future__ import annotations

from typing import Any

import numpy as np

from costmodel.errors import CostmodelError
from costmodel.explore.front import Front, Member
from costmodel.explore.intervals import Membership, membership
from costmodel.explore.ledgers import ledger_of
from costmodel.explore.networks import of_command
from costmodel.explore.space import ALL_KINDS
from costmodel.metrics import maximised, objective_names
from costmodel.targets.estimate import Estimate
from costmodel.targets.uncertainty import sample

#: Fronts with more members are not priced again: each takes a few milliseconds, and each draw is a front.
MEMBERS = 500
DRAWS = 400


def certainty(front: Front, level: str = "deployed", draws: int = DRAWS) -> Membership:
    """How certain the members are, compared with each other.

    ``certain``: no other member dominates it, whatever values both take within their bounds; the rest is probable.
    ``share``: of joint draws of all constants, how often the member is on the front. Constants that two members share
    are the same for both in a draw, so an error that moves both leaves their order as it is.

    Raises :class:`CostmodelError` for a front of more than ``MEMBERS`` members.
    """
    if len(front) > MEMBERS:
        raise CostmodelError(
            f"the front of {front.kind} {front.label} has {len(front)} members, and at most {MEMBERS} are priced again "
            "to say how certain they are. Choose fewer objectives, or constraints"
        )
    if front.kind == ALL_KINDS:
        raise CostmodelError("how certain members are is said of one kind of target: give fronts: together")
    bills = [_bill(member, level) for member in front.members]
    value = front.points()
    low, high = value.copy(), value.copy()
    drawn = np.broadcast_to(value, (draws, *value.shape)).copy()
    for column, name in enumerate(front.objectives):
        metric = _metric(name, bills[0])
        if metric is None:
            continue
        totals = [bill.total(metric) for bill in bills]
        low[:, column] = np.minimum([total.low for total in totals], value[:, column])
        high[:, column] = np.maximum([total.high for total in totals], value[:, column])
        drawn[:, :, column] = np.column_stack(sample(bills, metric, draws))
    maximise = [maximised(name) for name in front.objectives]
    return membership(value, low, high, maximise=maximise, draws=drawn)


def _metric(name: str, bill: Estimate) -> str | None:
    """The sum of lines behind an objective; None where it is exact."""
    if name == "seconds_per_image":
        return None if bill.has("steady_images_per_second") else "latency_s"
    return None if name in (*objective_names(), "clock_Hz") else name


def _bill(member: Member, level: str) -> Estimate:
    from costmodel.targets import estimate

    ledger = ledger_of(of_command(member.command), level)
    settings: dict[str, Any] = dict(member.settings)
    if member.folding is not None:
        settings |= {"folding": _finn(member), "mode": "dataflow"}
        if "seconds_per_image" in member.metrics:  # what is not folded is built for this rate; a hair less rounds to it
            settings["fps"] = (1 - 1e-9) / member.metrics["seconds_per_image"]
    return estimate(ledger, member.target, **settings)


def _finn(member: Member) -> dict[str, Any]:
    """The folding of a member as FINN's file has it."""
    assert member.folding is not None
    data: dict[str, Any] = {}
    windows = 0
    for position, fold in enumerate(member.folding.values()):
        unit = {"PE": fold["PE"], "SIMD": fold["SIMD"], "ram_style": fold["weights"]}
        data[f"MVAU_hls_{position}"] = unit
        if fold.get("window", "auto") != "auto":
            data[f"ConvolutionInputGenerator_rtl_{windows}"] = {"ram_style": fold["window"]}
            windows += 1
    return data
