"""What larq's ``models.summary`` says of a network, rebuilt of the layers of larq and Keras; prints it.

    python benchmarks/larq_summary.py resnet18|abbnn-reactnet18|bn-reactneta

Runs in an environment of its own: ``pip install larq tensorflow tf_keras``. larq knows Keras layers alone, so the
networks are written down once more: convolutions, normalisation, PReLU, pooling and classifier of each. What an A&B
block does besides (its mask, slopes that are powers of two) has no layer there.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

os.environ |= {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}


def binary(filters: int, kernel: int, stride: int = 1, inputs: str | None = "ste_sign") -> Any:
    import larq

    return larq.layers.QuantConv2D(
        filters, kernel, stride, "same", input_quantizer=inputs, kernel_quantizer="ste_sign", use_bias=False
    )


def real(filters: int, kernel: int, stride: int = 1) -> Any:
    return layers().Conv2D(filters, kernel, stride, "same", use_bias=False)


def layers() -> Any:
    import tensorflow

    return tensorflow.keras.layers


def stem(x: Any, filters: int, kernel: int) -> Any:
    return layers().BatchNormalization()(real(filters, kernel, 2)(x))


def resnet18(x: Any) -> Any:
    make = layers()
    x = make.MaxPool2D(3, 2, "same")(make.ReLU()(stem(x, 64, 7)))
    for filters in (64, 128, 256, 512):
        for block in range(2):
            stride = 2 if block == 0 and filters > 64 else 1
            before = x
            x = make.ReLU()(make.BatchNormalization()(real(filters, 3, stride)(x)))
            x = make.BatchNormalization()(real(filters, 3)(x))
            if stride > 1:
                before = make.BatchNormalization()(real(filters, 1, 2)(before))
            x = make.ReLU()(make.add([x, before]))
    return x


def abbnn_reactnet18(x: Any) -> Any:
    make = layers()
    x = make.MaxPool2D(3, 2, "same")(real(64, 7, 2)(x))
    for filters in (64, 128, 256, 512):
        for block in range(4):
            stride = 2 if block == 0 and filters > 64 else 1
            before = binary(filters, 1, inputs=None)(make.AveragePooling2D(2, 2)(x)) if stride > 1 else x
            x = make.PReLU(shared_axes=[1, 2])(make.add([binary(filters, 3, stride)(x), before]))
    return x


def bn_reactneta(x: Any) -> Any:
    make = layers()

    def sum_of(y: Any, before: Any) -> Any:
        return make.add([make.BatchNormalization()(y), before])

    def activated(y: Any) -> Any:
        return make.PReLU(shared_axes=[1, 2])(y)

    x = stem(x, 32, 3)
    rows = ((32, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2))
    for inside, filters, stride in (*rows, *[(512, 512, 1)] * 5, (512, 1024, 2), (1024, 1024, 1)):
        before = make.AveragePooling2D(2, 2)(x) if stride > 1 else x
        x = activated(sum_of(binary(inside, 3, stride)(x), before))
        halves = [sum_of(binary(inside, 1)(x), x) for _ in range(filters // inside)]
        x = activated(make.concatenate(halves) if len(halves) > 1 else halves[0])
    return x


NETWORKS: dict[str, Callable[[Any], Any]] = {
    "resnet18": resnet18,
    "abbnn-reactnet18": abbnn_reactnet18,
    "bn-reactneta": bn_reactneta,
}


def main() -> None:
    import larq
    import tensorflow

    given = layers().Input((224, 224, 3))
    last = layers().Dense(1000)(layers().GlobalAvgPool2D()(NETWORKS[sys.argv[1]](given)))
    larq.models.summary(tensorflow.keras.Model(given, last, name=sys.argv[1]), print_fn=print)


if __name__ == "__main__":
    main()
