"""Who makes the units of an FPGA design, by which their fixed shares and their registers differ."""

from __future__ import annotations

from typing import Literal

#: How a unit is written. ``hls``: high-level synthesis as in finn-hlslib, weights loaded at run time; ``compressor``
#: and ``behavioural``: register-transfer level with a hand-built compressor tree or a plain sum. The popcount alone
#: differs by a factor of 1.7 between the last two.
Impl = Literal["hls", "compressor", "behavioural"]
IMPLS: tuple[Impl, ...] = ("hls", "compressor", "behavioural")
#: Whose units they are, where it makes a difference. ``hls``: the overlays of BNN-PYNQ, one program of a
#: whole pipeline; ``finn``: units that FINN's compiler makes one by one, with windows and width converters in RTL;
#: ``finn-hls``: those of FINN before 0.10, whose windows and converters are by high-level synthesis as well.
Maker = Literal["hls", "compressor", "behavioural", "finn", "finn-hls"]


def by_hls(maker: Maker) -> bool:
    """Whether high-level synthesis makes the matrix units, whose weights and thresholds the host loads."""
    return maker not in ("compressor", "behavioural")


def product_law(maker: Maker) -> str:
    """The part of a constant's name that says whose products and sums it prices, in LUTs: one law for all that
    high-level synthesis makes."""
    return "hls" if by_hls(maker) else maker


def unit_law(maker: Maker) -> str:
    """The part of a constant's name that says whose registers and fixed shares it prices."""
    return "finn" if maker == "finn-hls" else maker


def is_finn(maker: Maker) -> bool:
    """Whether FINN's compiler makes the units one by one."""
    return maker in ("finn", "finn-hls")


def maker(impl: Impl, streams: str) -> Maker:
    """Who makes a pipeline whose matrix units are written as ``impl`` says, with ``streams`` of an option's choice."""
    if impl != "hls" or streams == "pixel":
        return impl
    return "finn-hls" if streams == "unit-hls" else "finn"
