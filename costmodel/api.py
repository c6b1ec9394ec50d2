"""The public verbs: profile a network by name, by file or as a module; list and build the networks of the zoo.

Torch is imported when a network must be run, and not when the answer is in the store.
"""

from __future__ import annotations

import contextlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from costmodel.errors import CostmodelError
from costmodel.graph.vocabulary import MOST_THRESHOLD_BITS, THRESHOLD_BITS, Caveat
from costmodel.ledger.ledger import Ledger, Profile, level_of
from costmodel.load import running
from costmodel.load.inputs import InputSpec, make_inputs, parse_inputs
from costmodel.load.notes import noting
from costmodel.load.reference import Reference, resolve
from costmodel.store import cache
from costmodel.trace.custom import CUSTOM
from costmodel.train import shipped

if TYPE_CHECKING:
    from torch import nn

    from costmodel.targets.comparison import Comparison
    from costmodel.targets.estimate import Estimate
    from costmodel.targets.spec import Target

Announce = Callable[[str], None]


def profile(
    model: nn.Module | str,
    inputs: Any = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    argv: Sequence[str] = (),
    checkpoint: str | Path | None = None,
    trained: bool = False,
    seed: int = 0,
    meta: bool = False,
    threshold_bits: int = THRESHOLD_BITS,
    name: str = "",
    use_cache: bool = True,
    timeout: float | None = None,
    announce: Announce | None = None,
) -> Profile:
    """What ``model`` does at inference, as exact counts.

    ``model``
        A ``torch.nn.Module``, a name of the zoo, ``path/to/file.py:factory``, ``package.module:factory``, or the path
        of an ONNX, TorchScript or ``torch.export`` file.
    ``inputs``
        Tensors (one, a tuple, a dictionary of keyword arguments, or a tuple of these two), or their shapes as text
        (``"1x3x224x224"``, or a sequence of such). Networks of the zoo and ONNX files know theirs.
    ``arguments``, ``argv``, ``checkpoint``
        Handed to the factory; what its code finds as its command line; weights to load. Only for a named network.
    ``trained``
        Read parameters literally: a slope that is exactly 1/4 is a shift. Otherwise initial values prove nothing.
    ``meta``
        Make no weights: what a network costs follows from shapes, and kinds from rules and from a checkpoint. A module
        on the device ``meta`` is counted in this way as well. Only for a network that is named.
    ``threshold_bits``
        Quantisers of up to so many bits become comparisons where the network is deployed: ``2 ** bits - 1`` in place of
        a multiplication by the step and a rounding. Wider ones, and scales in front of them, stay as they are written.
    ``use_cache``
        Whether a named model may be answered from the store of earlier profiles.
    ``timeout``
        Seconds that each step of the model's own code may take (importing, building, running), in the main thread of
        a system with timers. None: no limit.
    ``announce``
        Called with one line before each step that takes time.

    Raises :class:`CostmodelError` when the model cannot be found, built or run.
    """
    running.require_timer(timeout)
    if isinstance(model, str):
        request = make_request(
            model, inputs, arguments=arguments, argv=argv, checkpoint=checkpoint, trained=trained, seed=seed, meta=meta,
            threshold_bits=threshold_bits,
        )  # fmt: skip
        with running.limited(timeout):
            return answer(request, use_cache=use_cache, announce=announce)
    if arguments or argv or checkpoint:
        raise CostmodelError(
            "'arguments', 'argv' and 'checkpoint' are for a network that is named; build and load the module first"
        )
    check_threshold_bits(threshold_bits)
    given = inputs_of_module(inputs, seed)
    with noting() as notes, running.limited(timeout):
        made = _trace(model, given, name or type(model).__name__, trained, seed, threshold_bits=threshold_bits)
    return _with_notes(made, notes)


