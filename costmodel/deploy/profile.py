"""From an unmodified ``nn.Module`` to its profile: what runs, and what is left of it where it is deployed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costmodel.collector import without_collector
from costmodel.deploy import deploy
from costmodel.deploy.thresholds import provenance_of
from costmodel.graph.vocabulary import THRESHOLD_BITS
from costmodel.ledger.ledger import Profile
from costmodel.ledger.rules import charge
from costmodel.trace import trace

if TYPE_CHECKING:
    from torch import nn


def profile(
    model: nn.Module, inputs: Any, *, name: str = "", trained: bool = False, seed: int = 0,
    threshold_bits: int = THRESHOLD_BITS,
) -> Profile:  # fmt: skip
    """Count what ``model`` does at inference on ``inputs``, as written and as deployed; see :func:`trace`."""
    with without_collector():
        graph = trace(model, inputs, name=name, trained=trained, seed=seed)
        deployed = deploy(graph, threshold_bits)
        shapes = tuple(leaf.shape for leaf in graph.inputs if not leaf.foreign)
        return Profile(
            graph.network, shapes, graph.parameters, charge(graph, "as_written"), charge(deployed, "deployed"),
            deployed.rewrites, graph.caveats, provenance_of(seed, trained, threshold_bits),
        )  # fmt: skip
