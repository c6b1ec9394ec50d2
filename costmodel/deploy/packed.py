"""Deployed networks as compact files: safetensors, binary weights one bit each, read back without torch.

The file's metadata is a readable JSON header (what network, which number format, how many instructions); the tensor
``program`` holds the instructions as compressed JSON, and every other tensor one constant. ±1 and 0/1 constants are
packed eight to a byte, integers are stored in the narrowest type, real numbers in single precision where exact.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.deploy.program import Array, Instruction, Program, Type
from costmodel.errors import CostmodelError
from costmodel.files import atomic_write

FORMAT, VERSION = "costmodel-deployed", 1
#: A program of more than this is not a network.
_MAX_PROGRAM = 1 << 26
_FIELDS = ("op", "out", "inputs", "shape", "module", "call", "node_op", "params")


def save(program: Program, path: str | os.PathLike[str]) -> Path:
    """Write ``program`` to ``path``, atomically. Raises :class:`CostmodelError` when it cannot be written."""
    from safetensors.numpy import save as serialise

    tensors: dict[str, Array] = {}
    instructions = []
    for number, instruction in enumerate(program.instructions):
        row: dict[str, Any] = {name: getattr(instruction, name) for name in _FIELDS if getattr(instruction, name)}
        places = {name: _store(f"{number}.{name}", array, tensors) for name, array in instruction.arrays.items()}
        instructions.append(row | ({"arrays": places} if places else {}))
    body = {
        "inputs": program.inputs,
        "outputs": program.outputs,
        "types": {str(k): [t.kind, t.fraction, t.zero] for k, t in program.types.items()},
        "notes": program.notes,
        "instructions": instructions,
    }
    text = json.dumps(body, separators=(",", ":")).encode()
    tensors["program"] = np.frombuffer(zlib.compress(text, 9), np.uint8)
    header = {
        "format": FORMAT, "version": VERSION, "network": program.network, "fraction_bits": program.fraction_bits,
        "scale": program.scale, "instructions": len(instructions), "binary_weights": binary_weights(program),
        "sha256": _digest(tensors),
    }  # fmt: skip
    return atomic_write(path, serialise(tensors, {"costmodel": json.dumps(header)}))


def load(path: str | os.PathLike[str]) -> Program:
    """Read a program back.

    Raises :class:`CostmodelError` for a file that is missing, damaged, or not a deployed network of this version.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise CostmodelError(f"cannot read {path}: {error.strerror or error}") from error
    try:
        header, tensors = _open(data, path)
        return _program(header, tensors)
    except CostmodelError:
        raise
    except Exception as error:  # whatever a damaged file makes of itself
        raise CostmodelError(f"{path} is damaged: {type(error).__name__}: {error}. {ADVICE}") from error


ADVICE = "Write it again with: costmodel deploy MODEL -o FILE"


def read_header(path: str | os.PathLike[str]) -> Mapping[str, Any]:
    """The header alone: a dictionary with ``format``, ``network``, ``fraction_bits``, ... Raises as :func:`load`."""
    path = Path(path)
    try:
        with open(path, "rb") as file:
            size = int.from_bytes(file.read(8), "little")
            if not 0 < size < 1 << 27:
                raise ValueError("no safetensors header")
            return _header(json.loads(file.read(size)).get("__metadata__") or {}, path)
    except OSError as error:
        raise CostmodelError(f"cannot read {path}: {error.strerror or error}") from error
    except (ValueError, AttributeError) as error:
        raise CostmodelError(f"{path} is not a deployed network: {error}. {ADVICE}") from error


def binary_weights(program: Program) -> int:
    """How many weights of one bit the program holds."""
    return sum(i.arrays["signs"].size for i in program.instructions if "signs" in i.arrays)


def theoretical_bits(program: Program) -> int:
    """Bits of all constants without any header, padding or alignment: one for ±1 and 0/1, else the stored width."""
    total = 0
    for instruction in program.instructions:
        for array in instruction.arrays.values():
            kind, stored = _encode(array)
            total += 0 if kind == "fill" else array.size if kind in ("pm", "01") else stored.size * stored.itemsize * 8
    return total


def _digest(tensors: Mapping[str, Array]) -> str:
    """Of the names, types, shapes and bytes of all tensors."""
    total = hashlib.sha256()
    for name in sorted(tensors):
        array = np.ascontiguousarray(tensors[name])
        total.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        total.update(array.tobytes())
    return total.hexdigest()


# -- constants ---


