"""Idx files are read by their checksum, packed or not; cut, altered and foreign ones are refused."""

from __future__ import annotations

import gzip
import hashlib
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel.cli.main import main
from costmodel.errors import CostmodelError
from costmodel.train import data, download, idx
from costmodel.train.idx import IDX, TEST_IMAGES, TEST_LABELS, TRAIN_IMAGES, TRAIN_LABELS
from tests.train.test_download import Server, serving

SHAPES = {TRAIN_IMAGES: (120, 28, 28), TRAIN_LABELS: (120,), TEST_IMAGES: (30, 28, 28), TEST_LABELS: (30,)}


def contents(seed: int) -> dict[str, bytes]:
    """Four small idx files."""
    rng = np.random.default_rng(seed)
    files = {}
    for name, shape in SHAPES.items():
        values = rng.integers(0, 10 if len(shape) == 1 else 256, shape, dtype=np.uint8)
        files[name] = struct.pack(f">4B{len(shape)}I", 0, 0, 8, len(shape), *shape) + values.tobytes()
    return files


def md5(raw: bytes) -> str:
    return hashlib.md5(raw).hexdigest()


def packed(raw: bytes) -> bytes:
    return gzip.compress(raw, mtime=0)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, bytes]]:
    """Both data sets are small ones from here on; their files by data set and name."""
    monkeypatch.setattr(idx, "SHAPES", SHAPES)
    files = {name: contents(seed) for seed, name in enumerate(IDX)}
    for name, layout in list(IDX.items()):
        made = files[name]
        sums = {file: md5(raw) for file, raw in made.items()}
        small_layout = replace(
            layout,
            packed={file: md5(packed(raw)) for file, raw in made.items()},
            unpacked=sums if layout.unpacked else {},
        )
        monkeypatch.setitem(idx.IDX, name, small_layout)
        monkeypatch.setitem(data.VALIDATION_IMAGES, name, 20)
    return files


@pytest.fixture
def put(small: dict[str, dict[str, bytes]], tmp_path: Path) -> Callable[..., Path]:
    """Write the files of a data set, packed or not; returns the folder to give as --data-dir."""

    def write(name: str = "mnist", pack: bool = True, inside: bool = True) -> Path:
        folder = tmp_path / IDX[name].folder if inside else tmp_path
        folder.mkdir(parents=True, exist_ok=True)
        for file, raw in small[name].items():
            (folder / (f"{file}.gz" if pack else file)).write_bytes(packed(raw) if pack else raw)
        return tmp_path

    return write


@pytest.mark.parametrize(
    ("name", "pack", "inside"),
    [("mnist", True, True), ("mnist", False, True), ("mnist", False, False), ("fashion-mnist", True, True)],
)
def test_pixels_and_labels_are_those_of_the_files(
    put: Callable[..., Path], small: dict[str, dict[str, bytes]], name: str, pack: bool, inside: bool
) -> None:
    loaded = data.load(name, put(name, pack, inside))
    assert loaded.train.images.shape == (120, 1, 28, 28) and loaded.classes == 10
    assert loaded.train.images.tobytes() == small[name][TRAIN_IMAGES][16:]
    assert bytes(loaded.test.labels.astype(np.uint8)) == small[name][TEST_LABELS][8:]
    assert loaded.mean == (0.0,) and loaded.std == (1.0,)


def test_validation_images_come_out_of_training(put: Callable[..., Path]) -> None:
    folder = put()
    whole, held = data.load("mnist", folder), data.load("mnist", folder, validation=True)
    assert len(held.train) == 100 and len(held.test) == 20 and held.held_out == "validation"
    everything = {image.tobytes() for image in whole.train.images}
    train, test = ({image.tobytes() for image in part.images} for part in (held.train, held.test))
    assert train | test == everything and not train & test


@pytest.mark.parametrize("pack", [True, False])
@pytest.mark.parametrize("change", [lambda raw: raw[:-1], lambda raw: raw[:-9] + b"x" + raw[-8:], lambda raw: b""])
def test_a_cut_or_altered_file_is_refused_with_both_checksums(
    put: Callable[..., Path], change: Callable[[bytes], bytes], pack: bool
) -> None:
    folder = put(pack=pack)
    path = folder / "MNIST/raw" / (f"{TEST_IMAGES}.gz" if pack else TEST_IMAGES)
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(CostmodelError, match=rf"{TEST_IMAGES}.* MD5 \w{{32}}, expected \w{{32}} .*--download"):
        data.load("mnist", folder)


def test_a_file_of_the_other_data_set_is_named(put: Callable[..., Path], small: dict[str, dict[str, bytes]]) -> None:
    folder = put()
    (folder / "MNIST/raw" / f"{TRAIN_IMAGES}.gz").write_bytes(packed(small["fashion-mnist"][TRAIN_IMAGES]))
    with pytest.raises(CostmodelError, match=rf"is {TRAIN_IMAGES} of fashion-mnist, not {TRAIN_IMAGES} of mnist"):
        data.load("mnist", folder)


