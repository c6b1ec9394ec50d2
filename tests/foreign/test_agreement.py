"""The foreign networks are the zoo's: parameters and multiply-accumulates by operand kind agree."""

import pytest

from costmodel.zoo import build, entry
from tests.foreign import detach_style, parametrized_style, plain_tensor_style
from tests.zoo.counter import count_macs, parameters

STYLES = {"detach": detach_style, "parametrized": parametrized_style, "plain_tensor": plain_tensor_style}


@pytest.mark.parametrize("name", detach_style.FACTORIES)
def test_styles_agree_with_the_zoo(name: str) -> None:
    small = entry(f"{name}-cifar10")
    own = build(small.name)
    expected = parameters(own), count_macs(own, small.input_shape)
    for style in STYLES.values():
        net = style.FACTORIES[name](classes=10, small=True)
        assert (parameters(net), count_macs(net, small.input_shape)) == expected, style.__name__
