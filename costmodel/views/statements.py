"""What a profile has to say in words: the multiplications a paper does not count, and what could not be counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

from costmodel.ledger.ledger import Ledger, Profile

#: Sums over real weights, and of two activations.
REAL_SUMS = ("stem_conv", "fp_conv", "fp_linear", "matmul")
#: What is multiplied by, by the tag of a charge, where it is not a sum.
CAUSES: Mapping[str, str] = {
    "weight_scale": "scales of weights", "act_scale": "sizes of activations", "bn_scale": "batch norms",
    "const_mul": "constants of the program", "prelu": "slopes of PReLUs", "avgpool": "counts of pooling windows",
    "gap": "counts of global means", "normalize": "statistics of the input", "gate": "other activations",
    "resample": "weights of resampling", "activation": "activation functions",
}  # fmt: skip


def bare_weight_scales(ledger: Ledger) -> int:
    """Multiplications by the scale of binary weights that no batch norm absorbs.

    With batch norm, its own scale takes that of the weights along and there is one multiplication for both. Without, as
    in A&B BNN, the scale of the weights is itself the multiplication.
    """
    return sum(
        charge.count
        for charge in ledger.charges
        if charge.kind == "mul" and "weight_scale" in charge.tag.split("+") and "bn_scale" not in charge.tag.split("+")
    )


def hidden_multiplications(profile: Profile) -> str:
    """The sentence about the weight scale of normaliser-free networks; empty where there is nothing to say.

    Every multiplication that is left is named by its cause.
    """
    ledger = profile.deployed
    hidden = bare_weight_scales(ledger)
    if not hidden:
        return ""
    sums, others = 0, Counter[str]()
    for charge in ledger.charges:
        tags = charge.tag.split("+")
        if charge.kind != "mul":
            continue
        if charge.tag in REAL_SUMS:
            sums += charge.count
        elif "weight_scale" not in tags or "bn_scale" in tags:
            others[" and ".join(CAUSES.get(tag, "other operations") for tag in tags if tag != "bias")] += charge.count
    causes = [f"{sums:,} are in sums over real numbers"] * bool(sums)
    causes.append(f"{hidden:,} scale sums over binary weights by a real number per {_each(ledger)}")
    causes += [f"{count:,} are by {cause}" for cause, count in others.most_common()]
    listed = causes[0] if len(causes) == 1 else f"{', '.join(causes[:-1])}, and {causes[-1]}"
    paper = " The A&B BNN paper does not count them." if profile.network.startswith("abbnn-") else ""
    return f"Of {ledger.total('mul'):,} multiplications, {listed}. What reads these sums needs their size.{paper}"


def _each(ledger: Ledger) -> str:
    """Whether the scales of binary weights differ by channel."""
    bare = {c.layer for c in ledger.charges if c.kind == "mul" and "weight_scale" in c.tag.split("+")}
    kinds = {"channel" if place.per_channel else "layer" for place in ledger.scales if place.layer in bare}
    return " or ".join(sorted(kinds)) or "channel"


def published(profile: Profile, show: Callable[[int], str], *conventions: str) -> list[str]:
    """What was printed about this network under these conventions, and what a figure counts or leaves out next to them.

    ``show`` writes a number.
    """
    from costmodel.ledger.published import figures

    lines = []
    for figure in figures(profile.network):
        if figure.convention in conventions:
            (rule, total), *others = ((why, int(value)) for why, value in figure.explain(profile))
            terms = [f"{show(int(total)) or 0} by {rule}"]
            terms += [f"{'plus' if value > 0 else 'less'} {show(abs(value))}, {why}" for why, value in others if value]
            lines.append(f"printed as {figure.printed} in {figure.source}: {'; '.join(terms)}")
    return lines


def caveats(profile: Profile) -> list[str]:
    """What the tracer could not see through, one line each; the same message is said once."""
    return list(dict.fromkeys(f"{caveat.kind}: {caveat.message}" for caveat in profile.caveats))


#: Caveats after which the counts are not the whole truth.
INCOMPLETE = ("unknown_op", "foreign", "branch")


def incomplete(profile: Profile) -> bool:
    """Whether anything in the network could not be counted."""
    return bool(profile.deployed.unknown() or profile.as_written.unknown()) or any(
        caveat.kind in INCOMPLETE for caveat in profile.caveats
    )
