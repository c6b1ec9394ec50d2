"""CIFAR files are read by place after their checksum, never unpickled; anything else is refused."""

from __future__ import annotations

import hashlib
import pickle
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from costmodel.errors import CostmodelError, UnknownNameError
from costmodel.train import data
from costmodel.train.data import CIFAR, CifarFile, hold_out, load


def python2_batch(images: np.ndarray, labels: list[int]) -> tuple[bytes, int]:
    """A dictionary as Python 2 pickled it (protocol 2): labels in groups, pixels as a string. With their place."""
    groups = b"".join(
        b"(" + b"".join(b"K" + bytes([label]) for label in labels[at : at + 1000]) + b"e"
        for at in range(0, len(labels), 1000)
    )
    head = b"\x80\x02}q\x01(U\x06labelsq\x02]q\x03" + groups + b"U\x04dataq\x04T" + struct.pack("<I", images.nbytes)
    return head + images.tobytes() + b"u.", len(head)


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small data set in the layout of CIFAR-10: two training files of 1,200 images and a test file of 5."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "cifar-10-batches-py"
    folder.mkdir()
    files = []
    for name, count in (("data_batch_1", 1200), ("data_batch_2", 1200), ("test_batch", 5)):
        images = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
        raw, place = python2_batch(images, [(i * 7) % 10 for i in range(count)])
        (folder / name).write_bytes(raw)
        files.append(CifarFile(name, hashlib.md5(raw).hexdigest(), place, count))
    layout = replace(CIFAR["cifar10"], train=tuple(files[:2]), test=files[2])
    monkeypatch.setitem(data.CIFAR, "cifar10", layout)
    monkeypatch.setitem(data.VALIDATION_IMAGES, "cifar10", 100)
    return tmp_path


def test_pixels_and_labels_are_what_unpickling_would_give(cifar: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = pickle.loads((cifar / "cifar-10-batches-py" / "data_batch_2").read_bytes(), encoding="latin1")

    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("unpickled")

    monkeypatch.setattr(pickle, "loads", refuse)
    monkeypatch.setattr(pickle, "load", refuse)
    found = load("cifar10", cifar)
    assert found.train.images.shape == (2400, 3, 32, 32) and len(found.test) == 5
    assert found.train.images[1200:].tobytes() == expected["data"].encode("latin1")
    assert found.train.labels[1200:].tolist() == expected["labels"]


def test_the_folder_itself_may_be_given(cifar: Path) -> None:
    assert len(load("cifar10", cifar / "cifar-10-batches-py").train) == 2400


def test_one_changed_byte_is_refused_with_both_checksums(cifar: Path) -> None:
    path = cifar / "cifar-10-batches-py" / "data_batch_1"
    raw = bytearray(path.read_bytes())
    raw[-100] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CostmodelError, match=r"data_batch_1 is not the published file: MD5 \w{32}, expected \w{32}"):
        load("cifar10", cifar)


def test_a_cut_file_a_missing_file_and_a_missing_folder_are_refused(cifar: Path) -> None:
    path = cifar / "cifar-10-batches-py" / "test_batch"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(CostmodelError, match="not the published file"):
        load("cifar10", cifar)
    path.unlink()
    with pytest.raises(CostmodelError, match=r"cannot read .*test_batch"):
        load("cifar10", cifar)
    with pytest.raises(CostmodelError, match=r"no cifar10 in .*--download"):
        load("cifar10", cifar / "nowhere")


def test_an_unknown_data_set_is_named_with_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean cifar10"):
        load("cifar-10", tmp_path)


def test_validation_images_come_out_of_training_and_the_test_set_stays_out(cifar: Path) -> None:
    whole, held = load("cifar10", cifar), load("cifar10", cifar, validation=True)
    assert len(held.train) == 2300 and len(held.test) == 100 and held.held_out == "validation"
    everything = {image.tobytes() for image in whole.train.images}
    train, test = ({image.tobytes() for image in part.images} for part in (held.train, held.test))
    assert train | test == everything and not train & test
    again = hold_out(whole, 100)
    assert np.array_equal(again.test.images, held.test.images)


def test_digits_are_split_without_overlap_and_keep_their_levels(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    digits = load("digits", tmp_path)
    assert len(digits.train) + len(digits.test) == 1797 and digits.train.images.shape[1:] == (1, 8, 8)
    assert len(np.unique(digits.train.images)) == 17
    assert np.bincount(digits.test.labels, minlength=10).min() > 30
