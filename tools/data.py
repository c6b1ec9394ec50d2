"""What is shipped and derived from the sources: how each file is made, what it depends on, whether it is up to date.

    make data            make again what is out of date                 (python -m tools.data)
    make data-check      name what is out of date, and by which change   (python -m tools.data --check)
    python -m tools.data counts digest      make these again, whatever they depend on

``data.json`` next to this file holds, for each artefact, a hash of every part that it was made from and of what was
made. Comments, docstrings and layout do not enter. What is measured or trained is in ``PRIMARY`` and is not made here.
"""

from __future__ import annotations

import argparse
import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).parent.parent
LOCK = Path(__file__).with_suffix(".json")
#: Files that decide an answer.
SOURCES = (".py", ".yaml", ".csv", ".jsonl", ".bib", ".typ", ".css", ".js")

COUNTING = ("costmodel/graph", "costmodel/trace", "costmodel/deploy", "costmodel/ledger", "costmodel/load",
            "costmodel/zoo", "costmodel/api.py")  # fmt: skip
PRICING = (*COUNTING, "costmodel/targets", "costmodel/metrics.py", "arch_specs")
ACCURACY = ("costmodel/train/records.py", "costmodel/train/accuracy.jsonl")


@dataclass(frozen=True)
class Artefact:
    """Files that one function makes. ``files`` are patterns, ``sources`` files and folders, both from the root.

    Without ``files`` it is part of a file that is otherwise written by hand.
    """

    name: str
    files: tuple[str, ...]
    sources: tuple[str, ...]
    make: Callable[[], None]


def _schema() -> None:
    from costmodel.files import atomic_write
    from costmodel.targets.schema import json_schema

    atomic_write(ROOT / "docs/target.schema.json", json.dumps(json_schema(), indent=2) + "\n")


def _colours() -> None:
    from costmodel.dashboard.app import stylesheet
    from costmodel.files import atomic_write

    head = "/* Written by costmodel.dashboard.app.stylesheet(). */\n"
    atomic_write(ROOT / "dashboard/assets/colours.css", head + stylesheet())


def _counts() -> None:
    import csv
    import io

    from costmodel.api import list_models, profile
    from costmodel.files import atomic_write
    from costmodel.zoo import counts

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["name", *counts.FIELDS])
    for name in list_models():
        made = counts.of(profile(name))
        writer.writerow([name, *(getattr(made, field) for field in counts.FIELDS)])
    atomic_write(counts.TABLE, out.getvalue())


def _digest() -> None:
    _python("-m", "tests.digest", "--write")


def _dashboard() -> None:
    from costmodel.dashboard import results

    results.make()


def _fronts() -> None:
    _python("benchmarks/reference.py", "--keep")


