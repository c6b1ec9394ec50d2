"""Files of networks that no part of this program reads, and the way here from each of them."""

from __future__ import annotations

import re
from pathlib import Path

#: What the command below converts with. Keras 3 writes ONNX itself, once the network has been called.
_KERAS_3 = (
    "pip install tensorflow-cpu tf2onnx",
    "import keras; m = keras.models.load_model({path}); x = [keras.ops.zeros([n or 1 for n in i.shape], i.dtype) for i "
    "in m.inputs]; m(x if x[1:] else x[0]); m.export('net.onnx', format='onnx')",
)
#: Of Keras 2 is what TensorFlow wrote up to 2.15, tf_keras since, and larq.
_KERAS_2 = (
    "pip install tensorflow-cpu tf_keras tf2onnx; and larq, then TF_USE_LEGACY_KERAS=1 and import larq, for its layers",
    "import tf_keras, tf2onnx; tf2onnx.convert.from_keras(tf_keras.models.load_model({path}), opset=13, "
    "output_path='net.onnx')",
)
_KERAS = (".h5", ".hdf5", ".keras")
_OTHERS = {
    ".tflite": "a TFLite file is not read. Convert it: python -m tf2onnx.convert --tflite {path} --output net.onnx",
    ".pb": "a TensorFlow graph is not read. Convert it: python -m tf2onnx.convert --saved-model DIR --output net.onnx",
    ".safetensors": "a .safetensors file holds weights and no network: give it as --checkpoint of its network",
    ".ckpt": "a .ckpt file holds weights and no network: give it as --checkpoint of its network",
}
SUFFIXES = (*_KERAS, *_OTHERS)
#: Bytes of a file in which its version is looked for: Keras writes it in front of the weights.
_BEGINNING = 1 << 20


def way_from(path: Path) -> str:
    """Why a file is not read, and what to do instead, in one line."""
    if path.suffix in _OTHERS:
        return _OTHERS[path.suffix].format(path=path)
    version = keras_version(path)
    routes = {"3": (_KERAS_3,), "2": (_KERAS_2,)}.get(version[:1], (_KERAS_3, _KERAS_2))
    said = " Or, if it is of Keras 2: ".join(
        f'({install}): python -c "{command.format(path=repr(str(path)))}"' for install, command in routes
    )
    of = f"a file of Keras {version}" if version else "a Keras file"
    return f"{of} can hold code and is not read. Convert it in an environment of its own {said}, then give net.onnx"


def keras_version(path: Path) -> str:
    """The version of Keras that wrote a file, such as ``3.15.1``; "" where it does not say. Runs nothing of it."""
    import zipfile

    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive, archive.open("metadata.json") as metadata:
                text = metadata.read(_BEGINNING)
        else:
            with path.open("rb") as file:
                text = file.read(_BEGINNING)
    except (OSError, KeyError, zipfile.BadZipFile):
        return ""
    found = re.search(rb"keras_version.{0,4000}?(?<![\d.])([23]\.\d{1,2}\.\d{1,3})(?![\d.])", text, re.DOTALL)
    return found[1].decode() if found else ""
