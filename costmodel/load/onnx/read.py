"""Reading an ONNX file: checked against its own size, its weights fetched from where it says, nothing of it run.

Every failure is a :class:`CostmodelError` that names the file and what is wrong with it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from costmodel.errors import CostmodelError, MissingExtraError
from costmodel.load.inputs import DTYPES, InputSpec

#: Element type -> bytes of an element, for those that are stored as such.
_BYTES = {1: 4, 2: 1, 3: 1, 4: 2, 5: 2, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8, 12: 4, 13: 8, 16: 2, 17: 1, 18: 1, 19: 1, 20: 1}
_MOST = 2**40


def read(path: Path) -> Any:
    """The ``onnx.ModelProto`` of a file, without its external data. Raises :class:`CostmodelError` for any other."""
    try:
        import onnx
        from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
    except ImportError as error:
        raise MissingExtraError("reading ONNX files", "onnx", "onnx") from error
    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, ValueError, RuntimeError, UnicodeDecodeError) as error:
        raise CostmodelError(f"{path} is not an ONNX file, or a part of one: {_line(error)}") from error
    except OSError as error:
        raise CostmodelError(f"cannot read {path}: {error.strerror or error}") from error
    if not model.HasField("graph") or not (model.graph.node or model.graph.output):
        raise CostmodelError(f"{path} is not an ONNX file: it holds no graph")
    if model.functions:
        import onnx.inliner

        try:
            model = onnx.inliner.inline_local_functions(model)
        except (RuntimeError, ValueError, TypeError) as error:
            raise CostmodelError(f"{path}: its functions cannot be put in place: {_line(error)}") from error
    return model


def inputs_of(path: Path) -> tuple[InputSpec, ...]:
    """The inputs that a file asks for, with one image at a time."""
    model = read(path)
    stored = {tensor.name for tensor in model.graph.initializer}
    return tuple(_spec(path, value) for value in model.graph.input if value.name not in stored)


def _spec(path: Path, value: Any) -> InputSpec:
    import onnx

    kind = value.type.tensor_type
    sizes = [dim.dim_value if dim.HasField("dim_value") and dim.dim_value > 0 else None for dim in kind.shape.dim]
    shape = [1 if place == 0 and size is None else size for place, size in enumerate(sizes)]
    if not kind.HasField("shape") or None in shape:
        said = "x".join(str(size or dim.dim_param or "?") for size, dim in zip(shape, kind.shape.dim, strict=True))
        raise CostmodelError(
            f"{path}: the size of its input {value.name!r} is open ({said or 'no shape'}): give it, such as "
            "--input 1x3x224x224"
        )
    dtype = onnx.TensorProto.DataType.Name(kind.elem_type).lower()
    dtype = {"float": "float32", "double": "float64"}.get(dtype, dtype)
    if dtype not in DTYPES:
        raise CostmodelError(f"{path}: its input {value.name!r} is of type {dtype}, which is no tensor of numbers")
    return InputSpec(tuple(size for size in shape if size is not None), dtype)


def arrays(model: Any, path: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Name and values of each stored tensor of a graph."""
    for tensor in model.graph.initializer:
        yield tensor.name, array(tensor, path)
    for sparse in model.graph.sparse_initializer:
        raise CostmodelError(f"{path}: {sparse.values.name!r} is a sparse tensor, which is not read")


def array(tensor: Any, path: Path) -> np.ndarray:
    """The values of a stored tensor. Raises :class:`CostmodelError` where it is not as large as it says."""
    from onnx import numpy_helper

    dims = tuple(tensor.dims)
    count = math.prod(dims)
    if any(d < 0 for d in dims) or count > _MOST:
        raise CostmodelError(f"{path}: {tensor.name!r} has the size {dims}, which no tensor has: the file is damaged")
    each = _BYTES.get(tensor.data_type)
    try:
        if tensor.data_location == 1:
            tensor = _with_data(tensor, path, count * (each or 1))
        if tensor.HasField("raw_data") and each is not None and len(tensor.raw_data) != count * each:
            raise CostmodelError(
                f"{path}: {tensor.name!r} of {count:,} elements holds {len(tensor.raw_data):,} bytes and not "
                f"{count * each:,}: the file is damaged"
            )
        made: np.ndarray = numpy_helper.to_array(tensor)
    except (ValueError, TypeError, KeyError) as error:
        raise CostmodelError(f"{path}: {tensor.name!r} cannot be read: {_line(error)}") from error
    if made.dtype.kind in "OSU":
        raise CostmodelError(f"{path}: {tensor.name!r} holds text; only numbers are computed with")
    if made.dtype.kind not in "biuf" or made.dtype.itemsize > 8:  # bfloat16 and eight-bit floats of ml_dtypes
        made = made.astype(np.float32)
    return made


def _with_data(tensor: Any, path: Path, size: int) -> Any:
    """The tensor with its data from the file next to this one that it names."""
    import onnx

    said = {entry.key: entry.value for entry in tensor.external_data}
    name = said.get("location", "")
    place = path.parent / name
    if not name or Path(name).is_absolute() or ".." in Path(name).parts:
        raise CostmodelError(f"{path}: the data of {tensor.name!r} are said to be in {name!r}, outside of its folder")
    if not place.is_file():
        raise CostmodelError(f"{path}: its weights are in {name}, which is not in {path.parent}: put it there")
    offset, length = int(said.get("offset", 0)), int(said.get("length", size))
    there = place.stat().st_size
    if length != size or offset < 0 or offset + length > there:
        raise CostmodelError(
            f"{path}: {tensor.name!r} is said to be {length:,} bytes from byte {offset:,} of {name}, which has "
            f"{there:,}; it needs {size:,}: the files do not belong together, or one is cut off"
        )
    with place.open("rb") as file:
        file.seek(offset)
        data = file.read(length)
    made = onnx.TensorProto()
    made.CopyFrom(tensor)
    made.data_location, made.raw_data = onnx.TensorProto.DEFAULT, data
    del made.external_data[:]
    return made


def shapes(model: Any) -> dict[str, tuple[int, ...]]:
    """Shapes that the file states, or that follow from them; what is open in them is one."""
    import onnx

    with_shapes = model
    try:
        with_shapes = onnx.shape_inference.infer_shapes(model)
    except Exception:  # a checker of another house, which dies of operators that it does not know
        with_shapes = model
    found = {}
    for value in (*with_shapes.graph.value_info, *with_shapes.graph.output, *with_shapes.graph.input):
        if value.type.tensor_type.HasField("shape"):
            found[value.name] = tuple(max(1, dim.dim_value) for dim in value.type.tensor_type.shape.dim)
    return found


def _line(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
