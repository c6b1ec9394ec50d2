"""The design space of one network on one target: members of exact fronts and sweeps, and what single choices change."""

from __future__ import annotations

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any

from costmodel.dashboard import whatif
from costmodel.dashboard.catalogue import Catalogue
from costmodel.dashboard.members import settings_of
from costmodel.dashboard.results import row_of
from costmodel.dashboard.state import DEPLOYED, pairs, write_design
from costmodel.errors import CostmodelError
from costmodel.metrics import headlines
from costmodel.targets.quantity import Interval
from costmodel.targets.spec import Parameter, Target
from costmodel.views.numbers import show
from costmodel.views.plots.scatter import Design, ScatterInfo, scatter

#: Choices that are walked through one at a time: rate, scale of binary weights, numbers, parallelism.
WALKED = (
    "clock", "scale", "real_bits", "weight_bits", "input_bits", "real_format", "precision", "impl", "dataflow",
    "outputs", "terms", "pixels", "threads", "library",
)  # fmt: skip
OTHERWISE = "answers otherwise than the network does by default, and its accuracy after that is not known"
#: By what a clock and a whole number are multiplied.
STEPS = {"clock": (0.5, 0.75, 1.25, 1.5, 2.0)}
FACTORS = (0.5, 2.0)
#: Members that are shown of one network on one target; of more, evenly many.
LIMIT = 400
THIS, AUTO = "this design", "auto"
#: Axes that are shown where none is asked for: the first that the design has, and the first other one.
ACROSS = ("steady_images_per_second", "latency_s")
ALONG = ("lut", "energy_J")
_HELD = 32


@dataclass(frozen=True)
class Space:
    """Designs of one network on one target, ``here`` that of the page; the choices of each by its key.

    ``member`` is that design as a sweep judged it, where it is a member: priced again it may differ in the last place,
    and what ties with it would come onto the front.
    """

    designs: tuple[Design, ...]
    choices: Mapping[str, tuple[str, ...]]
    here: str
    members: int
    swept: frozenset[str] = frozenset()
    otherwise: frozenset[str] = frozenset()
    member: Design | None = None

    def metrics(self) -> list[str]:
        """Metrics that may be axes, in the order of the table of metrics."""
        here = next(d for d in self.designs if d.key == self.here)
        return [n for n in (*headlines(), "clock_Hz") if n in here.metrics]

    def axes(self, x: str, y: str) -> tuple[str, str]:
        """The axes that are meant: those that are asked for where the design has them."""
        known = self.metrics()
        across = x if x in known else next(n for n in (*ACROSS, *known) if n in known)
        return across, y if y in known else next((n for n in (*ALONG, *known) if n in known and n != across), across)

    def plot(self, x: str, y: str, any_answer: bool = False, walked: bool = False) -> ScatterInfo:
        """The trade-off of two metrics. Designs that do not fit are no rivals, and those that answer otherwise than
        their network only where ``any_answer``. What is ``walked`` along are members of sweeps alone, which stay what
        they are while one does; where there are none, all."""

        def fails(d: Design) -> str:
            if d.misfit:
                return f"does not fit: {d.misfit}"
            return "" if any_answer or d.key not in self.otherwise else OTHERWISE

        designs = self.designs
        if walked and self.swept:
            mine = {} if self.member is None else {self.here: self.member}
            designs = tuple(mine.get(d.key, d) for d in self.designs if d.key in self.swept)
        return scatter(designs, x, y, fails, incomplete=True)

    def step(self, walked: ScatterInfo, by: int) -> str:
        """The key of the member of the front that is ``by`` places on from this design, by rising x; where this is no
        member, the nearest on that side. This design's where there is no front."""
        front = [walked.points[i] for i in walked.front]
        keys = [p.key for p in front]
        if not keys:
            return self.here
        if self.here in keys:
            place = keys.index(self.here) + by
        else:
            own = next(d for d in self.designs if d.key == self.here).metrics[walked.x.name].value
            place = bisect_left([p.x.value for p in front], own) + (by if by < 0 else by - 1)
        return keys[max(0, min(len(keys) - 1, place))]


