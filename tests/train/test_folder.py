"""Image trees: classes by name, crops that depend on epoch and image alone, and files that are no images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from costmodel.errors import CostmodelError
from costmodel.train.folder import FolderFeed, scan
from costmodel.train.recipes import Augment

Image = pytest.importorskip("PIL.Image")
CPU = torch.device("cpu")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    rng = np.random.default_rng(5)
    for part, count in (("train", 5), ("val", 2)):
        for name in ("b", "a"):
            folder = tmp_path / part / name
            folder.mkdir(parents=True)
            for number in range(count):
                pixels = rng.integers(0, 256, (40, 50, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(folder / f"{number}.png")
    (tmp_path / "train" / "a" / "notes.txt").write_text("not an image")
    return tmp_path


def feed(tree: Path, workers: int = 0) -> FolderFeed:
    return FolderFeed(tree, Augment(flip=True), 4, CPU, workers=workers, size=16)


def test_classes_are_numbered_by_name(tree: Path) -> None:
    train, test, classes = scan(tree)
    assert classes == 2 and len(train) == 10 and len(test) == 4
    assert {path.parent.name: number for path, number in train} == {"a": 0, "b": 1}


def test_batches_are_normalised_and_do_not_depend_on_workers_or_on_where_they_start(tree: Path) -> None:
    alone = list(feed(tree).train(3))
    assert [tuple(batch.images.shape) for batch in alone] == [(4, 3, 16, 16)] * 2
    shared = list(feed(tree, workers=2).train(3))
    assert all(torch.equal(a.images, b.images) for a, b in zip(alone, shared, strict=True))
    (rest,) = feed(tree).train(3, first=1)
    assert torch.equal(rest.images, alone[1].images) and torch.equal(rest.labels, alone[1].labels)
    assert not torch.equal(next(feed(tree).train(4)).images, alone[0].images)


def test_test_images_are_the_centres_in_order(tree: Path) -> None:
    ((images, labels),) = feed(tree).test()
    assert labels.tolist() == [0, 0, 1, 1] and images.shape == (4, 3, 16, 16)
    again = next(iter(feed(tree).test()))[0]
    assert torch.equal(images, again)


def test_a_file_that_is_no_image_is_named(tree: Path) -> None:
    broken = tree / "train" / "a" / "0.png"
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(CostmodelError, match=r"a/0.png is not a readable image"):
        list(feed(tree, workers=2).train(3))


def test_trees_of_another_form_are_refused(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(CostmodelError, match=r"no folder .*train"):
        scan(tmp_path / "nothing")
    (tree / "val" / "c").mkdir()
    with pytest.raises(CostmodelError, match="val has classes that train has not, such as c"):
        scan(tree)


def test_a_network_for_224_trains_on_a_tree_from_the_command_line(tree: Path, tmp_path: Path) -> None:
    import json

    import yaml

    from costmodel.cli.main import main
    from costmodel.train.networks import load_trained
    from tests.train.conftest import RECIPE

    path = tmp_path / "tiny.yaml"
    phases = [{**phase, "epochs": 1} for phase in RECIPE["phases"]]
    path.write_text(yaml.safe_dump({**RECIPE, "batch": 5, "augment": {"flip": True}, "phases": phases}))
    out = tmp_path / "runs"
    command = ["train", "abbnn", "--data", f"imagenet:{tree}", "--recipe", str(path), "--width", "0.125"]
    assert main([*command, "--out", str(out), "--threads", "1", "--quiet"]) == 0
    content = json.loads((out / "abbnn-reactnet18-w0.125-tiny-s0" / "result.json").read_text())
    assert content["job"]["data"] == "imagenet" and content["result"]["epochs"] == [1, 1]
    assert content["result"]["accuracy"] in (0.0, 0.25, 0.5, 0.75, 1.0)
    model, _ = load_trained(out / "abbnn-reactnet18-w0.125-tiny-s0" / "final.safetensors")
    with torch.no_grad():
        assert model(torch.zeros(1, 3, 224, 224)).shape == (1, 2)