def _sample() -> None:
    day = subprocess.run(
        ["git", "log", "-1", "--format=%cs"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    what = ("--model", "abbnn-reactnet18", "--target", "pynq-z2", "--date", day.strip())
    _python("-m", "costmodel.cli.main", "report", *what, "-o", "docs/sample_report.pdf")


def _readme() -> None:
    from tools import headline, readme

    readme.main()
    headline.main()


def _counters() -> None:
    _python("benchmarks/first_lines.py", "--own")


def _pictures() -> None:
    from tools.pictures import take

    take()


def _first_screen() -> None:
    from tools import first_screen

    first_screen.main()


def _finn() -> None:
    _python("-m", "tools.finn_figure")


def _python(*words: str) -> None:
    subprocess.run([sys.executable, *words], cwd=ROOT, check=True)


ARTEFACTS = (
    Artefact("schema", ("docs/target.schema.json",), ("costmodel/targets/schema.py",), _schema),
    Artefact(
        "colours", ("dashboard/assets/colours.css",), ("costmodel/views/plots/palette.py", "dashboard/app.py"), _colours
    ),
    Artefact("counts", ("costmodel/zoo/counts.csv",), COUNTING, _counts),
    Artefact("digest", ("tests/digest.csv",), (*PRICING, "tests/digest.py"), _digest),
    Artefact("dashboard", ("dashboard/data/**/*.gz",), (*PRICING, *ACCURACY, "dashboard/results.py"), _dashboard),
    Artefact(
        "fronts", ("costmodel/explore/results/*/*.parquet",), (*PRICING, *ACCURACY, "costmodel/explore"), _fronts
    ),
    Artefact(
        "readme", (),
        (*PRICING, "costmodel/views", "costmodel/cli/profile.py", "tools/readme.py", "tools/headline.py"), _readme,
    ),
    Artefact(
        "counters", ("docs/other_counters.md",),
        (*PRICING, "costmodel/views", "costmodel/cli/profile.py", "benchmarks/first_lines.py"), _counters,
    ),
    Artefact(
        "finn", ("docs/finn.svg",), (*PRICING, *ACCURACY, "costmodel/validate", "tools/finn_figure.py"), _finn,
    ),
    Artefact(
        "sample", ("docs/sample_report.pdf",),
        (*PRICING, *ACCURACY, "costmodel/views", "costmodel/validate", "reports"), _sample,
    ),
    Artefact(
        "first_screen", ("docs/first_screen.md",),
        (*PRICING, *ACCURACY, "costmodel/views", "dashboard", "tools/first_screen.py"), _first_screen,
    ),
    Artefact(
        "pictures", ("docs/dashboard/*.png",),
        (*PRICING, *ACCURACY, "costmodel/views", "costmodel/explore", "dashboard", "tools/pictures.py"), _pictures,
    ),
)  # fmt: skip

#: Shipped files that no program makes from the sources: what each is, and where it comes from.
PRIMARY = {
    "costmodel/train/accuracy.jsonl": "accuracies measured by training: python -m costmodel.train.publish RUN",
    "costmodel/train/weights/*.safetensors": "trained weights: python -m costmodel.train.publish RUN --weights",
    "costmodel/calibrate/fpga_units*.csv": "units through Yosys: costmodel calibrate fpga --format csv",
    "costmodel/calibrate/fpga_designs.csv": "layers through Yosys: costmodel calibrate designs --format csv",
    "costmodel/calibrate/fpga_clocks.csv": "placed and routed: costmodel calibrate designs --family ecp5 --format csv",
    "costmodel/calibrate/arm_loops.csv": "inner loops through llvm-mca: costmodel calibrate arm --format csv",
    "costmodel/calibrate/arm/*": "inner loops in C, and as clang makes them by the commands at their head",
    "costmodel/validate/finn_units.csv": "what single units of FINN designs take, each with its repository and commit",
    "costmodel/validate/ground_truth.csv": "published measurements, each with its source",
}


#: The name of the hash of the files themselves.
MADE = "made"


def stale(artefact: Artefact, lock: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Why ``artefact`` is out of date: parts that changed since it was made. Empty where it is not."""
    then, now = lock.get(artefact.name), state(artefact)
    if then is None:
        return ["it was never made by this tool"]
    parts = sorted(set(then) | set(now))
    return [
        f"{part} changed" if part != MADE else "its files were edited"
        for part in parts
        if then.get(part) != now.get(part)
    ]


def state(artefact: Artefact) -> dict[str, str]:
    """A hash of each part that decides ``artefact``, and of its own files."""
    derived = {path for item in ARTEFACTS for path in found(item.files)}
    hashes = {}
    for part in artefact.sources:
        place = ROOT / part
        inside = sorted(p for p in place.rglob("*") if p.suffix in SOURCES) if place.is_dir() else [place]
        hashes[part] = digest(path for path in inside if path not in derived)
    return {**hashes, MADE: digest(found(artefact.files))}


def found(patterns: Iterable[str]) -> list[Path]:
    return sorted(path for pattern in patterns for path in ROOT.glob(pattern))


def digest(paths: Iterable[Path]) -> str:
    """A hash of the names and of what the files say; of Python and YAML not of how they are laid out."""
    total = hashlib.sha256()
    for path in paths:
        total.update(path.name.encode() + b"\0" + _content(path))
    return total.hexdigest()[:12]


def _content(path: Path) -> bytes:
    data = path.read_bytes()
    if path.suffix == ".yaml":
        return json.dumps(yaml.safe_load(data), default=str).encode()
    if path.suffix != ".py":
        return data
    tree = ast.parse(data)
    for node in ast.walk(tree):
        if (
            isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
            and ast.get_docstring(node, clean=False) is not None
        ):
            node.body = node.body[1:]
    return ast.dump(tree).encode()


def read_lock() -> dict[str, dict[str, str]]:
    locked: dict[str, dict[str, str]] = json.loads(LOCK.read_text()) if LOCK.is_file() else {}
    return locked


def main(words: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tools.data", description="Make shipped data again.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(a.name for a in ARTEFACTS)}")
    parser.add_argument("--check", action="store_true", help="name what is out of date, make nothing")
    args = parser.parse_args(words)
    unknown = set(args.names) - {a.name for a in ARTEFACTS}
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; expected {', '.join(a.name for a in ARTEFACTS)}")
    lock = read_lock()
    old = 0
    for artefact in ARTEFACTS:
        reasons = stale(artefact, lock)
        if args.names and artefact.name not in args.names:
            continue
        if args.check:
            old += bool(reasons)
            if reasons:
                print(f"{artefact.name} is stale ({'; '.join(reasons)}). Renew it with: make data")
        elif reasons or args.names:
            print(f"making {artefact.name}: {'; '.join(reasons) or 'as asked'}", file=sys.stderr, flush=True)
            artefact.make()
            lock[artefact.name] = state(artefact)
            LOCK.write_text(json.dumps(lock, indent=1, sort_keys=True) + "\n")
    if args.check and not old:
        print(f"{len(args.names) or len(ARTEFACTS)} artefacts are up to date")
    return 1 if old else 0


if __name__ == "__main__":
    sys.exit(main())
