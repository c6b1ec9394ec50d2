"""What a profile has to say in words: the multiplications a paper does not count, and what could not be counted."""

from __future__ import annotations

from collections.abc import Callable

from costmodel.ledger.ledger import Ledger, Profile

STEM = ("stem_conv", "fp_linear")


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
    """The sentence about the weight scale of normaliser-free networks; empty where there is nothing to say."""
    ledger = profile.deployed
    hidden = bare_weight_scales(ledger)
    if not hidden:
        return ""
    everything = ledger.total("mul")
    tags = ledger.by_kind_and_tag()
    ends = sum(tags.get(("mul", tag), 0) for tag in STEM)
    others = everything - hidden - ends
    rest = f", and {others:,} are elsewhere" if others else ""
    return (
        f"Of {everything:,} multiplications, {ends:,} are in the stem and the classifier, and {hidden:,} scale the "
        f"outputs of binary convolutions by a real number per channel{rest}. No exact rewrite removes those scales; "
        "the A&B BNN paper does not count them."
    )


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