def inputs_of_module(inputs: Any, seed: int = 0) -> Any:
    """What a module is called with, a tuple or a dictionary, from all that may be given for it."""
    if isinstance(inputs, str) or _are_texts(inputs):
        inputs = make_inputs(parse_inputs([inputs] if isinstance(inputs, str) else list(inputs)), seed)
    if inputs is None:
        raise CostmodelError(
            "no inputs given: a tensor, a tuple or dictionary of tensors, or text such as '1x3x224x224'"
        )
    if not isinstance(inputs, (tuple, dict)):
        inputs = tuple(inputs) if isinstance(inputs, list) else (inputs,)
    return inputs


def make_request(
    model: str,
    inputs: str | Sequence[str] | None = None,
    *,
    arguments: Mapping[str, Any] | None = None,
    argv: Sequence[str] = (),
    checkpoint: str | Path | None = None,
    trained: bool = False,
    seed: int = 0,
    meta: bool = False,
    threshold_bits: int = THRESHOLD_BITS,
) -> cache.Request:
    """What is asked about a model that is named; raises :class:`CostmodelError` where it cannot be found."""
    if inputs is not None and not isinstance(inputs, str) and not _are_texts(inputs):
        raise CostmodelError("for a network that is named, give inputs as text, such as '1x3x224x224'")
    specs = parse_inputs([inputs] if isinstance(inputs, str) else list(inputs or ()))
    reference = resolve(model, arguments, argv)
    path = shipped.find(checkpoint) if checkpoint else None
    if path and not path.is_file():
        raise CostmodelError(f"no checkpoint {path}: give the path of a .safetensors or .pt/.pth file")
    check_threshold_bits(threshold_bits)
    return cache.Request(reference, specs or default_inputs(reference), path, trained, seed, meta, threshold_bits)


def check_threshold_bits(bits: int) -> None:
    """Refuse a width of quantisers that cannot become comparisons."""
    if not isinstance(bits, int) or not 1 <= bits <= MOST_THRESHOLD_BITS:
        raise CostmodelError(f"threshold_bits={bits!r}: expected a whole number from 1 to {MOST_THRESHOLD_BITS}")


#: Requests of this process -> the operations that their own files registered, which the store sees with these files.
_REGISTERED: dict[str, frozenset[str]] = {}


def _storable(request: cache.Request) -> bool:
    """Whether the store may answer: not where an operation is counted by what was registered elsewhere."""
    return not CUSTOM or _REGISTERED.get(request.key(), frozenset()) >= CUSTOM.keys()


def answer(request: cache.Request, *, use_cache: bool = True, announce: Announce | None = None) -> Profile:
    """The profile for ``request``: from the store, or made and stored."""
    say = announce or (lambda _: None)
    use_cache = use_cache and _storable(request)
    found = cache.load(request, Profile) if use_cache else None
    if found is not None:
        return found
    from costmodel.load import checkpoints
    from costmodel.load import network as loading

    say("starting PyTorch")
    import torch  # before the watch begins, so that torch's own files are not taken for the user's

    # Fresh weights are part of the question: the same question has the same answer.
    watching, listening = _watching(request.reference.kind != "zoo"), noting()
    with watching as files, listening as notes, torch.random.fork_rng(devices=[]):
        torch.manual_seed(request.seed)
        say(f"building {request.reference.title}")
        with torch.device("meta") if request.meta else contextlib.nullcontext():
            model = loading.build(request.reference)
        if request.checkpoint:
            say(f"loading {request.checkpoint.name}")
            checkpoints.load_checkpoint(model, request.checkpoint)
        model = loading.finish(request.reference, model)
        say(f"tracing {request.reference.title} on {', '.join(map(str, request.inputs))}")
        inputs = make_inputs(request.inputs, request.seed)
        made = _of_one_image(request, model, inputs)
    made = _with_notes(made, notes)
    if use_cache:
        cache.store(request, made.network, made, files)
        if CUSTOM:
            _REGISTERED[request.key()] = frozenset(CUSTOM)
    return made


