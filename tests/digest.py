"""A digest of what the tool answers: both ledgers of every network of the zoo, and its estimate on every target.

``python -m tests.digest`` says what changed against ``tests/digest.csv``; with ``--write`` the file is made again. A
change of the code that is to leave the numbers alone leaves this file alone; one that changes them shows which.

Only numbers enter: counts, bits, totals with their bounds, foldings. Words (notes, titles, module names) do not.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import sys
from collections.abc import Iterable
from dataclasses import astuple
from pathlib import Path
from typing import Any

from costmodel import list_models, list_targets, profile
from costmodel.errors import CostmodelError
from costmodel.ledger.ledger import Ledger, Profile
from costmodel.targets import estimate
from costmodel.targets.estimate import Estimate

FILE = Path(__file__).with_suffix(".csv")
LEVELS = ("as_written", "deployed")
#: Exact results of a design that are digested next to its totals.
FACTS = ("mode", "interval_cycles", "latency_cycles", "folding", "clock_Hz")


def of_ledger(ledger: Ledger) -> str:
    layers = [(layer.op, layer.inputs, layer.shape_in, layer.shape_out, layer.n_terms, layer.macs, layer.shape_b,
               layer.a.bits, layer.out.bits, layer.b.bits if layer.b else 0) for layer in ledger.layers]  # fmt: skip
    charges = [(c.layer, c.kind, c.tag, c.count, c.bits_a, c.bits_b, c.bits_acc) for c in ledger.charges]
    traffic = [(t.layer, t.role, t.count, t.bits) for t in ledger.traffic]
    scales = [astuple(scale)[:4] for scale in ledger.scales]
    return _hash([layers, charges, traffic, scales])


def of_estimate(answer: Estimate) -> str:
    totals = {name: (i.value, i.low, i.high) for name, i in answer.totals().items()}
    facts = {name: answer.facts[name] for name in FACTS if name in answer.facts}
    return _hash([sorted(totals.items()), facts, bool(answer.misfit)])


def rows(networks: Iterable[str]) -> Iterable[dict[str, str]]:
    targets = list_targets()
    for number, name in enumerate(networks):
        print(f"\r{number + 1} {name:40}", end="", file=sys.stderr, flush=True)
        made = profile(name, use_cache=False)
        row = {"network": name, **{level: of_ledger(made.ledger(level)) for level in LEVELS}}
        row.update({target: _priced(made, target) for target in targets})
        yield row
    print(file=sys.stderr)


def _priced(made: Profile, target: str) -> str:
    try:
        return of_estimate(estimate(made, target))
    except CostmodelError:
        return "refused"


def _hash(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, default=str).encode()).hexdigest()[:10]


def changes(now: list[dict[str, str]], then: list[dict[str, str]]) -> Iterable[str]:
    before = {row["network"]: row for row in then}
    for row in now:
        known = before.pop(row["network"], {})
        fields = [name for name, value in row.items() if known.get(name) != value]
        if fields:
            yield f"{row['network']}: {', '.join(fields)}"
    yield from (f"{name}: gone" for name in before)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--write", action="store_true", help=f"make {FILE.name} again")
    parser.add_argument("pattern", nargs="?", default="*", help="networks to look at (default: all)")
    args = parser.parse_args()
    now = list(rows(list_models(args.pattern)))
    if args.write:
        with FILE.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(now[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(now)
        print(f"wrote {FILE}")
        return 0
    with FILE.open(newline="") as file:
        then = [
            row for row in csv.DictReader(file) if args.pattern == "*" or row["network"] in {r["network"] for r in now}
        ]
    found = list(changes(now, then))
    print("\n".join(found) if found else f"{len(now)} networks: no number changed")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
