"""Mutation testing: do the tests of a module notice when it is wrong?

    make mutants                                        200 faults, drawn with seed 0 over the modules of AREAS
    python -m tools.mutants --count 40 costmodel/targets/asic/bill.py

cosmic-ray makes the faults (an operator, a comparison, a constant, a condition, a loop left out) one by one in a copy
of the tree. The tests of the area stop at the first failure; they run in a copy of this process, in which the libraries
are imported already and the package is not. Every place in the code is drawn with the same probability, then one of the
faults possible there. Type annotations are no places: they are not executed. A run that was broken off goes on where it
stopped. What survived, and why, is in docs/mutants.md.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import hashlib
import importlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from cosmic_ray.mutating import use_mutation
from cosmic_ray.plugins import get_operator
from cosmic_ray.work_db import WorkDB, use_db
from cosmic_ray.work_item import TestOutcome, WorkerOutcome, WorkItem, WorkResult

ROOT = Path(__file__).parent.parent
FOLDER = ROOT / "build" / "mutants"
TOPS = ("arch_specs", "dashboard", "reports")

REWRITES = (
    "tests/deploy/test_absorb_pass.py tests/deploy/test_monotone.py tests/deploy/test_forms.py "
    "tests/deploy/test_cones.py tests/deploy/test_absorb.py tests/deploy/test_thresholds.py "
    "tests/deploy/test_levels.py tests/generated/test_rules.py tests/generated/test_counts.py "
    "tests/generated/test_execution.py::test_deployed_networks_give_what_pytorch_gives_and_do_what_is_charged[1]"
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
    "costmodel/targets/fpga/search.py": (
        "tests/targets/fpga/test_search_proof.py tests/targets/fpga/test_search.py tests/explore/test_folding.py"
    ),
    "costmodel/explore/compose.py": "tests/explore/test_compose.py tests/explore/test_folding.py",
}
#: Faults that no test could see: a cache or a frozen class that is none, an interned value compared by identity.
LEFT_OUT = (
    "core/RemoveDecorator",
    *(f"core/ReplaceComparisonOperator_{pair}" for pair in ("Eq_Is", "NotEq_IsNot", "Is_Eq", "IsNot_NotEq")),
)
#: Seconds of one core after which a test run counts as caught: the fault made it endless. Those of the clock pass
#: while others use the machine, too; their limit is for faults that make a test wait.
ENDLESS = 200
WAITING = 7200
#: What the tests import from elsewhere, once for all faults.
LIBRARIES = ("pytest", "hypothesis", "numpy", "pandas", "numba", "torch", "torch._dynamo")


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


def session(module: str, tree: Path, count: int, seed: int) -> Path:
    """The faults of a module as cosmic-ray keeps them; those not drawn are marked as skipped."""
    text = hashlib.sha256((tree / module).read_bytes()).hexdigest()[:8]  # faults are places in this text
    config, database = FOLDER / f"{tree.name}.toml", FOLDER / f"{tree.name}.{seed}.{count}.{text}.sqlite"
    config.write_text(
        f'[cosmic-ray]\nmodule-path = "{module}"\ntimeout = {WAITING}\nexcluded-modules = []\n'
        'test-command = ""\n[cosmic-ray.distributor]\nname = "local"\n'
    )
    if not database.is_file():
        part = database.with_suffix(".part")
        part.unlink(missing_ok=True)
        words = [sys.executable, "-m", "cosmic_ray.cli", "init", str(config), str(part)]
        subprocess.run(words, cwd=tree, check=True)
        with use_db(str(part), WorkDB.Mode.open) as db:
            items = list(db.work_items)
            drawn = sample(items, tree / module, count, f"{seed}:{module}")
            skipped = [item.job_id for item in items if item.job_id not in drawn]
            db.set_multiple_results(skipped, WorkResult(worker_outcome=WorkerOutcome.SKIPPED))
        part.rename(database)
    return database


def passes(tree: Path, tests: str) -> bool:
    """Whether the tests of a tree pass, run by a copy of this process."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        status = 1
        try:
            log = os.open(FOLDER / f"{tree.name}.log", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(log, 1)
            os.dup2(log, 2)
            os.chdir(tree)
            os.environ["PYTHONPATH"] = sys.path[0] = str(tree)
            for name in [name for name in sys.modules if name.split(".")[0] == "tools"]:
                del sys.modules[name]
            resource.setrlimit(resource.RLIMIT_CPU, (ENDLESS, ENDLESS))
            signal.alarm(WAITING)
            status = importlib.import_module("pytest").main(["-x", "-q", "-p", "no:cacheprovider", *tests.split()])
        finally:
            os._exit(int(status))
    return os.waitpid(child, 0)[1] == 0


def execute(database: Path, tree: Path, tests: str, again: bool) -> None:
    """Run the tests once for every fault that is drawn and has no result yet, or ``again`` for those that survived."""
    survivors = [item for item, result in results(database) if result.test_outcome is TestOutcome.SURVIVED]
    with use_db(str(database), WorkDB.Mode.open) as db:
        for item in [*db.pending_work_items, *(survivors if again else ())]:
            (fault,) = item.mutations
            operator = get_operator(fault.operator_name)(**fault.operator_args)
            with use_mutation(tree / fault.module_path, operator, fault.occurrence) as (before, after):
                outcome = TestOutcome.SURVIVED if passes(tree, tests) else TestOutcome.KILLED
            diff = "\n".join(difflib.unified_diff(before.splitlines(), after.splitlines(), lineterm=""))
            result = WorkResult(worker_outcome=WorkerOutcome.NORMAL, test_outcome=outcome, diff=diff)
            db.set_result(item.job_id, result)


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


def main() -> int:
    parser = argparse.ArgumentParser(description="How many made faults the tests catch.")
    parser.add_argument("modules", nargs="*", default=list(AREAS), help="default: all of AREAS")
    parser.add_argument("--count", type=int, default=200, help="faults in all (default: 200)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--again", action="store_true", help="try what survived again, with the tests of today")
    args = parser.parse_args()
    if unknown := set(args.modules) - set(AREAS):
        parser.error(f"no tests are named for {', '.join(sorted(unknown))}; expected some of {', '.join(AREAS)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    os.environ |= {"COSTMODEL_TEST_CACHE": str(FOLDER / "cache"), "OMP_NUM_THREADS": "1"}
    for library in LIBRARIES:
        importlib.import_module(library)
    databases = {}
    for number, module in enumerate(args.modules):
        share = args.count * (number + 1) // len(args.modules) - args.count * number // len(args.modules)
        tree = copy_of_the_tree(module.removesuffix(".py").replace("/", "."))
        databases[module] = session(module, tree, share, args.seed)
        if not passes(tree, AREAS[module]):
            parser.error(f"the tests fail before anything is changed: {FOLDER / tree.name}.log")
        execute(databases[module], tree, AREAS[module], args.again)
    print(report(databases))
    return 0


if __name__ == "__main__":
    sys.exit(main())