def _store(name: str, array: Array, tensors: dict[str, Array]) -> list[Any]:
    kind, stored = _encode(array)
    if kind == "fill":
        return [kind, list(array.shape), str(array.dtype), stored]
    tensors[name] = np.ascontiguousarray(stored).reshape(-1)
    return [kind, list(array.shape), str(array.dtype), name]


def _encode(array: Array) -> tuple[str, Any]:
    """("pm" | "01", packed bytes), ("fill", the one value) or ("plain", array)."""
    if array.size and bool((array == array.flat[0]).all()) and np.isfinite(array.flat[0]):
        return "fill", array.flat[0].item()
    if array.dtype == np.int8:
        if bool(np.isin(array, (-1, 1)).all()):
            return "pm", np.packbits(array.reshape(-1) > 0)
        if bool(np.isin(array, (0, 1)).all()):
            return "01", np.packbits(array.reshape(-1) > 0)
    if array.dtype == np.float64 and bool((array.astype(np.float32) == array).all()):
        return "plain", array.astype(np.float32)
    return "plain", array


def _fetch(place: list[Any], tensors: Mapping[str, Array]) -> Array:
    kind, shape, dtype, source = place
    size = int(np.prod(shape, dtype=np.int64))
    if kind == "fill":
        return np.full(shape, source, dtype=dtype)
    stored = tensors[source]
    if kind == "plain":
        return stored.astype(dtype).reshape(shape)
    if stored.dtype != np.uint8 or stored.size != -(-size // 8):
        raise ValueError(f"{source} holds {stored.size} bytes for {size} bits")
    bits = np.unpackbits(stored, count=size).astype(np.int8)
    return ((bits << 1) - 1 if kind == "pm" else bits).astype(dtype).reshape(shape)


# -- reading ---


def _open(data: bytes, path: Path) -> tuple[Mapping[str, Any], dict[str, Array]]:
    from safetensors import SafetensorError
    from safetensors.numpy import load as parse

    try:
        tensors: dict[str, Array] = parse(data)
    except (SafetensorError, ValueError, KeyError) as error:
        raise CostmodelError(f"{path} is not a safetensors file, or is cut short: {error}. {ADVICE}") from error
    size = int.from_bytes(data[:8], "little")
    return _header(json.loads(data[8 : 8 + size]).get("__metadata__") or {}, path), tensors


def _header(metadata: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    if "costmodel" not in metadata:
        raise CostmodelError(f"{path} holds tensors but no deployed network (a checkpoint?). {ADVICE}")
    header: Mapping[str, Any] = json.loads(metadata["costmodel"])
    if header.get("format") != FORMAT or header.get("version") != VERSION:
        raise CostmodelError(
            f"{path} is {header.get('format')!r} version {header.get('version')!r}; this program reads {FORMAT!r} "
            f"version {VERSION}. {ADVICE}"
        )
    return header


def _program(header: Mapping[str, Any], tensors: Mapping[str, Array]) -> Program:
    from costmodel.deploy.ops import OPS

    if _digest(tensors) != header.get("sha256"):
        raise ValueError("its contents do not match its checksum")
    decoder = zlib.decompressobj()
    text = decoder.decompress(tensors["program"].tobytes(), _MAX_PROGRAM)
    if decoder.unconsumed_tail or not decoder.eof:
        raise ValueError("its program is cut short or too large")
    body = json.loads(text)
    known = {int(number) for number, _, _ in body["inputs"]}
    instructions = []
    for row in body["instructions"]:
        made = Instruction(
            row["op"], int(row["out"]), tuple(row["inputs"]), tuple(row.get("shape", ())), row.get("module", ""),
            int(row.get("call", 0)), row.get("node_op", ""), row.get("params", {}),
            {name: _fetch(place, tensors) for name, place in row.get("arrays", {}).items()},
        )  # fmt: skip
        if made.op not in OPS:
            raise ValueError(f"there is no instruction {made.op!r}")
        if not known.issuperset(made.inputs):
            raise ValueError(f"instruction {made.out} reads a value that does not exist")
        known.add(made.out)
        instructions.append(made)
    if not known.issuperset(body["outputs"]):
        raise ValueError("an output does not exist")
    return Program(
        str(header["network"]),
        tuple((int(number), str(name), tuple(shape)) for number, name, shape in body["inputs"]),
        tuple(body["outputs"]),
        tuple(instructions),
        {int(k): Type(kind, fraction, zero) for k, (kind, fraction, zero) in body["types"].items()},
        header["fraction_bits"],
        str(header["scale"]),
        tuple(body["notes"]),
    )
