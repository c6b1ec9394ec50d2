"""The store gives back exactly what was put in, and never after a change in anything that could change the answer."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from costmodel import api
from costmodel.ledger.ledger import Profile
from costmodel.load.inputs import parse_inputs
from costmodel.load.reference import resolve
from costmodel.store import cache
from costmodel.store.cache import Request


@pytest.fixture
def request_(user_net: Path) -> Request:
    return Request(resolve(f"{user_net}:build"), parse_inputs(["1x3x8x8"]))


def again(request: Request) -> Request:
    """The same question, asked anew: sources are looked at again."""
    return replace(request, reference=resolve(request.reference.text, request.reference.arguments))


def test_a_profile_survives_the_store_unchanged(store: Path, request_: Request) -> None:
    made = api.answer(request_)
    assert cache.load(request_, Profile) == made


@pytest.mark.parametrize("name", ["abbnn-digits", "tfc", "cnv"])
def test_profiles_of_the_zoo_survive_json(name: str) -> None:
    made = api.profile(name)
    assert msgspec.json.decode(msgspec.json.encode(made), type=Profile) == made


def test_the_second_answer_runs_nothing(store: Path, request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    first = api.answer(request_)
    monkeypatch.setattr("costmodel.load.network.build", lambda _: pytest.fail("built again"))
    assert api.answer(request_) == first


def test_everything_that_is_asked_for_is_part_of_the_key(request_: Request, tmp_path: Path) -> None:
    weights = tmp_path / "w.pt"
    weights.write_bytes(b"1")
    others = [
        replace(request_, inputs=parse_inputs(["1x3x9x9"])),
        replace(request_, inputs=parse_inputs(["1x3x8x8:float64"])),
        replace(request_, inputs=parse_inputs(["x=1x3x8x8"])),
        replace(request_, trained=True),
        replace(request_, seed=1),
        replace(request_, checkpoint=weights),
        replace(request_, reference=resolve(request_.reference.text, {"width": 5})),
        Request(resolve("abbnn-digits"), parse_inputs(["1x1x8x8"])),
    ]
    keys = [each.key() for each in (request_, *others)]
    weights.write_bytes(b"2")
    keys.append(replace(request_, checkpoint=weights).key())
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("what", ["torch", "costmodel", "zoo"])
def test_versions_are_part_of_the_key(what: str, request_: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_ if what != "zoo" else Request(resolve("tfc"), parse_inputs(["1x1x28x28"]))
    before = request.key()
    function = {"torch": "_torch_version", "costmodel": "_own_digest", "zoo": "_zoo_digest"}[what]
    monkeypatch.setattr(cache, function, lambda: "another")
    assert request.key() != before


def test_versions_are_found(request_: Request) -> None:
    for digest in (cache._torch_version(), cache._own_digest(), cache._zoo_digest()):
        assert digest and all(len(part) == 64 for part in digest.split())


def test_a_change_in_the_file_is_seen(store: Path, request_: Request, user_net: Path) -> None:
    before = api.answer(request_)
    user_net.write_text(user_net.read_text().replace("width=4", "width=6"))
    assert cache.load(again(request_), Profile) is None
    assert api.answer(again(request_), use_cache=False) is not before


def test_a_change_in_an_imported_module_or_in_data_is_seen(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "cache_test_sizes.py").write_text("WIDTH = 4\n")
    (folder / "data.txt").write_text("5")
    (folder / "outer.py").write_text(
        "from pathlib import Path\nfrom torch import nn\nfrom cache_test_sizes import WIDTH\n"
        "def build():\n    n = int(open(Path(__file__).with_name('data.txt')).read())\n    return nn.Linear(WIDTH, n)\n"
    )
    request = Request(resolve(f"{folder / 'outer.py'}:build"), parse_inputs(["1x4"]))
    assert api.answer(request).parameters == 4 * 5 + 5
    assert cache.load(again(request), Profile) is not None
    for name, text in (("cache_test_sizes.py", "WIDTH = 8\n"), ("data.txt", "7")):
        old = (folder / name).read_text()
        (folder / name).write_text(text)
        assert cache.load(again(request), Profile) is None, name
        (folder / name).write_text(old)
        assert cache.load(again(request), Profile) is not None
    (folder / "data.txt").unlink()
    assert cache.load(again(request), Profile) is None


@pytest.mark.parametrize("content", [b"", b"{", b"null", b'{"name": "x", "files": {}, "value": {}}', b"\x00" * 99])
def test_a_corrupt_entry_is_ignored_and_written_anew(store: Path, request_: Request, content: bytes) -> None:
    made = api.answer(request_)
    (path,) = store.iterdir()
    whole = path.read_bytes()
    for broken in (content, whole[: len(whole) // 2]):
        path.write_bytes(broken)
        assert cache.load(request_, Profile) is None
        assert api.answer(request_) == made
        assert msgspec.json.decode(path.read_bytes(), type=cache.Entry).name == made.network


def test_a_store_that_cannot_be_written_is_no_error(
    request_: Request, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("COSTMODEL_CACHE", str(tmp_path / "file" / "store"))
    made = api.answer(request_)
    assert made.parameters > 0
    assert cache.store(request_, "x", made) is False


def test_the_store_is_bounded_and_drops_what_was_not_used(
    store: Path, request_: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = api.answer(request_, use_cache=False)
    requests = [replace(request_, seed=seed) for seed in range(6)]
    cache.store(requests[0], "x", made)
    size = next(store.iterdir()).stat().st_size
    monkeypatch.setattr(cache, "LIMIT_BYTES", 3 * size + size // 2)
    for age, request in enumerate(requests[1:3]):
        cache.store(request, "x", made)
        os.utime(store / (request.key() + cache.SUFFIX), (age, age))  # long ago
    assert cache.load(requests[0], Profile) is not None  # used now
    cache.store(requests[3], "x", made)
    assert [cache.load(request, Profile) is not None for request in requests[:4]] == [True, False, True, True]
    assert sum(path.stat().st_size for path in store.iterdir()) <= cache.LIMIT_BYTES


def test_listing_and_clearing(store: Path, request_: Request) -> None:
    assert (cache.stored(), cache.clear()) == ([], 0)
    api.answer(request_)
    (store / f"broken{cache.SUFFIX}").write_bytes(b"{")
    (store / "another-program.txt").write_text("not ours")
    assert sorted(item.name for item in cache.stored()) == ["", "user_net:build"]
    assert cache.clear() == 2
    assert [path.name for path in store.iterdir()] == ["another-program.txt"]


def test_an_estimate_is_kept_until_its_target_its_base_or_its_folding_changes(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from costmodel.targets.estimate import Estimate

    monkeypatch.chdir(tmp_path)
    base, mine = tmp_path / "mybase.yaml", tmp_path / "mine.yaml"
    base.write_text("kind: arm\nbase: cortex-a72\ntitle: base\n")
    mine.write_text("kind: arm\nbase: mybase.yaml\ntitle: mine\n")
    request = api.make_request("abbnn-digits")
    question = cache.Pricing(request, str(mine))
    first = api.price(question)[1]
    assert cache.load(question, Estimate) == first == api.price(question)[1]
    for file in (mine, base):
        old = file.read_text()
        file.write_text(old.replace("title:", "title: another"))
        assert cache.load(question, Estimate) is None, file
        file.write_text(old)
        assert cache.load(question, Estimate) == first
    others = [
        cache.Pricing(request, "cortex-a72"),
        replace(question, level="as_written"),
        replace(question, options={"threads": 1}),
        cache.Pricing(replace(request, seed=1), str(mine)),
    ]
    assert len({each.key() for each in (question, *others)}) == 5
