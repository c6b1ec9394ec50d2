"""Random networks whose operations are known by construction.

A network is drawn as a graph of abstract operations (:mod:`tests.generated.sketch`), each of which is spelled in one of
the ways in which people write it. What it costs as written is added up while it is spelled; what it costs once it is
deployed follows from the abstract graph alone (:mod:`tests.generated.expected`), by rules that are stated there and
share no code with the tool. ``python -m tests.generated 17`` prints network 17 and what is expected of it.
"""
