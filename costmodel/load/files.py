"""Files that hold a network themselves: ONNX, TorchScript and ``torch.export``. No file runs Python of its own.

An archive of ``torch.save`` that is no TorchScript would be pickled Python, and is refused with what it is.
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

from costmodel.errors import CostmodelError
from costmodel.load.notes import note
from costmodel.load.reference import Reference
from costmodel.load.running import user_code

SOURCE = "Give the file of its source as --model file.py:factory, and this one as --checkpoint {}"


def network(reference: Reference) -> Any:
    """The network of a file. Raises :class:`CostmodelError` for a file that cannot be read."""
    assert reference.path is not None
    path = reference.path
    if reference.kind == "onnx":
        from costmodel.load.onnx.network import load

        return load(path)
    members = _members(path)
    with user_code(f"network {reference.text!r} cannot be read"):
        if any(name.endswith(("models/model.json", "/archive_format")) for name in members):
            return _exported(path, members)
        if any(name.endswith("/constants.pkl") for name in members):
            return _scripted(path)
    if path.suffix == ".pt2":
        raise CostmodelError(f"{path} is not a file of torch.export.save, or only a part of one")
    if any(name.endswith("/data.pkl") for name in members):
        raise CostmodelError(
            f"{path} is what torch.save makes: weights, or a module whose code it would run. {SOURCE.format(path)}"
        )
    raise CostmodelError(
        f"{path} holds neither TorchScript (torch.jit.save) nor an exported program (torch.export.save)"
    )


def _members(path: Path) -> list[str]:
    try:
        with zipfile.ZipFile(path) as archive:
            return archive.namelist()
    except zipfile.BadZipFile:
        with path.open("rb") as file:
            start = file.read(2)
        if start[:1] == b"\x80":
            raise CostmodelError(
                f"{path} is an old file of torch.save: weights, or a module with code. {SOURCE.format(path)}"
            ) from None
        raise CostmodelError(f"{path} is not a file of TorchScript or torch.export, or only a part of one") from None
    except OSError as error:
        raise CostmodelError(f"cannot read {path}: {error.strerror or error}") from error


def _scripted(path: Path) -> Any:
    import torch

    note("a traced network is that of its example: sizes and branches that it took are fixed in it")
    return torch.jit.load(str(path), map_location="cpu")  # type: ignore[no-untyped-call]


def _exported(path: Path, members: list[str]) -> Any:
    import torch

    pickled = [name for name in members if name.endswith((".pt", ".pkl")) and "sample_inputs" not in name]
    if pickled:
        with zipfile.ZipFile(path) as archive:
            for name in pickled:
                _without_code(path, name, archive.read(name))
    program = torch.export.load(str(path))
    return program.module()


def _without_code(path: Path, name: str, content: bytes) -> None:
    """Refuse an archive one of whose parts could run code where it is read."""
    import io

    import torch

    try:
        torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:
        raise CostmodelError(f"{path} holds {name}, which is Python and not only tensors: it is not read") from error
