"""Mutation testing: do the tests of a module notice when it is wrong?

    make mutants                                        200 faults, drawn with seed 0 over the modules of AREAS
    python -m tools.mutants --count 40 costmodel/targets/asic/bill.py

cosmic-ray makes the faults (an operator, a comparison, a constant, a condition, a loop left out) one by one in a copy
of the tree and runs the tests of the area, which stop at the first failure. Every place in the code is drawn with the
same probability, then one of the faults possible there. Type annotations are no places: they are not executed. A run
that was broken off goes on where it stopped. What survived, and why, is in docs/mutants.md.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shlex
import shutil
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build" / "mutants"
TOPS = ("arch_specs", "dashboard", "reports")

REWRITES = (
    "tests/deploy/test_monotone.py tests/deploy/test_thresholds.py tests/deploy/test_absorb.py "
    "tests/deploy/test_rewrites.py tests/generated"
)
#: Module -> the tests that are to hold it, the fastest first.
AREAS = {
    "costmodel/graph/charge.py": (
        "tests/graph/test_charge.py tests/graph/test_gates.py tests/trace/test_written_real.py "
        "tests/conformance/test_torch_flop_counter.py tests/conformance/test_qtools.py tests/ledger"
    ),
    "costmodel/trace/simplify.py": (
        "tests/trace/test_simplify.py tests/trace/test_written_real.py tests/trace/test_pitfalls.py "
        "tests/trace/test_rules.py "
        "tests/trace/test_equivalence.py"
    ),
    "costmodel/deploy/thresholds.py": REWRITES,
    "costmodel/deploy/monotone.py": REWRITES,
    "costmodel/deploy/absorb.py": REWRITES,
    "costmodel/targets/fpga/units.py": "tests/targets/fpga/test_units.py tests/targets/fpga/test_price.py",
    "costmodel/targets/asic/bill.py": "tests/targets/asic tests/targets/test_arrays.py tests/validate/test_asic.py",
    "costmodel/explore/compose.py": "tests/explore/test_compose.py tests/explore/test_folding.py",
}
#: Faults that no test could see: a cache or a frozen class that is none, an interned value compared by identity.
LEFT_OUT = (
    "core/RemoveDecorator",
    *(f"core/ReplaceComparisonOperator_{pair}" for pair in ("Eq_Is", "NotEq_IsNot", "Is_Eq", "IsNot_NotEq")),
)
#: Seconds after which a test run counts as caught: the fault made it endless.
TIMEOUT = 900.0


def copy_of_the_tree(name: str) -> Path:
    """What git knows, as it is now, with the folders that are installed inside of the package linked there."""
    tree = FOLDER / name
    shutil.rmtree(tree, ignore_errors=True)
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    for name in names:
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, tree / name)
    for top in TOPS:
        (tree / "costmodel" / top).symlink_to(Path("..") / top)
    return tree


def unseen(path: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Start and end, as (line, column), of annotations, of decorators, and of ``strict`` in a zip."""
    spans = []
    for node in ast.walk(ast.parse(path.read_text())):
        strict = node.value if isinstance(node, ast.keyword) and node.arg == "strict" else None
        written = (getattr(node, "annotation", None), getattr(node, "returns", None), strict)
        written += tuple(getattr(node, "decorator_list", ()))
        spans += [
            ((item.lineno, item.col_offset), (item.end_lineno or 0, item.end_col_offset or 0))
            for item in written
            if isinstance(item, ast.expr)
        ]
    return spans


def sample(items: Iterable[WorkItem], path: Path, count: int, seed: str) -> set[str]:
    """The faults that are drawn: every place as likely as any other, then one fault of those possible there."""
    written = unseen(path)
    places: dict[tuple[tuple[int, int], tuple[int, int], str], list[str]] = defaultdict(list)
    for item in items:
        fault = item.mutations[0]
        if fault.operator_name in LEFT_OUT or any(a <= fault.start_pos < b for a, b in written):
            continue
        kind = fault.operator_name.split("_")[0]
        places[(fault.start_pos, fault.end_pos, kind)].append(item.job_id)
    draw = random.Random(seed)
    chosen = draw.sample(sorted(places), min(count, len(places)))
    ids = {
        job: (item.mutations[0].operator_name, item.mutations[0].occurrence) for item in items for job in [item.job_id]
    }
    return {draw.choice(sorted(places[place], key=ids.__getitem__)) for place in chosen}