def test_labels_in_the_place_of_images_are_named(put: Callable[..., Path], small: dict[str, dict[str, bytes]]) -> None:
    folder = put()
    (folder / "MNIST/raw" / f"{TEST_IMAGES}.gz").write_bytes(packed(small["mnist"][TEST_LABELS]))
    with pytest.raises(CostmodelError, match=rf"is {TEST_LABELS} of mnist, not {TEST_IMAGES}"):
        data.load("mnist", folder)


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"\0\0\x08\x01" + struct.pack(">I", 4) + b"abc", "holds 11 bytes, expected 12"),
        (b"\0\0\x0d\x01" + struct.pack(">I", 4) + b"abcd", "no idx file of bytes 4"),
        (b"\0\0\x08\x01" + struct.pack(">I", 5) + b"abcde", "no idx file of bytes 4"),
        (b"", "no idx file of bytes 4"),
        (b"PNG", "no idx file of bytes 4"),
    ],
)
def test_a_header_that_says_something_else_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(CostmodelError, match=message):
        idx.parse(Path("file"), raw, (4,))


def test_a_missing_file_and_a_missing_data_set_say_what_to_do(put: Callable[..., Path], tmp_path: Path) -> None:
    with pytest.raises(CostmodelError, match=r"no mnist in .*MNIST/raw.*--download"):
        data.load("mnist", tmp_path)
    folder = put()
    (folder / "MNIST/raw" / f"{TEST_LABELS}.gz").unlink()
    with pytest.raises(CostmodelError, match=rf"no {TEST_LABELS} in .*--download"):
        data.load("mnist", folder)


def test_unpacked_files_of_fashion_mnist_cannot_be_checked_and_are_not_read(put: Callable[..., Path]) -> None:
    with pytest.raises(CostmodelError, match=r"the \.gz files as published"):
        data.load("fashion-mnist", put("fashion-mnist", pack=False))


def test_the_command_line_refuses_a_cut_file_without_a_traceback(
    put: Callable[..., Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder = put()
    path = folder / "MNIST/raw" / f"{TRAIN_LABELS}.gz"
    path.write_bytes(path.read_bytes()[:50])
    out = tmp_path / "runs"
    line = ["train", "tfc", "--data", "mnist", "--data-dir", str(folder), "--out", str(out)]
    assert main(line) == 2
    error = capsys.readouterr().err
    assert "is not the published file" in error and "Traceback" not in error
    assert not [p for p in out.rglob("*") if p.is_file() and p.name != ".lock"]


def test_downloads_are_checked_and_go_on_where_they_were_cut(
    small: dict[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {f"/{name}.gz": packed(raw) for name, raw in small["mnist"].items()}
    with serving(files) as server:
        monkeypatch.setitem(idx.IDX, "mnist", replace(IDX["mnist"], url=f"http://127.0.0.1:{server.server_port}/"))
        said: list[str] = []
        _cut_then_whole(server, tmp_path, said)
        assert any(text.startswith(f"{TRAIN_IMAGES}.gz: ") for text in said)
        assert server.ranges == [None, "bytes=40-", None, None, None]
        assert len(data.load("mnist", tmp_path).train) == 120
        download.fetch("mnist", tmp_path, said.append)
        assert len(server.ranges) == 5  # what is there is not fetched again
        (tmp_path / "MNIST/raw" / f"{TEST_LABELS}.gz").unlink()
        server.files[f"/{TEST_LABELS}.gz"] = b"something else"
        with pytest.raises(CostmodelError, match=r"not the published file: MD5 .* It was deleted; try again"):
            download.fetch("mnist", tmp_path, said.append)
    left = {path.name for path in (tmp_path / "MNIST/raw").iterdir()}
    assert left == {f"{name}.gz" for name in SHAPES} - {f"{TEST_LABELS}.gz"}


def _cut_then_whole(server: Server, folder: Path, said: list[str]) -> None:
    server.cut_after = 40
    with pytest.raises(CostmodelError, match="Try again"):
        download.fetch("mnist", folder, said.append)
    server.cut_after = None
    download.fetch("mnist", folder, said.append)


def test_a_full_disk_is_named_and_what_arrived_is_kept(
    small: dict[str, dict[str, bytes]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    with serving({f"/{name}.gz": packed(raw) for name, raw in small["mnist"].items()}) as server:
        monkeypatch.setitem(idx.IDX, "mnist", replace(IDX["mnist"], url=f"http://127.0.0.1:{server.server_port}/"))
        with monkeypatch.context() as patch:
            patch.setattr(download.os, "replace", full)
            with pytest.raises(CostmodelError, match=r"cannot store mnist in .*No space left.*40 MB"):
                download.fetch("mnist", tmp_path, lambda text: None)
        assert not [p for p in tmp_path.rglob("*ubyte.gz") if not p.name.startswith(".")]