def price(
    pricing: cache.Pricing, *, use_cache: bool = True, announce: Announce | None = None
) -> tuple[Profile, Estimate]:
    """The profile and what it costs on a target, each from the store or made and stored."""
    import msgspec

    from costmodel.targets.estimate import Estimate

    say = announce or (lambda _: None)
    stored = use_cache and _storable(pricing.request)
    found = cache.load(pricing, Estimate) if stored else None
    if found is not None:
        profile = answer(pricing.request, use_cache=use_cache, announce=announce)
        return profile, replace(found, ledger=_priced(profile, pricing))
    from costmodel.targets.folder import specs_folder
    from costmodel.targets.load import load_target

    with _watching(True) as files:
        target = load_target(pricing.target)  # before anything that takes time: the name may be wrong
    profile = answer(pricing.request, use_cache=use_cache, announce=announce)
    say(f"pricing on {target.name}")
    with _watching(True) as more:
        made = profile.estimate(target, level=pricing.level, **pricing.options)
    ledger, made = made.ledger, replace(made, ledger=None)  # which is stored with the profile
    try:  # what is said the first time is what is said from the store
        made = msgspec.json.decode(msgspec.json.encode(made), type=Estimate)
    except (TypeError, msgspec.MsgspecError):  # a model of hardware that states facts which are no data
        return profile, replace(made, ledger=ledger)
    if stored:
        own = specs_folder().resolve()  # part of the key already
        read = [file for file in (*files, *more) if not file.is_relative_to(own)]
        cache.store(pricing, f"{profile.network} on {target.name}", made, read)
    return profile, replace(made, ledger=ledger)


def _priced(profile: Profile, pricing: cache.Pricing) -> Ledger:
    """The ledger that an estimate is of."""
    ledger, scale = profile.ledger(pricing.level), pricing.options.get("scale", "exact")
    if scale == "exact":
        return ledger
    from costmodel.ledger.scales import with_scale

    return with_scale(ledger, scale)


def compare(
    *networks: str | Profile | cache.Request,
    targets: str | os.PathLike[str] | Target | Sequence[str | os.PathLike[str] | Target] = (),
    inputs: str | Sequence[str] | None = None,
    level: str = "deployed",
    scale: str = "exact",
    trained: bool = False,
    seed: int = 0,
    use_cache: bool = True,
    announce: Announce | None = None,
    **options: Any,
) -> Comparison:
    """Networks next to each other, and what they cost on each of ``targets``.

    ``networks``
        Names of the zoo, ``path/to/file.py:factory``, ``package.module:factory``, or profiles of your own modules.
    ``targets``
        Names of :func:`costmodel.list_targets`, paths of YAML files, or loaded targets: one, or a sequence.
    ``inputs``
        Shapes as text (``"1x3x224x224"``) for networks that are named by a file or module.
    ``level``, ``scale``
        ``deployed`` or ``as_written``; what multiplies by the scale of binary weights (:mod:`costmodel.ledger.scales`).
    ``options``
        Those of the targets, such as ``clock=2e8``.

    Raises :class:`CostmodelError` for no network, and as :func:`costmodel.profile` and :func:`costmodel.estimate` do.
    """
    from costmodel.ledger.scales import with_scale
    from costmodel.targets import estimate
    from costmodel.targets.comparison import Comparison

    if not networks:
        raise CostmodelError("no network given: name one or more, or give their profiles")
    chosen = level_of(level)
    _check(inputs)
    if options and not targets:
        raise CostmodelError(f"{', '.join(options)} acts on a target: give targets as well")
    on: Sequence[Any] = targets if isinstance(targets, (list, tuple)) else [targets]
    settings = options if scale == "exact" else {**options, "scale": scale}
    profiles: list[Profile] = []
    estimates: list[list[Estimate]] = [[] for _ in on]
    for network in networks:
        request = network
        if isinstance(request, str):
            request = make_request(request, _own(request, inputs), trained=trained, seed=seed)
        for target, row in zip(on, estimates, strict=True):
            if isinstance(request, Profile):
                row.append(estimate(request, target, level=chosen, **settings))
            elif isinstance(target, str):
                pricing = cache.Pricing(request, target, chosen, settings)
                row.append(price(pricing, use_cache=use_cache, announce=announce)[1])
            else:
                made = answer(request, use_cache=use_cache, announce=announce)
                row.append(estimate(made, target, level=chosen, **settings))
        made = request if isinstance(request, Profile) else answer(request, use_cache=use_cache, announce=announce)
        profiles.append(replace(made, deployed=with_scale(made.deployed, scale)))
    return Comparison(tuple(profiles), tuple(map(tuple, estimates)), chosen)


