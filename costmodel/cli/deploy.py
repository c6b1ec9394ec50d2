"""``costmodel deploy``: the deployed network, checked against PyTorch, run in fixed point, and written to a file."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.cli.common import emit, parse_pairs, progress
from costmodel.errors import CostmodelError
from costmodel.views import counts, numbers
from costmodel.views.statements import caveats, hidden_multiplications
from costmodel.views.table import FORMATS, Column, Row, Table, paint, use_color, wrap

if TYPE_CHECKING:
    from costmodel.deploy.study import Deployment, Verdict
    from costmodel.load.reference import Reference

HELP = "Rewrite a network for deployment, prove it by running it, and write it to a compact file."
EXAMPLES = """\
examples:
  costmodel deploy abbnn-reactnet18-cifar10
  costmodel deploy abbnn --checkpoint abbnn.safetensors -o abbnn.deployed.safetensors
  costmodel deploy abbnn --scale csd3 --fraction-bits 12 --target asic-45nm-horowitz --target zcu102
  costmodel deploy abbnn --scale all --target all
  costmodel deploy abbnn-reactnet18-cifar10 --checkpoint best.safetensors --data cifar10 --images 1000 --sweep
  costmodel deploy abbnn.deployed.safetensors --data cifar10
  costmodel deploy abbnn-reactnet18-cifar10 --qonnx abbnn.onnx

