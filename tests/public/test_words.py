"""Language models of transformers as they are, with tied embeddings, caches and masks: products by formula."""

from __future__ import annotations

import pytest
import torch

import costmodel
from costmodel.ledger.conventions import convention
from tests.public.packages import package

pytestmark = pytest.mark.slow


def macs(net: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> int:
    made = costmodel.profile(net.eval(), inputs)
    assert made.as_written.total("unknown") == 0
    return int(convention("macs").count(made).number)


def ids(words: int, length: int) -> torch.Tensor:
    return torch.randint(1, words, (1, length))


def test_bert() -> None:
    """Four projections, all pairs twice, a perceptron; a pooler."""
    t = package("transformers")
    layers, width, inner, n = 2, 64, 128, 16
    config = t.BertConfig(hidden_size=width, num_hidden_layers=layers, num_attention_heads=4, intermediate_size=inner,
                          vocab_size=100)  # fmt: skip
    mask = torch.ones(1, n, dtype=torch.long)
    found = macs(t.BertModel(config), {"input_ids": ids(100, n), "attention_mask": mask})
    assert found == layers * (4 * n * width**2 + 2 * n * n * width + 2 * n * width * inner) + width**2


def test_gpt2_stores_its_tied_table_once() -> None:
    t = package("transformers")
    net = t.GPT2LMHeadModel(t.GPT2Config(n_embd=64, n_layer=2, n_head=4, vocab_size=100, n_positions=32)).eval()
    made = costmodel.profile(net, {"input_ids": ids(100, 16)})
    assert convention("macs").count(made).number == 2 * (12 * 16 * 64**2 + 2 * 16 * 16 * 64) + 16 * 64 * 100
    unread = (32 - 16) * 64  # places beyond the length of the input
    assert made.as_written.weight_bits() == 32 * (sum(p.numel() for p in net.parameters()) - unread)


def test_t5() -> None:
    t = package("transformers")
    config = t.T5Config(d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, vocab_size=50, decoder_start_token_id=0,
                        pad_token_id=0)  # fmt: skip
    encoder = 2 * (4 * 10 * 32**2 + 2 * 10 * 10 * 32 + 2 * 10 * 32 * 64)
    own, across = 4 * 6 * 32**2 + 2 * 6 * 6 * 32, 2 * 6 * 32**2 + 2 * 10 * 32**2 + 2 * 6 * 10 * 32
    inputs = {"input_ids": ids(50, 10), "decoder_input_ids": ids(50, 6)}
    found = macs(t.T5ForConditionalGeneration(config), inputs)
    assert found == encoder + 2 * (own + across + 2 * 6 * 32 * 64) + 6 * 32 * 50
