"""Choices of single layers: in how many bits each is, and what multiplies by its scale.

    networks:
      - model: net.py:build
        input: 1x3x32x32
        layer_bits: {conv1: [w8a8, w4a4], "layer*.conv": [unchanged, w4a4, w2a2], fc: [w8, w4]}
        layer_scales: {"*": [exact, csd2]}

Every name, or shell pattern of names, is an axis of its own, so there are soon more networks than can be made: they are
counted off up to :data:`MOST`, and searched beyond.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice, product

from costmodel.errors import CostmodelError
from costmodel.explore.networks import LAYERS, Network
from costmodel.explore.space import DesignSpace
from costmodel.load.quantised import UNCHANGED

#: Networks that are traced to count off a space.
MOST = 10_000
BITS, SCALES = LAYERS


def size(network: Network) -> int:
    """How many networks it stands for."""
    return math.prod(len(layer.values) for layer in network.layers)


def each(network: Network) -> Iterator[Network]:
    """All of them, the choice of the last layer varying fastest."""
    for values in product(*(layer.values for layer in network.layers)):
        yield chosen(network, values)


def chosen(network: Network, values: Sequence[str]) -> Network:
    """The network with one of the values of each of its layers. What is known of its accuracy is of it as written."""
    picked = list(zip(network.layers, values, strict=True))
    bits = ",".join(f"{layer.name}={v}" for layer, v in picked if layer.key == BITS)
    scale = ",".join(f"{layer.name}={v}" for layer, v in picked if layer.key == SCALES)
    bits = bits if any(v != UNCHANGED for layer, v in picked if layer.key == BITS) else ""
    scale = scale if any(v != "exact" for layer, v in picked if layer.key == SCALES) else ""
    if not bits and not scale:
        return replace(network, layers=())
    arguments = (*network.arguments, (BITS, bits)) if bits else network.arguments
    called = network.name + (f",{BITS}={bits}" if bits else "") + (f",{SCALES}={scale}" if scale else "")
    return replace(
        network, layers=(), arguments=arguments, scale=scale or network.scale, called=called, figures=()
    )  # fmt: skip


def whole(space: DesignSpace) -> DesignSpace:
    """The space with every choice of layers as a network of its own. Raises :class:`CostmodelError` for too many."""
    if not any(network.layers for network in space.networks):
        return space
    count = sum(map(size, space.networks))
    if count > MOST:
        raise CostmodelError(
            f"the choices of layers make {count:,} networks, and up to {MOST:,} are counted off: search them with "
            "--search N and -o DIR, or choose for several layers at once by a pattern of their names"
        )
    found = [one for network in space.networks for one in islice(each(network), MOST)]
    return replace(space, networks=tuple(dict.fromkeys(found)))