The last but two reads a file that was written with -o and runs it without PyTorch.
exit status: 0; 1 with --strict where the deployed network is not exact; 2 for bad input
"""
SCALES = ("exact", "pow2", "csd2", "csd3", "tied", "lut", "all")
#: Fraction bits of --sweep.
SWEEP = (4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    where = "a name of `costmodel models`, path/to/file.py:factory, package.module:factory, or a deployed file"
    parser.add_argument("model", metavar="MODEL", help=where)
    group = parser.add_argument_group("the network")
    arguments = 'arguments of the factory: \'{"scale": "tied"}\' or scale=tied (repeatable)'
    group.add_argument("--model-args", metavar="ARGS", action="append", default=[], help=arguments)
    group.add_argument(
        "--input", metavar="SHAPE", action="append", default=[], help="1x3x224x224; the zoo knows its own"
    )
    weights = "weights: a shipped name, .safetensors, or .pt read without its code"
    group.add_argument("--checkpoint", metavar="FILE", help=weights)
    group.add_argument("--trained", action="store_true", help="read parameters literally: a slope of 1/4 is a shift")
    group = parser.add_argument_group("the number format")
    ways = "what multiplies by the scale of binary weights (default: exact); all: compare them"
    group.add_argument("--scale", choices=SCALES, default="exact", help=ways)
    bits = "bits behind the point of the residual stream (default: 16)"
    group.add_argument("--fraction-bits", type=_bits, default=16, metavar="N", help=bits)
    group.add_argument("--sweep", action="store_true", help=f"a table over {SWEEP[0]}...{SWEEP[-1]} fraction bits")
    group = parser.add_argument_group("what it is judged on")
    group.add_argument(
        "--data", metavar="SET", help="cifar10, cifar100 or digits: test images instead of random numbers"
    )
    group.add_argument("--data-dir", metavar="DIR", help="folder of data sets (default: $COSTMODEL_DATA)")
    group.add_argument(
        "--pixels", choices=("unit", "standardised"), help="0 … 1, or of mean 0 and deviation 1 (default: by network)"
    )
    group.add_argument("--images", type=_count, metavar="N", help="how many images (default: 8; for a file all)")
    group.add_argument(
        "--target", metavar="TARGET", action="append", default=[], help="price on it; `all` for every one"
    )
    group.add_argument("--seed", type=int, default=0, help="of fresh weights and random images (default: 0)")
    group = parser.add_argument_group("output")
    group.add_argument("-o", "--output", metavar="FILE", dest="file", help="write the packed network (safetensors)")
    group.add_argument("--qonnx", metavar="FILE", help="write a QONNX graph; needs the extra `export`")
    group.add_argument("--format", choices=FORMATS, default="table", help="default: table")
    group.add_argument("--strict", action="store_true", help="exit 1 if the deployed network is not exact")


def run(args: argparse.Namespace) -> int:
    args.output = None  # tables go to the terminal; -o is the network
    path = Path(args.model)
    if path.suffix == ".safetensors" or path.is_file():
        return _run_file(path, args)
    with progress() as announce:
        reference, made, verdict, refusal = _prepare(args, announce)
        tables = [counts.levels(made.profile, numbers.plain)]
        if made.profile.rewrites:
            tables.append(counts.rewrites(made.profile, numbers.plain))
        if refusal:
            emit(tables, args, preface=_preface(made, refusal))
            return int(args.strict)
        assert verdict is not None
        from costmodel.views.deployment import verdict_table

        images, labels, about = _images(args, reference, made)
        announce("running in fixed point")
        tables.append(verdict_table(verdict))
        tables += _effects(args, made, images, labels, about)
        if args.target:
            announce("pricing")
            tables.append(_prices(args, made))
        written = _write(args, made)
    emit(tables, args, preface=_preface(made, ""))
    if args.format == "table":
        for line in written:
            print(line)
    return int(args.strict and not verdict.exact)


def _prepare(args: argparse.Namespace, announce: Any) -> tuple[Reference, Deployment, Verdict | None, str]:
    import torch

    from costmodel import api
    from costmodel.deploy import study
    from costmodel.deploy.assemble import CannotRunError
    from costmodel.load import network as loading
    from costmodel.load.inputs import make_inputs, parse_inputs
    from costmodel.load.reference import resolve
    from costmodel.train import shipped

    reference = resolve(args.model, parse_pairs(args.model_args, "--model-args"))
    specs = parse_inputs(args.input) or api.default_inputs(reference)
    torch.manual_seed(args.seed)
    announce(f"building {reference.title}")
    model = loading.build(reference)
    if args.checkpoint:
        loading.load_checkpoint(model, shipped.find(args.checkpoint))
    announce(f"tracing {reference.title}")
    inputs = make_inputs(specs, args.seed)
    with loading.user_code(f"{reference.title} does not run on an input of {', '.join(map(str, specs))}"):
        made = study.prepare(model, inputs, name=reference.title, trained=args.trained, seed=args.seed)
    announce("comparing with PyTorch")
    try:
        return reference, made, study.verify(made, _random_images(args, made, 2)), ""
    except CannotRunError as error:
        if args.file or args.qonnx:
            raise
        return reference, made, None, str(error)


def _random_images(args: argparse.Namespace, made: Deployment, count: int) -> Any:
    import numpy as np

    generator = np.random.default_rng(args.seed)
    return tuple(generator.standard_normal((count, *leaf.shape[1:])) for leaf in made.graph.inputs)


def _images(args: argparse.Namespace, reference: Reference, made: Deployment) -> tuple[Any, Any, str]:
    if args.data is None:
        count = args.images or 8
        return _random_images(args, made, count), None, f"{count} random inputs"
    if len(made.graph.inputs) != 1:
        raise CostmodelError(f"--data gives one image at a time, and the network takes {len(made.graph.inputs)} inputs")
    images, labels = _test_images(args, made.graph.inputs[0].shape, reference.title)
    count = min(args.images or 8, len(images))
    return images[:count], labels[:count], f"{count} test images of {args.data}"


def _test_images(args: argparse.Namespace, shape: tuple[int, ...], network: str) -> tuple[Any, Any]:
    """Test images as the training code gives them to this network."""
    import numpy as np

    from costmodel.train.data import data_directory, load, takes_unit_pixels

    data = load(args.data, data_directory(args.data_dir))
    if data.test.images.shape[1:] != tuple(shape[1:]):
        have = "x".join(map(str, data.test.images.shape[1:]))
        raise CostmodelError(
            f"images of {args.data} are {have} and the network takes {'x'.join(map(str, shape[1:]))}; choose a network "
            f"made for it: costmodel models '*-{args.data}'"
        )
    unit = args.pixels == "unit" or (args.pixels is None and takes_unit_pixels(network))
    scale = ((0.0,), (1.0,)) if unit else (data.mean, data.std)
    mean, std = (np.array(v, dtype=np.float64).reshape(1, -1, 1, 1) for v in scale)
    count = args.images or len(data.test.images)
    return (data.test.images[:count] / 255.0 - mean) / std, data.test.labels[:count]


def _run_file(path: Path, args: argparse.Namespace) -> int:
    """Run a deployed file; nothing here imports torch."""
    import numpy as np

    from costmodel.deploy import packed
    from costmodel.deploy.executor import Executor, run_batches

    program = packed.load(path)
    shapes = [shape for _, _, shape in program.inputs]
    rows = [
        Row(["network", program.network]), Row(["input", ", ".join("x".join(map(str, shape)) for shape in shapes)]),
        Row(["fraction bits", str(program.fraction_bits)]), Row(["scale", program.scale]),
        Row(["binary weights", f"{packed.binary_weights(program):,}"]),
        Row(["file", f"{path.stat().st_size:,} bytes"]),
    ]  # fmt: skip
    if args.data:
        images, labels = _test_images(args, shapes[0], program.network)
        logits = run_batches(Executor(program), images, threads=2)
        rows.append(Row(["images", f"{len(images)} of {args.data}"]))
        rows.append(Row(["top-1 accuracy", f"{100 * float((logits.argmax(1) == labels).mean()):.2f} %"]))
    else:
        generator = np.random.default_rng(args.seed)
        images = [generator.standard_normal((args.images or 1, *shape[1:])) for shape in shapes]
        logits = Executor(program).run(*images)[0]
        rows.append(Row(["output for a random input", np.array2string(logits[0], precision=5, threshold=10)]))
    columns = [Column("what", "deployed network", "left"), Column("value", "", "left", prose=True)]
    emit([Table("file", "", columns, rows, notes=list(program.notes))], args)
    return 0


def _effects(args: argparse.Namespace, made: Deployment, images: Any, labels: Any, about: str) -> list[Table]:
    from costmodel.deploy.study import effect
    from costmodel.views import deployment as deploy_tables

    options: tuple[Any, ...] = SCALES[:-1] if args.scale == "all" else (args.scale,)
    found = [effect(made, option, args.fraction_bits, images, labels) for option in options]
    labelled = labels is not None
    title = f"In fixed point, against double precision, on {about}"
    tables = [deploy_tables.effects("effect", title, found, made, labelled), deploy_tables.flips(found)]
    if args.sweep:
        option: Any = "exact" if args.scale == "all" else args.scale
        sweep = [effect(made, option, bits, images, labels) for bits in SWEEP]
        title = f"Fraction bits, scale {option}, {about}"
        tables.append(deploy_tables.effects("sweep", title, sweep, made, labelled))
    return tables


def _prices(args: argparse.Namespace, made: Deployment) -> Table:
    from costmodel.targets import list_targets
    from costmodel.views import deployment as deploy_tables

    names = list(list_targets()) if args.target == ["all"] else args.target
    options = SCALES[:-1] if args.scale == "all" else tuple(dict.fromkeys(("exact", args.scale)))
    return deploy_tables.prices(made, names, options)


def _write(args: argparse.Namespace, made: Deployment) -> list[str]:
    from costmodel.deploy import packed
    from costmodel.deploy.assemble import assemble
    from costmodel.deploy.multipliers import replace_multipliers

    if not (args.file or args.qonnx):
        return []
    if args.scale == "all":
        raise CostmodelError("--scale all compares; choose one way to write a file: --scale exact, pow2, csd2, ...")
    graph = replace_multipliers(made.graph, args.scale)
    lines = []
    if args.file:
        program = assemble(graph, args.fraction_bits, args.scale)
        path = packed.save(program, args.file)
        size, least = path.stat().st_size, packed.theoretical_bits(program) / 8
        lines.append(f"wrote {path}: {size:,} bytes, {100 * (size / least - 1):.1f} % above the bits of its constants")
    if args.qonnx:
        from costmodel.deploy.qonnx import export

        path = export(assemble(graph, None, args.scale), args.qonnx)
        lines.append(f"wrote {path}: QONNX graph")
    return lines


def _preface(made: Deployment, refusal: str) -> str:
    color = use_color()
    lines = [paint(counts.title(made.profile, "deployed"), "title", color)]
    for text, style in ((hidden_multiplications(made.profile), "warn"), (refusal, "bad")):
        lines += [paint(line, style, color) for line in wrap(text)] if text else []
    lines += [paint(line, "bad", color) for text in caveats(made.profile) for line in wrap(text)]
    return "\n".join(lines) + "\n"


def _bits(text: str) -> int:
    value = int(text)
    if not 1 <= value <= 40:
        raise argparse.ArgumentTypeError("from 1 to 40")
    return value


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value
