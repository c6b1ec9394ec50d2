"""``costmodel calibrate``: units synthesised, machines timed, boards fitted: constants made again from measurements."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from costmodel.cli import options
from costmodel.errors import CostmodelError, name_of
from costmodel.files import destination
from costmodel.views.output import emit
from costmodel.views.progress import progress

HELP = "Make the constants of targets again: by synthesis of units, by timing this machine, from your measurements."
EXAMPLES = """\
examples:
  costmodel calibrate fpga --quick
  costmodel calibrate fpga --check
  costmodel calibrate fpga --family lut6 --unit xnor_popcount --unit comparator
  costmodel calibrate designs --format csv -o designs.csv
  costmodel calibrate designs --family ecp5
  costmodel calibrate asic --library nangate45 --liberty nangate45_typ.lib --quick
  costmodel calibrate arm
  costmodel calibrate cpu -o this-machine.yaml
  costmodel profile abbnn --target ./this-machine.yaml
  costmodel calibrate fit measurements.csv --target raspberry-pi-4b -o my-board.yaml
"""
KINDS = ("fpga", "designs", "asic", "arm", "cpu", "fit")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kind", metavar="KIND", help=", ".join(KINDS))
    parser.add_argument(
        "file",
        nargs="?",
        metavar="MEASUREMENTS.csv",
        help="fit: columns network, metric, value, unit, and if wanted options and id",
    )
    fpga = parser.add_argument_group("fpga: units of SystemVerilog through Yosys")
    fpga.add_argument(
        "--quick", action="store_true", help="three sizes of each unit, on LUT6 unless --family says otherwise"
    )
    fpga.add_argument(
        "--check",
        action="store_true",
        help="say where today's tool differs from the shipped table; exit status 1 if it does",
    )
    fpga.add_argument(
        "--family",
        action="append",
        metavar="NAME",
        default=[],
        help="lut6, ecp5 or ice40 (default: all); designs: ecp5 places and routes some of them",
    )
    fpga.add_argument("--unit", action="append", metavar="NAME", default=[], help="one unit (default: all)")
    asic = parser.add_argument_group("asic: units mapped onto a Liberty file")
    asic.add_argument("--library", metavar="NAME", help="nangate45, sky130hd or asap7: the names of its cells")
    asic.add_argument(
        "--liberty",
        action="append",
        metavar="FILE",
        default=[],
        help="its Liberty file, packed or not; asap7: combinational cells, inverters, flip-flops",
    )
    cpu = parser.add_argument_group("cpu: layers of networks timed on this machine")
    cpu.add_argument("--runtime", metavar="NAME", default="executor", help="executor (packed, default) or pytorch")
    options.add(cpu, "--network")
    cpu.add_argument("--rounds", type=options.COUNT, metavar="N", help="rounds over all networks (default: 4)")
    fit = parser.add_argument_group("fit: your measurements of a board refine its constants")
    options.add(fit, "--target")
    options.add_output(parser)


def run(args: argparse.Namespace) -> int:
    kind = name_of("kind of calibration", args.kind, KINDS)
    if (kind == "fit") != (args.file is not None):
        raise CostmodelError(
            "calibrate fit needs a CSV of measurements"
            if kind == "fit"
            else f"calibrate {kind} takes no file: {args.file}"
        )
    return {"fpga": _fpga, "designs": _designs, "asic": _asic, "arm": _arm, "cpu": _cpu, "fit": _fit}[kind](args)


def _fpga(args: argparse.Namespace) -> int:
    from costmodel.calibrate import laws, synthesis, verify, views
    from costmodel.calibrate.fpga_units import BY_NAME

    known = synthesis.FLOWS
    families = [name_of("family", name, known) for name in dict.fromkeys(args.family)]
    families = families or (["lut6"] if args.quick else list(known))
    names = [name_of("unit", name, BY_NAME) for name in dict.fromkeys(args.unit)]
    cases = synthesis.cases(names, args.quick)
    with progress() as announce:
        announce("units tried on every input")
        for label, _, fault in verify.check([(u, s) for u in synthesis.chosen(names) for s in u.tiny]):
            if fault:
                raise CostmodelError(f"unit {label} does not compute what it should: {fault}")
        rows = list(synthesis.synthesise(cases, families, announce))
    shipped = synthesis.shipped(args.quick)
    compared = views.differences(rows, shipped)
    tables = [views.units(rows)]
    if not args.quick:
        tables.append(views.laws(laws.fit(rows)))
    tables += [views.model(laws.charged(rows)), compared]
    emit(tables[-1:] if args.check else tables, args.format, args.output)
    return int(args.check and bool(compared.rows))


def _designs(args: argparse.Namespace) -> int:
    """As CSV this is the shipped table, which grows row by row, so that a run goes on where it was interrupted."""
    from costmodel.calibrate import designs, views

    if args.family:
        return _clocks(args)
    wanted = designs.DESIGNS[:3] if args.quick else designs.DESIGNS
    grows = args.format == "csv" and args.output is not None
    rows = [] if args.quick else designs.current(designs.read())
    if grows and Path(args.output).exists():
        rows = designs.ordered([*rows, *designs.current(designs.read(Path(args.output)))])
    with progress() as announce:
        for row in designs.make(wanted, rows, announce):
            rows = designs.ordered([*rows, row])
            if grows:
                emit([views.designs(rows)], args.format, args.output)
    emit([views.designs(rows), views.scores(rows)], args.format, args.output)
    return 0


def _arm(args: argparse.Namespace) -> int:
    """By the llvm-mca that is installed; where there is none, as it was recorded."""
    from costmodel.calibrate import mca, views

    if mca.command() is None:
        print("no llvm-mca is installed: as recorded. Debian and Ubuntu: apt install llvm-19", file=sys.stderr)
        rows = mca.read()
    else:
        rows = list(mca.make())
    emit([views.loops(rows), views.loop_constants(rows)], args.format, args.output)
    return 0


#: Widths of ``calibrate asic --quick``.
QUICK_WIDTHS = (8, 16)


def _clocks(args: argparse.Namespace) -> int:
    """Designs placed and routed; as CSV this is the shipped table."""
    from costmodel.calibrate import place, views

    if args.family != ["ecp5"] or args.quick:
        raise CostmodelError("calibrate designs: --family ecp5, without --quick, places and routes some of the designs")
    with progress() as announce:
        known = place.current(place.read())
        rows = {row.design: row for row in (*known, *place.make(known, announce))}
    emit([views.clocks([rows[name] for name in place.PLACED])], args.format, args.output)
    return 0


def _asic(args: argparse.Namespace) -> int:
    """``-o`` is a part of a target file; the tables go to the terminal."""
    from costmodel.calibrate import asic_units, views
    from costmodel.calibrate.liberty import Library
    from costmodel.files import atomic_write
    from costmodel.targets.load import load_target

    name = name_of("library", args.library or "", asic_units.LIBRARIES)
    process, liberty = asic_units.LIBRARIES[name], [Path(file) for file in args.liberty]
    if not liberty:
        raise CostmodelError("calibrate asic: give its Liberty file with --liberty")
    voltage = Library(liberty, process.slew, process.load).voltage
    with progress() as announce:
        rows = list(asic_units.characterise(process, liberty, QUICK_WIDTHS if args.quick else (), announce))
    shipped = load_target(process.target).table(name)
    emit([views.cells(rows, shipped)], args.format)
    for path in asic_units.others(process, liberty):
        print(f"{path} is not the file that the shipped table was made from", file=sys.stderr)
    if args.output:
        atomic_write(args.output, asic_units.column_yaml(name, process, voltage, rows))
        print(f"wrote {args.output}", file=sys.stderr)
    return 0


def _cpu(args: argparse.Namespace) -> int:
    """``-o`` is the target file; the tables go to the terminal."""
    one_thread()
    from costmodel.calibrate import machine, views
    from costmodel.files import atomic_write
    from costmodel.targets.cpu.work import ENGINES

    engine = next(e for e in ENGINES if e == name_of("runtime", args.runtime, ENGINES))
    networks = list(dict.fromkeys(args.network)) or list(machine.NETWORKS[engine])
    output = args.output or f"this-machine{'' if engine == 'executor' else '-' + engine}.yaml"
    destination(output)
    with progress() as announce:
        found = machine.calibrate(engine, networks, args.rounds or machine.ROUNDS, machine.RUNS, announce)
    atomic_write(output, found.text)
    emit([views.networks(found.wholes, found.fit.ratios), views.constants(found.fit.constants)], args.format)
    print(f"wrote {output}: costmodel profile NETWORK --target {_path(output)}", file=sys.stderr)
    print(f"noise: second-least over least time, median {found.noise:.3f}", file=sys.stderr)
    if found.noise > machine.NOISY:
        print(
            "the machine was busy: the bounds are those of a noisy measurement. Repeat it when it is quiet.",
            file=sys.stderr,
        )
    return 0


def _fit(args: argparse.Namespace) -> int:
    """``-o`` is the new target file; nothing is changed without one that names the rows."""
    from costmodel.calibrate import board, views
    from costmodel.files import atomic_write
    from costmodel.targets import load_target

    if len(args.target) != 1 or not args.output:
        raise CostmodelError(
            "calibrate fit: give one --target, and with -o the YAML file that the refined one is written to"
        )
    file, output = Path(args.file), Path(args.output)
    target = load_target(args.target[0])
    rows = board.read(file)
    base = (
        target.name
        if Path(target.file).parent.parent.name == "arch_specs"
        else os.path.relpath(target.file, output.parent)
    )
    with progress() as announce:
        found = board.refine(target, rows, file, base, announce)
    atomic_write(output, found.text)
    emit([views.measurements(found), views.refined(found)], args.format)
    print(f"wrote {output}: costmodel profile NETWORK --target {_path(output)}", file=sys.stderr)
    return 0


def _path(output: str | Path) -> str:
    """How a target file is given, so that it is not taken for a name."""
    return str(output) if os.sep in str(output) else f"./{output}"


def one_thread() -> None:
    """Before numpy is imported: one thread for its products."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = "1"
