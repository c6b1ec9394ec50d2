"""Times of networks on x86 machines, as ``costmodel calibrate cpu`` and ``costmodel validate here`` took them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from costmodel.targets import estimate, list_targets
from costmodel.validate.rows import Result, Row, Skipped


def results(rows: Sequence[Row], announce: Callable[[str], None]) -> list[Result | Skipped]:
    """Rows of the machines of which a target is shipped: the packed executor on the deployed network, one thread."""
    import costmodel

    machines = list_targets("cpu")
    found: list[Result | Skipped] = []
    for row in rows:
        if row.target in machines:
            ledger = costmodel.profile(row.model, announce=announce).deployed
            latency = estimate(ledger, row.target).total("latency_s").scaled(1e3)
            found.append(Result(row, f"CPU latency, {row.target}", latency, target=row.target))
    return found
