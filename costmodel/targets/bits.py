"""One question for the numbers of every target: ``bits=real=16,weight=8,input=8``.

``real`` is the stream of values between real layers, ``weight`` the weights of real layers, ``input`` the values of the
network's input; what is left out keeps the target's default. Each kind of target has its own words for the answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.targets.schema import TargetKind
from costmodel.targets.spec import Parameter

#: What the question asks for, in order.
NAMES = ("real", "weight", "input")
BITS = Parameter("", "Widths of real values, weights of real layers and the network's input: real=16,weight=8,input=8")
#: kind of target -> its options for real values, weights and inputs; empty where they follow the real values.
OPTIONS_OF: dict[TargetKind, tuple[str, str, str]] = {
    "fpga": ("real_bits", "weight_bits", "input_bits"),
    "asic": ("real_format", "weight_bits", "input_bits"),
    "arm": ("precision", "", ""),
    "cpu": ("", "", ""),
}
FORMATS: dict[TargetKind, dict[int, str]] = {
    "asic": {8: "int8", 12: "int12", 16: "int16", 24: "int24", 32: "int32"},
    "arm": {8: "int8", 16: "fp16", 32: "fp32"},
}


def parse(text: str) -> dict[str, int]:
    """``"real=16,weight=8"`` as a mapping. Raises :class:`CostmodelError` for anything else."""
    found: dict[str, int] = {}
    for part in text.split(","):
        name, _, number = (piece.strip() for piece in part.partition("="))
        if name not in NAMES:
            raise UnknownNameError("numbers of option bits:", name, NAMES, "Write real=16,weight=8,input=8.")
        if not number.isdecimal() or not 1 <= int(number) <= 64 or name in found:
            raise CostmodelError(
                f"option bits={text!r}: expected each of {', '.join(NAMES)} once at most, 1 to 64 bits"
            )
        found[name] = int(number)
    return found


def expand(options: Mapping[str, Any], kind: TargetKind) -> dict[str, Any]:
    """Options of a target with the answer to ``bits`` in its own words.

    Raises :class:`CostmodelError` where the target has no such width, or where an option says it as well.
    """
    chosen = {name: value for name, value in options.items() if name != "bits"}
    text = options.get("bits", "")
    if not isinstance(text, str):
        raise CostmodelError(f"option bits={text!r}: expected text such as real=16,weight=8,input=8")
    if not text:
        return chosen
    own = dict(zip(NAMES, OPTIONS_OF[kind], strict=True))
    asked = parse(text)
    if not any(own.values()):
        raise CostmodelError(f"option bits={text!r}: a target of kind {kind} was timed with the widths that it has")
    for name, width in asked.items():
        option = own[name]
        if not option:
            if width != asked.get("real"):
                raise CostmodelError(
                    f"option bits={text!r}: on this target {name} is as wide as real; give real={width}"
                )
            continue
        if option in chosen:
            raise CostmodelError(
                f"options bits={text!r} and {option}={chosen[option]!r} say the same: give one of them"
            )
        formats = FORMATS.get(kind, {}) if name == "real" else {}
        if formats and width not in formats:
            known = ", ".join(map(str, formats))
            raise CostmodelError(f"option bits={text!r}: real numbers of {width} bits; this target has {known}")
        chosen[option] = formats[width] if formats else width
    return chosen
