"""The names that the expressions in a report use: ``from costmodel.reports.names import *`` and each can be run."""

from importlib import metadata
from itertools import permutations

import costmodel
from costmodel.explore.front import read_front
from costmodel.ledger.conventions import convention
from costmodel.ledger.published import figures as published_figures
from costmodel.targets import load_target, options_of
from costmodel.targets.uncertainty import probability_cheaper
from costmodel.train.given import read_accuracies
from costmodel.train.records import accuracies
from costmodel.validate import validate
from costmodel.views.plots import breakdown

__all__ = [
    "accuracies",
    "breakdown",
    "convention",
    "costmodel",
    "load_target",
    "metadata",
    "options_of",
    "permutations",
    "probability_cheaper",
    "published_figures",
    "read_accuracies",
    "read_front",
    "validate",
]
