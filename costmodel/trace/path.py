"""The recording of a model on the path that the model itself takes.

As long as Python reads no value that depends on the input, every run takes the same path, whatever is computed of such
values, and parameters are moved away from degenerate ones. As soon as it does, the run is made again in full; and where
the moved parameters lead another way, the model's own values decide. A number that Python takes and never looks at
(:mod:`costmodel.trace.late`) is not read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from costmodel.graph.vocabulary import Caveat
from costmodel.trace.copying import private_copy
from costmodel.trace.inputs import arguments
from costmodel.trace.perturb import perturb
from costmodel.trace.record import record
from costmodel.trace.recorder import LateNumberError, Look, OwnPathError
from costmodel.trace.values import Recording

if TYPE_CHECKING:
    from torch import nn


def recorded(
    model: nn.Module, inputs: Any, *, trained: bool, seed: int, keep_values: bool = False, look: Look = "crops"
) -> tuple[Recording, int]:
    """The recording of a private copy of ``model``, and how many numbers its parameters hold.

    ``look`` says what is computed of values that depend on the input. With ``keep_values`` all are, and it holds the
    tensors of its constants. Every run starts from the same state of the generator of random numbers.
    """
    state = torch.get_rng_state()

    def run(look: Look, trained: bool, late: bool) -> tuple[Recording, int]:
        torch.set_rng_state(state)
        args, kwargs = arguments(model, inputs)
        with torch._C._EnableTorchFunction():  # copying may run code of the model's
            private = private_copy(model, args, kwargs)
        count = sum(p.numel() for p in private.parameters())
        if not trained:
            perturb(private, seed)
        return record(private, args, kwargs, keep_values=keep_values, look=look, late=late), count

    def followed(look: Look, trained: bool) -> tuple[Recording, int]:
        late = True
        while True:
            try:
                return run(look, trained, late)
            except OwnPathError:
                look = "full"
            except LateNumberError:
                late = False

    found, parameters = followed("full" if keep_values else look, trained)
    if trained or not any(caveat.kind == "branch" for caveat in found.caveats):
        return found, parameters
    own, _ = followed("full", True)
    if own.program == found.program:
        return found, parameters
    message = (
        "with its parameters moved away from their initial values the program takes another path: they are taken as "
        "they are, as for a trained network"
    )
    own.caveats.append(Caveat("note", "", message))
    return own, parameters
