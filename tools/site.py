"""What the documentation site does not keep by hand: its reference pages and the pictures of its gallery.

A hook of mkdocs (``mkdocs.yml``): ``make docs`` runs the tutorials, builds the site, checks its links, and fails where
a cell of a tutorial fails or a link leads nowhere.
"""

from __future__ import annotations

import argparse
import inspect
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tools import notebooks

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).parent.parent
GALLERY = re.compile(r"```python\n(.*?)```\n\n!\[[^\]]*\]\((gallery/[^)]+\.svg)\)", re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages and pictures that are made."""
    from mkdocs.structure.files import File

    for path, text in pages().items():
        files.append(File.generated(config, path, content=text))
    for path, picture in pictures():
        files.append(File.generated(config, path, content=picture))
    for path in notebooks.notebooks():
        text, drawn = notebooks.page(path)
        files.append(File.generated(config, f"tutorials/{path.stem}.md", content=text))
        for name, svg in drawn.items():
            files.append(File.generated(config, f"tutorials/{name}", content=svg))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """In the repository, tutorials are notebooks; here, pages."""
    return notebooks.linked(markdown)


def pages() -> dict[str, str]:
    """The reference, by the path of its page."""
    return {
        "reference/cli.md": command_line(),
        "reference/python.md": python(),
        "reference/target.md": target_files(),
        "reference/names.md": names(),
    }


def command_line() -> str:
    """Every command with its options, as argparse knows them."""
    from costmodel.cli.main import VERBS, load, verb_parser

    parts = ["# Command line", "", "`costmodel COMMAND --help` says the same.", ""]
    for verb in VERBS:
        module = load(verb)
        parser = verb_parser(verb, module)
        parts += [f"## {verb}", "", str(parser.description), ""]
        for group in parser._action_groups:
            shown = [a for a in group._group_actions if a.help is not argparse.SUPPRESS and a.dest != "help"]
            if not shown:
                continue
            title = (group.title or "").capitalize()
            parts += [f"**{title}**", "", "| option | what it does |", "| --- | --- |"]
            parts += [f"| {_option(action)} | {_cell(_help(parser, action))} |" for action in shown]
            parts.append("")
        if examples := getattr(module, "EXAMPLES", ""):
            parts += ["```text", examples.strip(), "```", ""]
    return "\n".join(parts)


def _option(action: argparse.Action) -> str:
    value = action.metavar if isinstance(action.metavar, str) else None
    if value is None and action.choices is not None:
        value = "|".join(map(str, action.choices))
    if value is None and action.nargs != 0:
        value = action.dest.upper()
    if not action.option_strings:
        return f"`{value}`"
    spelled = ", ".join(action.option_strings)
    return _cell(f"`{spelled}{f' {value}' if value and action.nargs != 0 else ''}`")


def _help(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    return parser._get_formatter()._expand_help(action) if action.help else ""


def python() -> str:
    """What ``import costmodel`` offers, and the figures, with their docstrings."""
    import costmodel
    from costmodel import figures

    parts = [
        "# Python",
        "",
        "Everything below is imported when it is first used: `import costmodel` costs nothing.",
        "",
    ]
    members = [(f"costmodel.{name}", getattr(costmodel, name)) for name in costmodel.__all__ if name != "__version__"]
    verbs = [m for m in members if not inspect.isclass(m[1])]
    nouns = [m for m in members if inspect.isclass(m[1])]
    for title, found in (("Verbs", verbs), ("Nouns", nouns)):
        parts += [f"## {title}", ""]
        for name, what in found:
            parts += _documented(name, what)
    parts += ["## Figures", "", prose(inspect.getdoc(figures) or ""), ""]
    for name in figures.__all__:
        if callable(getattr(figures, name)):
            parts += _documented(f"costmodel.figures.{name}", getattr(figures, name))
    return "\n".join(parts)


def _documented(name: str, what: Any) -> Iterator[str]:
    function = what._function() if inspect.ismodule(what) else what
    yield from (f"### {name.rpartition('.')[2]}", "", "```python", _signature(name, function), "```", "")
    yield from (prose(inspect.getdoc(function) or ""), "")
    if not inspect.isclass(function):
        return
    rows = []
    for key, member in inspect.getmembers(function):
        text = inspect.getdoc(member.fget if isinstance(member, property) else member)
        if not key.startswith("_") and (inspect.isroutine(member) or isinstance(member, property)) and text:
            rows.append(f"| `{key}` | {_cell(prose(text.split(chr(10) * 2)[0]))} |")
    if rows:
        yield from ("| method | what it gives |", "| --- | --- |", *rows, "")


def _signature(name: str, what: Any) -> str:
    try:
        signature = inspect.signature(what)
    except ValueError:
        return name
    parameters = list(_parameters(list(signature.parameters.values())))
    back = f" -> {signature.return_annotation}" if isinstance(signature.return_annotation, str) else ""
    text = f"{name}({', '.join(parameters)}){back}"
    if len(text) < 100:
        return text
    inner = "".join(f"    {parameter},\n" for parameter in parameters)
    return f"{name}(\n{inner}){back}"


def _parameters(parameters: list[inspect.Parameter]) -> Iterator[str]:
    """Parameters as they are written, with the star in front of those that are given by name alone."""
    star = any(p.kind is p.VAR_POSITIONAL for p in parameters)
    for p in parameters:
        if p.kind is p.KEYWORD_ONLY and not star:
            star = True
            yield "*"
        mark = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        kind = f": {p.annotation}" if isinstance(p.annotation, str) else ""
        equals = " = " if kind else "="
        yield f"{mark}{p.name}{kind}" + ("" if p.default is p.empty else f"{equals}{p.default!r}")


def prose(text: str) -> str:
    """A docstring as Markdown: names in code, parameters as a list of definitions, examples as code."""
    text = re.sub(r":(?:class|func|meth|mod|data):`~?([^`]+)`", r"`\1`", text)
    text = text.replace("``", "`")
    text = re.sub(r"^(`[^\n]*`)\n    (?=\S)", r"\n\1\n:   ", text, flags=re.MULTILINE)
    return re.sub(r"((?:^>>> [^\n]*\n?)+)", r"\n```python\n\1\n```\n", text, flags=re.MULTILINE)


def target_files() -> str:
    """The fields of a target's file, from the schema that editors take."""
    schema = json.loads((ROOT / "docs/target.schema.json").read_text(encoding="utf-8"))
    parts = ["# Target files", "", "The fields of a target's YAML file. A worked example is in"]
    parts += ["[Price a target of your own](../add_a_target.md).", ""]
    for name, inner in (schema.get("$defs") or {}).items():
        if inner.get("properties"):
            parts += [f"## {name}", "", str(inner.get("description", "")), "", *_fields(inner)]
    return "\n".join(parts)


def _fields(schema: dict[str, Any]) -> list[str]:
    needed = set(schema.get("required", ()))
    rows = ["| field | type | what it is |", "| --- | --- | --- |"]
    for name, what in (schema.get("properties") or {}).items():
        kind = what.get("type") or what.get("$ref", "").rpartition("/")[2] or "any"
        kind = ", ".join(kind) if isinstance(kind, list) else kind
        text = what.get("description", "") + (" Required." if name in needed else "")
        rows.append(f"| `{name}` | {kind} | {_cell(text)} |")
    return [*rows, ""]


def names() -> str:
    """Metrics, kinds of operations and conventions, from their tables."""
    from costmodel.graph.vocabulary import HEADS, KINDS
    from costmodel.ledger.conventions import CONVENTIONS
    from costmodel.metrics import METRICS

    parts = ["# Metrics, kinds and conventions", "", "## Metrics", ""]
    parts += ["| name | also | title | unit | better | targets |", "| --- | --- | --- | --- | --- | --- |"]
    for m in METRICS.values():
        also = ", ".join(f"`{word}`" for word in dict.fromkeys((m.head, *m.also)) if word != m.name)
        parts.append(f"| `{m.name}` | {also} | {m.title} | {m.unit} | {m.better} | {', '.join(m.kinds)} |")
    parts += ["", "## Kinds of operations", "", "| kind | head of its column |", "| --- | --- |"]
    parts += [f"| `{kind}` | `{HEADS.get(kind, kind)}` |" for kind in KINDS]
    parts += ["", "## Conventions", "", "| convention | unit | what it counts | source |", "| --- | --- | --- | --- |"]
    parts += [f"| `{c.name}` | {c.unit} | {_cell(c.why)} | {_cell(c.source)} |" for c in CONVENTIONS]
    return "\n".join([*parts, ""])


def pictures() -> Iterator[tuple[str, bytes]]:
    """The pictures of the gallery, each made by the code above it."""
    for code, path in GALLERY.findall((ROOT / "docs/gallery.md").read_text(encoding="utf-8")):
        yield path, _drawn(code)


def _drawn(code: str) -> bytes:
    found: dict[str, Any] = {}
    exec(code, found)
    out = io.BytesIO()
    found["figure"].savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")
