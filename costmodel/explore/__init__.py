"""Design spaces: exact fronts of foldings and mappings, sweeps, search. ``costmodel.explore(space)`` is the verb."""

from costmodel.verb import callable_package

callable_package(__name__, "costmodel.explore.verbs:explore")