class Spaces:
    """The spaces that were looked at last."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._kept: OrderedDict[tuple[Any, ...], Space] = OrderedDict()
        self._lock = Lock()

    def around(self, network: str, target: str, given: Mapping[str, Any], level: str, points: str) -> Space:
        """The designs around one design. ``points`` is ``front`` (members of exact fronts and sweeps), ``choices``
        (single choices made otherwise) or ``both``. Raises :class:`CostmodelError` where the design has no price."""
        settings = self._catalogue.settings(target, given, level)
        key = network, target, level, points, tuple(sorted(settings.items()))
        with self._lock:
            kept = self._kept.get(key)
        if kept is None:
            kept = _space(self._catalogue, network, target, settings, level, points)
            with self._lock:
                self._kept[key] = kept
                while len(self._kept) > _HELD:
                    self._kept.popitem(last=False)
        return kept


def _space(catalogue: Catalogue, network: str, target: str, settings: dict[str, Any], level: str, points: str) -> Space:
    spec, parameters = catalogue.target(target), catalogue.parameters(target)
    found: dict[str, Design] = {}
    choices: dict[str, tuple[str, ...]] = {}

    def add(design: Design, chosen: tuple[str, ...]) -> None:
        if design.key not in found:
            found[design.key], choices[design.key] = design, chosen

    def priced(label: str, series: str, made: Mapping[str, Any]) -> None:
        row = row_of(network, target, catalogue.estimate(network, target, made, level))
        metrics = {n: Interval(*v) for n, v in row.metrics.items()} | _clock(parameters, made)
        chosen = tuple(whatif.texts(made))
        key = write_design(network, target, chosen)
        own = series == THIS
        add(Design(key, label, series, metrics, misfit=row.misfit, key=key, scope=row.scope, left_out=row.left_out,
                   own=own), chosen)  # fmt: skip

    priced(THIS, THIS, settings)
    here, member = next(iter(found.values())), None
    swept = set()
    if points != "choices" and level == DEPLOYED:
        for sweep, i, texts, metrics in _members(catalogue, network, target, spec.kind):
            chosen = tuple(whatif.texts(whatif.known(catalogue, target, pairs(texts))))
            label = words(parameters, {k: v for k, v in pairs(chosen).items() if k != "mode"}, i)
            key = write_design(network, target, chosen)
            swept.add(key)
            # the same target leaves the same out of its totals
            made_there = Design(key, label, sweep, metrics, key=key, scope=here.scope, left_out=here.left_out)
            member = made_there if key == here.key else member
            add(made_there, chosen)
    if points != "front":
        kept = settings | _folded(catalogue, network, target, settings, level)
        for name, value in _alternatives(parameters, kept):
            try:
                made = catalogue.settings(target, {**kept, name: value}, level)
                priced(words(parameters, {name: value}), whatif.NAMES.get(name, name.replace("_", " ")), made)
            except CostmodelError:  # beyond the bounds of this choice, or not buildable
                continue
    otherwise = {key for key, chosen in choices.items() if _otherwise(spec, catalogue.settings(target, pairs(chosen)))}
    return Space(tuple(found.values()), choices, here.key, len(swept), frozenset(swept), frozenset(otherwise), member)


def _otherwise(target: Target, chosen: Mapping[str, Any]) -> bool:
    from costmodel.explore.accuracy import narrowed

    return bool(narrowed(target, chosen)) or chosen.get("scale", "exact") != "exact"


def _members(
    catalogue: Catalogue, network: str, target: str, kind: str
) -> list[tuple[str, int, list[str], dict[str, Interval]]]:
    """Members of all folders, with what they were judged by; the time per image of a pipeline is a rate."""
    found = []
    for sweep in catalogue.explorations.sweeps:
        try:
            here = [(i, m) for i, m in enumerate(sweep.members) if (m.network, m.target) == (network, target)]
        except CostmodelError:  # the page of sweeps says what is wrong with the folder
            continue
        for i, m in here[:: max(1, -(-len(here) // LIMIT))]:
            metrics = {n: Interval.exact(v) for n, v in m.metrics.items() if n != "seconds_per_image"}
            if seconds := m.metrics.get("seconds_per_image", 0.0):
                name, value = ("steady_images_per_second", 1 / seconds) if kind == "fpga" else ("latency_s", seconds)
                metrics[name] = Interval.exact(value)
            found.append((sweep.name, i, settings_of(m), metrics))
    return found


def _folded(catalogue: Catalogue, network: str, target: str, settings: Mapping[str, Any], level: str) -> dict[str, Any]:
    """The folding that a pipeline gets by itself, as a choice: what is chosen otherwise leaves it as it is."""
    facts = catalogue.estimate(network, target, settings, level).facts
    folding = facts.get("folding")
    if facts.get("mode") != "dataflow" or not isinstance(folding, Mapping) or "folding" in settings:
        return {"mode": facts["mode"]} if "mode" in facts else {}
    return {"mode": "dataflow", "folding": ",".join(f"{pe}x{simd}" for pe, simd in folding.values())}


def _alternatives(parameters: Mapping[str, Parameter], settings: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name in WALKED:
        p = parameters.get(name)
        if p is None:
            continue
        now = settings.get(name, p.default)
        if p.choices is not None:
            yield from ((name, value) for value in p.choices if value != now)
        elif isinstance(now, (int, float)) and not isinstance(now, bool) and now > 0:
            steps = STEPS.get(name, FACTORS)
            values = [int(now * step) if isinstance(p.default, int) else now * step for step in steps]
            yield from ((name, value) for value in dict.fromkeys(values) if value > 0 and value != now)


def _clock(parameters: Mapping[str, Parameter], settings: Mapping[str, Any]) -> dict[str, Interval]:
    value = settings.get("clock", parameters["clock"].default if "clock" in parameters else None)
    return {"clock_Hz": Interval.exact(float(value))} if isinstance(value, (int, float)) and value else {}


def words(parameters: Mapping[str, Parameter], chosen: Mapping[str, Any], number: int = 0) -> str:
    """Choices in short words: clock 200 MHz, folding 12 (that of the twelfth member of a sweep)."""
    found = []
    for name, value in chosen.items():
        p = parameters.get(name)
        title = whatif.NAMES.get(name, name.replace("_", " ")).partition(":")[0]
        if name in whatif.OF_NETWORK:
            found.append(f"{name} {number}")
        elif p is not None and p.choices is None and not isinstance(p.default, (bool, str)):
            found.append(f"{title} {show(float(value), '' if p.unit == '1' else p.unit)}")
        else:
            found.append(f"{title} {value}")
    return ", ".join(found) or "default choices"


def said(info: ScatterInfo, walked: ScatterInfo, found: Space) -> str:
    """Where the design stands in its space, and on the front that is ``walked`` along, in words."""
    point = next((p for p in info.points if p.key == found.here), None)
    if point is None:
        return ""
    values = ", ".join(f"{m.word} {show(v.value, m.unit)}" for m, v in ((info.x, point.x), (info.y, point.y)))
    words = (
        f"{len(info.points):,} designs, {found.members:,} of them members of sweeps. This one ({values}): {point.why}."
    )
    keys = [walked.points[i].key for i in walked.front]
    if found.here in keys:
        words += f" Place {keys.index(found.here) + 1} of {len(keys)} on the front that the buttons walk along."
    return words