def _check(inputs: str | Sequence[str] | None) -> None:
    """Refuse what is no input, also where every network knows its own."""
    parse_inputs([inputs] if isinstance(inputs, str) else list(inputs or ()))


def _own(network: str, inputs: str | Sequence[str] | None) -> str | Sequence[str] | None:
    """The input of a network that knows none."""
    return inputs if ":" in network else None


def default_inputs(reference: Reference) -> tuple[InputSpec, ...]:
    """The input that a network of the zoo is made for. Raises :class:`CostmodelError` for a user's network."""
    if reference.kind == "onnx" and reference.path is not None:
        from costmodel.load.onnx.read import inputs_of

        return inputs_of(reference.path)
    if reference.kind != "zoo":
        raise CostmodelError(f"network {reference.text!r} needs its input's shape: --input 1x3x224x224")
    from costmodel.zoo import registry

    shape = registry.entry(reference.name).input_shape
    channels = reference.arguments.get("in_channels")
    return (InputSpec((shape[0], channels, *shape[2:]) if channels else shape),)


def list_models(pattern: str = "*") -> list[str]:
    """Names of the zoo that match a shell pattern such as ``*react*``."""
    from costmodel.zoo import registry

    return registry.list_models(pattern)


def build_model(name: str, **arguments: Any) -> nn.Module:
    """A network of the zoo, or of a file or module, with fresh weights. Imports torch."""
    from costmodel.load import network as loading

    reference = resolve(name, arguments)
    return loading.finish(reference, loading.build(reference))


def _trace(
    model: nn.Module, inputs: Any, name: str, trained: bool, seed: int, command: Sequence[str] = (),
    threshold_bits: int = THRESHOLD_BITS,
) -> Profile:  # fmt: skip
    from torch.utils._pytree import tree_leaves

    from costmodel.deploy.profile import profile as traced

    shapes = ", ".join(map(_shape, tree_leaves(inputs)))
    with running.user_code(f"{name} does not run on an input of {shapes}", command), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a deprecation in the user's model is not what was asked about
        return traced(model, inputs, name=name, trained=trained, seed=seed, threshold_bits=threshold_bits)


def _of_one_image(request: cache.Request, model: nn.Module, inputs: Any) -> Profile:
    """The profile of a network that is named; where its factory fixes how many images it takes, that is said."""
    from costmodel.load.network import batch_argument

    reference = request.reference
    try:
        made = _trace(
            model, inputs, reference.title, request.trained, request.seed, reference.command, request.threshold_bits
        )
    except CostmodelError as error:
        advice = batch_argument(reference, str(error.__cause__)) if error.__cause__ is not None else ""
        if not advice:
            raise
        raise CostmodelError(f"{error}. Build it for a batch of 1{advice}") from error.__cause__
    said = (
        replace(c, message=c.message + batch_argument(reference, c.message)) if c.kind == "batch" else c
        for c in made.caveats
    )
    return replace(made, caveats=tuple(said))


def _with_notes(made: Profile, notes: Mapping[str, int]) -> Profile:
    """The profile, which says what was done for the network before it ran."""
    said = (Caveat("note", "", text.replace("TIMES", str(times))) for text, times in notes.items())
    return replace(made, caveats=(*made.caveats, *said))


@contextlib.contextmanager
def _watching(wanted: bool) -> Iterator[Sequence[Path]]:
    """The files that are read meanwhile outside of this package; none where they need not be known."""
    files: list[Path] = []
    if not wanted:
        yield files
        return
    from costmodel.store.watch import files_read

    with files_read() as found:
        yield files
    files += sorted(found)


def _are_texts(value: Any) -> bool:
    return isinstance(value, (list, tuple)) and bool(value) and all(isinstance(item, str) for item in value)


def _shape(value: Any) -> str:
    return "x".join(map(str, value.shape)) if hasattr(value, "shape") else type(value).__name__
