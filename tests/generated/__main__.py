"""Print a network and what is expected of it, or look for networks that are counted otherwise and cut them down.

``python -m tests.generated "several levels"`` prints the smallest networks of a rule that are counted otherwise;
``python -m tests.generated 17`` prints number 17; ``python -m tests.generated 0-500`` checks numbers 0 to 499 and
prints, for every set of features that goes with a mismatch, the smallest network that shows it.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from collections import Counter

import costmodel
from tests.generated.networks import Network, draw
from tests.generated.rules import RULES, networks


def difference(net: Network) -> str:
    """What is counted otherwise than by construction; empty if nothing is."""
    try:
        made = costmodel.profile(net.build(), net.inputs())
    except Exception as error:
        return f"raised {type(error).__name__}: {traceback.format_exc().splitlines()[-1]}"
    found = []
    for level, wanted in (("as_written", net.written), ("deployed", net.deployed)):
        got = Counter(made.ledger(level).by_kind())
        kinds = sorted(k for k in {*got, *wanted} if got[k] != wanted[k])
        found += [f"{level} {k} {got[k]} (by construction {wanted[k]})" for k in kinds]
    return "; ".join(found)


def smaller(net: Network) -> Network:
    """The same kind of mismatch with fewer blocks, as far as that goes."""
    best = net
    again = True
    while again:
        again = False
        for k in range(len(best.blocks)):
            fewer = draw(best.seed, blocks=best.blocks[:k] + best.blocks[k + 1 :])
            if difference(fewer):
                best, again = fewer, True
                break
    return best


def main(argument: str) -> int:
    warnings.simplefilter("ignore")
    if argument in RULES:
        wrong = [(net, what) for net in networks(argument) if (what := difference(net))]
        for net, what in wrong:
            print(f"{net.source}\n# {what}\n")
        print(f"{argument}: {len(wrong)} of {len(networks(argument))} networks are counted otherwise")
        return bool(wrong)
    first, _, last = argument.partition("-")
    if not last:
        net = draw(int(first))
        print(net.source)
        print(f"# features: {', '.join(sorted(net.features)) or 'none'}")
        print(
            f"# as written {dict(net.written)}\n# deployed   {dict(net.deployed)}\n# {difference(net) or 'as counted'}"
        )
        return 0
    groups: dict[frozenset[str], list[Network]] = {}
    good: Counter[str] = Counter()
    for seed in range(int(first), int(last)):
        net = draw(seed)
        if difference(net):
            groups.setdefault(net.features, []).append(net)
        else:
            good.update(net.features or ["none"])
    for features, nets in sorted(groups.items(), key=lambda item: len(item[0])):
        net = min((smaller(n) for n in nets[:3]), key=lambda n: len(n.source))
        print(
            f"== {len(nets)} networks with {', '.join(sorted(features)) or 'no feature'}, e.g. {net.seed} {net.blocks}"
        )
        print(f"   {difference(net)}")
    print("right, by feature:", dict(good))
    print(sum(map(len, groups.values())), "wrong")
    return bool(groups)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
