import base64

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


def test_only_a_few_are_kept():
    catalogue = Catalogue()
    for i in range(upload.MAX_TARGETS + 3):
        upload.take(catalogue, sent(GOOD.replace("200", str(200 + i))))
    assert len(catalogue.uploaded) == upload.MAX_TARGETS
