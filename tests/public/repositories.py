"""Networks of public repositories as they are, against counts by hand.

    python -m tests.public.repositories FOLDER [PATTERN ...]

FOLDER holds clones under their own names; what is not there is skipped. Each line says ``ok``, ``WRONG`` with both
figures, or ``skipped``; the status is 1 where one is wrong. The counts are worked out from the published structure:
batch norm behind real weights folds, behind binary sums it is one multiplication and one addition per output unless a
sign follows, in front of a sign it is the threshold.
"""

from __future__ import annotations

import sys
from pathlib import Path

import costmodel
from costmodel.errors import CostmodelError
from costmodel.ledger.conventions import convention

IMAGENET, CIFAR = "1x3x224x224", "1x3x32x32"
R18 = 1_676_279_808  # products of the binary layers of ResNet-18
#: file:factory below FOLDER, input -> deployed operations
NETWORKS: dict[tuple[str, str], dict[str, int]] = {
    ("ReActNet/resnet/2_step2/birealnet.py:birealnet18", IMAGENET):
        {"mul": 140_804_096, "add": 144_102_656, "compare": 3_286_528, "xnor": R18},
    ("ReActNet/mobilenet/2_step2/reactnet.py:reactnet", IMAGENET):
        {"mul": 21_144_576, "add": 31_605_248, "compare": 4_992_512, "xnor": 4_816_896_000, "shift_const": 376_320},
    ("ReActNet/mobilenet/1_step1/reactnet.py:reactnet", IMAGENET):
        {"mul": 16_503_296, "add": 31_605_248, "compare": 4_992_512, "signflip": 4_816_896_000, "shift_const": 376_320},
    ("Bi-Real-net/pytorch_implementation/BiReal18_34/birealnet.py:birealnet18", IMAGENET):
        {"mul": 139_298_816, "add": 141_092_096, "compare": 3_286_528, "xnor": R18},
    ("Bi-Real-net/pytorch_implementation/BiReal18_34/birealnet.py:birealnet34", IMAGENET):
        {"mul": 140_553_216, "add": 143_600_896, "compare": 4_540_928, "xnor": 3_525_967_872},
    ("AB-BNN/Network/ReActNet_18_Qaw.py:ResNet18", IMAGENET):
        {"mul": 120_206_848, "add": 122_526_976, "compare": 3_286_528, "xnor": R18, "signflip": 19_267_584,
         "shift_channel": 1_505_280},
    ("AB-BNN/Network/BiResNet_18_Qaw.py:ResNet18", IMAGENET):
        {"mul": 140_126_720, "add": 138_608_384, "compare": 3_286_528, "xnor": R18},
    ("AB-BNN/Network/XnorNet_18_Qaw.py:ResNet18", IMAGENET):
        {"mul": 121_034_752, "add": 119_252_992, "compare": 3_286_528, "xnor": R18, "signflip": 19_267_584},
    ("AB-BNN/Network/ReActNet_A_Qaw.py:Reactnet", IMAGENET):
        {"mul": 16_503_296, "add": 26_562_560, "compare": 4_992_512, "xnor": 4_816_896_000, "shift_const": 376_320,
         "shift_channel": 4_641_280},
    ("IR-Net/CIFAR-10/ResNet20/1w1a/resnet.py:resnet20_1w1a", CIFAR):
        {"mul": 615_040, "add": 791_104, "compare": 561_152, "xnor": 40_108_032},
    ("IR-Net/CIFAR-10/VGG-Small/vgg.py:vgg_small_1w1a", CIFAR):
        {"mul": 3_629_056, "add": 3_497_984, "compare": 466_944, "xnor": 603_979_776},
    ("IR-Net/CIFAR-10/ResNet18/resnet.py:ResNet18", CIFAR):
        {"mul": 8_311_808, "add": 8_565_277, "compare": 1_040_393, "xnor": 547_356_672, "special": 11},
    ("IR-Net/ImageNet/ResNet18/1w1a/models/resnet.py:resnet18", IMAGENET): {"xnor": R18},
    ("ReCU/cifar/models_cifar/resnet.py:resnet20_1w1a", CIFAR):
        {"mul": 615_040, "add": 809_536, "compare": 561_152, "xnor": 40_108_032, "shift_const": 6_144},
    ("ReCU/cifar/models_cifar/vgg.py:vgg_small_1w1a", CIFAR):
        {"mul": 3_629_056, "add": 3_497_984, "compare": 466_944, "xnor": 603_979_776},
    ("ReCU/cifar/models_cifar/resnet2.py:resnet18_1w1a", CIFAR):
        {"mul": 2_020_352, "add": 2_359_808, "compare": 1_040_384, "xnor": 547_356_672, "shift_const": 28_672},
    ("ReCU/cifar/models_imagenet/resnet.py:resnet18_1w1a", IMAGENET): {"xnor": R18},
    ("RBNN/cifar/models_cifar/resnet.py:resnet20_1w1a", CIFAR): {"xnor": 40_108_032},
    ("Efficient-Computing/BinaryNetworks/AdaBin/cifar10/nets/resnet20.py:resnet20_1w1a", CIFAR):
        {"xnor": 40_108_032, "popcount": 40_108_032},
    # the stem on 96 planes of its input, and the first bit of each activation; the second pass is of two bits
    ("FracBNN/model/fracbnn_cifar10.py:resnet20(batch_size=1)", CIFAR): {"xnor": 14_155_776 + 40_108_032},
}  # fmt: skip
ZOO, DATA = "qonnx_model_zoo/models", "qonnx/src/qonnx/data/onnx"
#: file below FOLDER -> multiply-accumulates, and bit operations (sum of products times both widths) where widths agree
FILES: dict[str, tuple[int, int]] = {
    f"{ZOO}/MNIST/Brevitas_FINN_TFC/TFC/TFC_1W1A.onnx": (59_008, 59_008),
    f"{ZOO}/MNIST/Brevitas_FINN_TFC/TFC/TFC_1W2A.onnx": (59_008, 118_016),
    f"{ZOO}/MNIST/Brevitas_FINN_TFC/TFC/TFC_2W2A.onnx": (59_008, 236_032),
    f"{ZOO}/GSCV2/kwsmlp_w3a3/kwsmlp_w3a3.onnx": (259_584, 4_217_856),
    f"{ZOO}/JetTagging/QKeras_hls4ml_3layer/qkeras_jettagging.onnx": (4_256, 312_960),
    f"{ZOO}/UNSW_NB15/unsw_nb15_mlp_w2a2/unsw_nb15-mlp-w2a2.onnx": (46_656, 2_539_776),
    f"{DATA}/bsd300x3-espcn/nn_resize/float_model.onnx": (1_041_235_968, 1_066_225_631_232),
    f"{DATA}/bsd300x3-espcn/nn_resize/quant_model.onnx": (1_041_235_968, 23_152_558_080),
    f"{DATA}/bsd300x3-espcn/subpixel/float_model.onnx": (1_085_952, 1_112_014_848),
    f"{DATA}/bsd300x3-espcn/subpixel/quant_model.onnx": (1_041_235_968, 36_440_113_152),
    f"{DATA}/eltwise_chanlast_testcase.onnx": (10_645_344, 2_725_208_064),
    f"{DATA}/matmul_update/sdp.onnx": (1_048_576, 1_073_741_824),
    f"{DATA}/mnist-conv/model.onnx": (786_560, 805_437_440),
    f"{DATA}/residual_block_clean.onnx": (10_622_024, 10_876_952_576),
}


def wrong(folder: Path, name: str, shape: str | None) -> str | None:
    """What differs from the counts by hand; None where nothing does."""
    try:
        made = costmodel.profile(str(folder / name), shape, use_cache=False)
    except CostmodelError as error:
        return str(error)[:300]
    if shape is None:
        found = tuple(convention(c).count(made).number for c in ("macs", "qonnx-bops"))
        return None if found == FILES[name] else f"{found} (by hand: {FILES[name]})"
    expected = NETWORKS[name, shape]
    kinds = {kind: made.deployed.total(kind) for kind in expected}
    return None if kinds == expected else f"{kinds} (by hand: {expected})"


def main(arguments: list[str]) -> int:
    folder, patterns, bad = Path(arguments[0]).resolve(), arguments[1:], 0
    for name, shape in (*NETWORKS, *((name, None) for name in FILES)):
        if patterns and not any(pattern in name for pattern in patterns):
            continue
        if not (folder / name.partition(":")[0]).is_file():
            print("skipped", name)
            continue
        said = wrong(folder, name, shape)
        bad += said is not None
        print("ok     " if said is None else "WRONG  ", name, said or "", flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