def session(module: str, tree: Path, count: int, seed: int, python: str) -> tuple[Path, Path]:
    """The faults of a module as cosmic-ray keeps them; those not drawn are marked as skipped."""
    name = tree.name
    config, database = FOLDER / f"{name}.toml", FOLDER / f"{name}.{seed}.{count}.sqlite"
    command = f"{python} -m pytest -x -q -p no:cacheprovider {AREAS[module]}"
    config.write_text(
        f'[cosmic-ray]\nmodule-path = "{module}"\ntimeout = {TIMEOUT}\nexcluded-modules = []\n'
        f'test-command = {json.dumps(command)}\n[cosmic-ray.distributor]\nname = "local"\n'
    )
    if not database.is_file():
        part = database.with_suffix(".part")
        part.unlink(missing_ok=True)
        _run(["init", str(config), str(part)], tree)
        with use_db(str(part), WorkDB.Mode.open) as db:
            items = list(db.work_items)
            drawn = sample(items, tree / module, count, f"{seed}:{module}")
            skipped = [item.job_id for item in items if item.job_id not in drawn]
            db.set_multiple_results(skipped, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))
        part.rename(database)
    return config, database


def results(database: Path) -> Iterator[tuple[WorkItem, WorkResult]]:
    with use_db(str(database), WorkDB.Mode.open) as db:
        found = dict(db.results)
        for item in db.work_items:
            if item.job_id in found and found[item.job_id].worker_outcome is not WorkerOutcome.SKIPPED:
                yield item, found[item.job_id]


def report(databases: dict[str, Path]) -> str:
    """The report as Markdown: how many faults each module's tests caught, and every fault that they did not."""
    lines = ["| module | faults | caught | of them |", "| --- | --: | --: | --: |"]
    survived, total = [], Counter[str]()
    for module, database in databases.items():
        count = Counter[str]()
        for item, result in sorted(results(database), key=lambda pair: pair[0].mutations[0].start_pos):
            caught = result.test_outcome is not TestOutcome.SURVIVED
            count["caught" if caught else "survived"] += 1
            if not caught:
                changed = [row for row in (result.diff or "").splitlines() if row[:1] in "+-" and row[1:2] not in "+-"]
                survived.append(f"{module}, line {item.mutations[0].start_pos[0]}:\n" + "\n".join(changed))
        total += count
        lines.append(
            f"| `{module}` | {count.total()} | {count['caught']} | {count['caught'] / max(1, count.total()):.0%} |"
        )
    lines.append(f"| together | {total.total()} | {total['caught']} | {total['caught'] / max(1, total.total()):.0%} |")
    return "\n".join(lines) + "\n\n" + "\n\n".join(survived) + "\n"


def _run(words: list[str], tree: Path) -> None:
    environment = os.environ | {
        "PYTHONPATH": str(tree),
        "COSTMODEL_TEST_CACHE": str(FOLDER / "cache"),
        "OMP_NUM_THREADS": "1",
    }
    subprocess.run([sys.executable, "-m", "cosmic_ray.cli", *words], cwd=tree, env=environment, check=True)


def main() -> int:
    parser = argparse.ArgumentParser(description="How many made faults the tests catch.")
    parser.add_argument("modules", nargs="*", default=list(AREAS), help="default: all of AREAS")
    parser.add_argument("--count", type=int, default=200, help="faults in all (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--python", default=sys.executable, help="what runs the tests (default: this Python)")
    args = parser.parse_args()
    if unknown := set(args.modules) - set(AREAS):
        parser.error(f"no tests are named for {', '.join(sorted(unknown))}; expected some of {', '.join(AREAS)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    databases = {}
    for number, module in enumerate(args.modules):
        share = args.count * (number + 1) // len(args.modules) - args.count * number // len(args.modules)
        tree = copy_of_the_tree(module.removesuffix(".py").replace("/", "."))
        config, databases[module] = session(module, tree, share, args.seed, shlex.quote(args.python))
        _run(["baseline", str(config)], tree)
        _run(["exec", str(config), str(databases[module])], tree)
    print(report(databases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
