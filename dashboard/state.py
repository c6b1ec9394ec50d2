"""The state of the page in its link: which keys there are, and how a link is read. Writing is done in the browser.

Everything that comes out of a link is a word among words that are known, or text that is read by a grammar; nothing
else reaches the pages.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode

MAX_LENGTH = 8000
#: Longest value of a choice: a folding of a deep network in one line.
MAX_VALUE = 3000
#: The level that a design is of where nothing else is said.
DEPLOYED = "deployed"

#: What may be shown of a link's design page, and is replaced where another design is opened there.
OF_DESIGN = ("tab", "net", "on", "set", "level", "layer")

#: key in the link -> (component, its property, default, whether it is a list)
FIELDS: dict[str, tuple[str, str, Any, bool]] = {
    "tab": ("tabs", "value", "explorer", False),
    "theme": ("theme", "value", "light", False),
    "x": ("x", "value", "latency_s", False),
    "y": ("y", "value", "accuracy", False),
    "xs": ("x-scale", "value", "log", False),
    "ys": ("y-scale", "value", "linear", False),
    "data": ("dataset", "value", "cifar10", False),
    "evidence": ("evidence", "value", "all", False),
    "kind": ("kind", "value", [], True),
    "target": ("target", "value", [], True),
    "only": ("network", "value", [], True),
    "family": ("family", "value", [], True),
    "topology": ("topology", "value", [], True),
    "norm": ("normaliser", "value", [], True),
    "bits": ("bits", "value", [], True),
    "scope": ("scope", "value", "most", False),
    "bounds": ("incomplete", "value", "off", False),
    "fit": ("fit", "value", "all", False),
    "where": ("constraints", "value", "", False),
    "with": ("x-sweeps", "value", [], True),
    "colour": ("colour", "value", "kind", False),
    "bars": ("bars", "value", "front", False),
    "list": ("listing", "value", "front", False),
    "sel": ("x-selected", "data", [], True),
    "zoom": ("x-zoom", "data", "", False),
    "net": ("d-network", "value", "abbnn-reactnet18-cifar10", False),
    "on": ("d-target", "value", "asic-45nm-nangate", False),
    "set": ("settings", "data", [], True),
    "level": ("d-level", "value", "deployed", False),
    "count": ("d-convention", "value", "strict", False),
    "of": ("d-metric", "value", "operations", False),
    "by": ("d-by", "value", "block", False),
    "dx": ("d-x", "value", "auto", False),
    "dy": ("d-y", "value", "auto", False),
    "points": ("d-points", "value", "both", False),
    "answers": ("d-answers", "value", "same", False),
    "layer": ("d-layer", "value", "", False),
    "pin": ("pins", "data", [], True),
    "cx": ("c-metric", "value", "energy_J", False),
    "cs": ("c-scale", "value", "linear", False),
    "sweep": ("sweep", "value", [], True),
    "sx": ("s-x", "value", "", False),
    "sy": ("s-y", "value", "", False),
    "snet": ("s-network", "value", [], True),
    "son": ("s-target", "value", [], True),
    "swhere": ("s-where", "value", "", False),
    "szoom": ("s-window", "data", "", False),
    "sbox": ("s-box", "data", "", False),
    "drag": ("s-ranges", "data", [], True),
    "sxs": ("s-x-scale", "value", "log", False),
    "sys": ("s-y-scale", "value", "log", False),
}


@dataclass
class State:
    """What a link asks for. ``settings`` are the choices of the what-if panel, ``messages`` what was not understood,
    ``asked`` the keys that the link holds: an empty list that is asked for is not the default."""

    values: dict[str, Any]
    messages: list[str] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    @property
    def settings(self) -> dict[str, str]:
        return pairs(self.values["set"])

    def one(self, key: str, known: Iterable[str]) -> Any:
        """The value if it is known; else the default, or the first that is known, and a message."""
        known = list(known)
        value, default = self.values[key], FIELDS[key][2]
        if value in known:
            return value
        if value != default:
            self.messages.append(f"The link asks for “{_cut(value)}”, which is not here.")
        return default if default in known else (known[0] if known else None)

    def many(self, key: str, known: Iterable[str], default: Sequence[str] = ()) -> list[str]:
        """The values that are known, with a message for each that is not; ``default`` where the link says nothing."""
        if key not in self.asked:
            return list(default)
        known = set(known)
        unknown = [v for v in self.values[key] if v not in known]
        self.messages += [f"The link asks for “{_cut(v)}”, which is not here." for v in unknown]
        return [v for v in self.values[key] if v in known]


def parse(search: str | None) -> State:
    """The state of a link's query, such as ``?x=latency_s&target=pynq-z2&set=clock=2e8``."""
    defaults = {key: (list(f[2]) if f[3] else f[2]) for key, f in FIELDS.items()}
    state = State(defaults)
    text = (search or "").lstrip("?")
    if len(text) > MAX_LENGTH:
        state.messages.append("The link is too long and was ignored.")
        return state
    query: Mapping[str, list[str]] = parse_qs(text, keep_blank_values=True, max_num_fields=200)
    for key, given in query.items():
        if key in FIELDS:
            state.values[key] = [v for v in given if v] if FIELDS[key][3] else given[-1]
            state.asked.add(key)
    return state


def pairs(texts: Iterable[str]) -> dict[str, str]:
    """``["clock=2e8"]`` as a mapping; names and values of unlikely length are cut."""
    return {name[:40]: value[:MAX_VALUE] for name, _, value in (str(text).partition("=") for text in texts)}


def written(value: Any) -> str:
    """A value as a command line takes it: 2e8 as 200000000."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def read_design(text: str) -> tuple[str, str, dict[str, str], str]:
    """``network@target;level=as_written;clock=2e8`` as network, target, settings and level."""
    head, *settings = text.split(";")
    network, _, target = head.rpartition("@")
    given = pairs(settings)
    level = given.pop("level", DEPLOYED)
    return network, target, given, level


def write_design(network: str, target: str, settings: Iterable[str], level: str = DEPLOYED) -> str:
    """The parts as one text; ``settings`` are ``name=value``, and the level is named where it is not ``deployed``."""
    return ";".join([f"{network}@{target}", *([f"level={level}"] if level != DEPLOYED else []), *sorted(settings)])


def opened(query: str, network: str, target: str, settings: Iterable[str]) -> str:
    """The link of a page as it is, but on a design."""
    kept = [(k, v) for k, v in parse_qsl(query, keep_blank_values=True) if k not in OF_DESIGN]
    return urlencode([*kept, ("tab", "design"), ("net", network), ("on", target), *(("set", s) for s in settings)])


def _cut(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "…"
