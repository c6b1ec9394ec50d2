import base64
import gc
import time

import pytest

from costmodel.dashboard import upload
from costmodel.dashboard.catalogue import Catalogue
from costmodel.errors import CostmodelError

GOOD = """\
kind: asic
title: Mine
base: asic-45nm-nangate
parameters:
  clock: {default: 200, unit: MHz, description: Clock}
"""


def sent(text):
    payload = text if isinstance(text, bytes) else text.encode()
    return "data:application/x-yaml;base64," + base64.b64encode(payload).decode()


@pytest.fixture(scope="module")
def catalogue():
    return Catalogue()


def test_a_target_can_be_loaded_and_priced(catalogue):
    name = upload.take(catalogue, sent(GOOD))
    assert catalogue.uploaded[name].title == "Mine"
    assert catalogue.estimate("cnv-w1a1", name, {}).total("energy_J").value > 0
    assert "FILE.yaml" in catalogue.command("cnv-w1a1", name, {})


@pytest.mark.parametrize(
    ("contents", "said"),
    [
        (None, "nothing was uploaded"),
        ("data:,%%%", "no text"),
        (sent(b"\xff\xfe\x00"), "no text"),
        (sent("x" * (upload.MAX_BYTES + 10)), "larger"),
        (sent("a: [1, 2"), "no valid YAML"),
        (sent("- a\n- b"), "mapping"),
        (sent("kind: asic\nbase: /etc/hostname"), "only packaged"),
        (sent("kind: asic\nbase: ../../secret"), "only packaged"),
        (sent("kind: asic\nbase: {a: b}"), "only packaged"),
        (sent("a: &a [1]\nb: [*a, *a]"), "aliases"),
        (sent("a: " + "[" * 1500 + "]" * 1500), "levels deep"),
        (sent("a: " + "{b: " * 90 + "1" + "}" * 90), "levels deep"),
        (sent("a:\n" + "\n".join("  " * i + "b:" for i in range(1, 60))), "levels deep"),
        (sent("base: pynq-z2\n" + "".join(f"k{i}: 1\n" for i in range(5000))), "entries"),
        (sent("a: [" + "1," * 50_000 + "1]"), "entries"),
        (sent("!!python/object/apply:os.system ['true']"), "no valid YAML"),
        (sent("kind: asic\nbase: asic-45nm-nangate\nnonsense: 1"), "nonsense"),
    ],
)
def test_what_is_no_target_is_refused_and_said(catalogue, contents, said):
    before = dict(catalogue.uploaded)
    with pytest.raises(CostmodelError, match=said) as caught:
        upload.take(catalogue, contents)
    assert "/tmp" not in str(caught.value)
    assert catalogue.uploaded == before


@pytest.mark.parametrize(
    "text",
    [
        "a: " + "[" * 60_000,
        "? " * 60_000,
        "- " * 60_000,
        "".join(" " * i + "a:\n" for i in range(500)),
        "a: '" + "''" * 100_000 + "'",
        "a: {" + "b: {" * 20_000,
        "base: pynq-z2\n" + "".join(f"k{i}: 1\n" for i in range(2900)),
        "!<" + "a" * 100_000 + "> b",
    ],
)
def test_a_hostile_file_is_refused_within_a_second(catalogue, text):
    upload.take(catalogue, sent(GOOD))  # what is imported at the first
    gc.collect()
    gc.freeze()  # a collection of all that other tests left in memory is no time of the reader
    begun = time.process_time()
    with pytest.raises(CostmodelError):
        upload.take(catalogue, sent(text))
    taken = time.process_time() - begun
    gc.unfreeze()
    assert taken < 1.0


def test_only_a_few_are_kept():
    catalogue = Catalogue()
    for i in range(upload.MAX_TARGETS + 3):
        upload.take(catalogue, sent(GOOD.replace("200", str(200 + i))))
    assert len(catalogue.uploaded) == upload.MAX_TARGETS
