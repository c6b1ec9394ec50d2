"""The tables of ``costmodel targets``: every target, and the constants, options and sources of one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from costmodel.targets import options_of
from costmodel.views.bill import QUANTITY_COLUMNS, quantity_cells
from costmodel.views.table import Column, Row, Table
from costmodel.views.text import paint, use_color, wrap

if TYPE_CHECKING:
    from costmodel.targets.spec import Parameter, Target


def preface(target: Target, terminal: bool) -> str:
    """Name, title and description."""
    head = [
        paint(f"{target.name}   {target.title}", "title", terminal and use_color()),
        *wrap(target.description.strip(), ""),
    ]
    return "\n".join(line for line in head if line) + "\n"


def tables(target: Target) -> list[Table]:
    """Constants, options, sources."""
    return [constants(target), *([options(target)] if options_of(target) else []), references(target)]


def listing() -> Table:
    """All packaged targets with the short names that stand for them."""
    from costmodel.targets.load import aliases, list_targets, load_target

    short: dict[str, list[str]] = {}
    for alias, name in aliases().items():
        short.setdefault(name, []).append(alias)
    rows = []
    for name, kind in list_targets().items():
        target = load_target(name)
        rows.append(Row([name, ", ".join(short.get(name, [])), kind, len(target.constants), target.title]))
    columns = [
        Column("name", "target", "left"), Column("aliases", "short name", "left"), Column("kind", "kind", "left"),
        Column("constants", "constants"), Column("title", "what it is", "left", prose=True),
    ]  # fmt: skip
    return Table("targets", "", columns, rows, notes=["costmodel targets NAME shows every constant with its source."])


def constants(target: Target) -> Table:
    """Every constant: value, unit, bounds, source, how it is known."""
    rows = [Row([name, *quantity_cells(q), q.note]) for name, q in target.constants.items()]
    columns = [Column("constant", "constant", "left"), *QUANTITY_COLUMNS, Column("note", "note", "left", prose=True)]
    return Table("constants", "Constants", columns, rows)


def options(target: Target) -> Table:
    """The parameters of the target, for ``--set NAME=VALUE``."""
    rows = [
        Row([name, _default(p.default), "" if p.unit == "1" else p.unit, _domain(p), p.description])
        for name, p in options_of(target).items()
    ]
    columns = [
        Column("name", "--set", "left"), Column("default", "default"), Column("unit", "unit", "left"),
        Column("values", "values", "left", prose=True), Column("description", "meaning", "left", prose=True),
    ]  # fmt: skip
    return Table("parameters", "Options", columns, rows)


def references(target: Target) -> Table:
    """The works that the constants cite, in order of first use."""
    known = texts(target)
    rows = [Row([key, known.get(key, "")]) for key in cited(target)]
    columns = [Column("key", "source", "left"), Column("reference", "reference", "left", prose=True)]
    return Table("sources", "Sources", columns, rows)


def cited(target: Target) -> list[str]:
    """Citation keys of all constants, each once."""
    from costmodel.targets.spec import citation_keys

    return list(dict.fromkeys(key for q in target.constants.values() for key in citation_keys(q.source)))


def texts(target: Target) -> dict[str, str]:
    """Author, title, venue and address of each reference, on one line."""
    from costmodel.targets.load import references as entries

    return {key: citation(entry) for key, entry in entries().items()} | dict(target.sources)


def citation(entry: str) -> str:
    """A BibTeX entry as one line of text: its fields in the order that readers expect, without braces."""
    fields = _fields(entry)
    order = ("author", "title", "journal", "booktitle", "howpublished", "institution", "year", "doi", "url", "note")
    return ", ".join(fields[name] for name in order if fields.get(name))


def document(target: Target) -> dict[str, Any]:
    """The whole target, for JSON."""
    return {
        "name": target.name,
        "kind": target.kind,
        "title": target.title,
        "description": target.description,
        "constants": {
            name: {"value": q.value, "unit": q.unit, "low": q.low, "high": q.high, "source": q.source,
                   "confidence": q.confidence, "note": q.note}
            for name, q in target.constants.items()
        },
        "parameters": {
            name: {"default": p.default, "unit": p.unit, "description": p.description}
            for name, p in options_of(target).items()
        },
        "sources": {key: texts(target).get(key, "") for key in cited(target)},
    }  # fmt: skip


_BRACES = {ord("{"): None, ord("}"): None}


def _fields(entry: str) -> dict[str, str]:
    """``name = {value}`` pairs of a BibTeX entry; braces inside values may nest."""
    fields: dict[str, str] = {}
    position = entry.find(",") + 1
    while (equals := entry.find("=", position)) >= 0:
        name = entry[position:equals].strip(" ,\n\t").lower()
        start = equals + 1
        while start < len(entry) and entry[start] in " \n\t":
            start += 1
        depth, end = 0, start
        while end < len(entry):
            depth += {"{": 1, "}": -1}.get(entry[end], 0)
            if depth < 0 or (depth == 0 and entry[end] in ",\n"):
                break
            end += 1
        value = entry[start:end].translate(_BRACES).strip(' "')
        fields[name] = " ".join(value.replace("\\", "").split())
        position = end + 1
    return fields


def _default(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)


def _domain(parameter: Parameter) -> str:
    if parameter.choices is not None:
        return ", ".join(map(str, parameter.choices))
    low = "" if parameter.min is None else f"{parameter.min:g} <= "
    high = "" if parameter.max is None else f" <= {parameter.max:g}"
    return f"{low}x{high}" if low or high else ""
