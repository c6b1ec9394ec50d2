"""Accuracies that others published, with their sources. Top-1 in percent on the test or validation set."""

from __future__ import annotations

from costmodel.zoo.entries import Published

AB_README = "github.com/Ruichen0424/AB-BNN@1bd84f5:README.md"
AB_PAPER = "arXiv:2403.03739"
REACT = "github.com/liuzechun/ReActNet@a6cd08d:README.md"
BIREAL = "github.com/liuzechun/Bi-Real-net@f58aa4d:README.md"
BREVITAS = "github.com/Xilinx/brevitas:src/brevitas_examples/bnn_pynq/README.md"
ZOO = "github.com/larq/zoo@77c5853:larq_zoo"
HERO = "github.com/larq/docs@67eb830:docs/plots/zoo_hero.vg.json"

#: The A&B repository keeps the epoch with the best test accuracy, in both training steps.
BEST = "maximum over epochs, picked on the test set"

#: A&B BNN's comparison on CIFAR: topology -> (BN, BN-free, A&B), for 10 and for 100 classes.
CIFAR10 = {
    "xnor18": (90.21, 79.67, 89.94),
    "bireal18": (89.12, 79.59, 90.09),
    "reactnet18": (92.31, 92.08, 92.30),
    "reactneta": (82.95, 83.91, 89.44),
}
CIFAR100 = {
    "xnor18": (65.35, 53.76, 64.51),
    "bireal18": (63.51, 54.34, 65.52),
    "reactnet18": (68.78, 68.34, 69.35),
    "reactneta": (50.30, 55.00, 63.23),
}


def _cifar() -> dict[str, tuple[Published, ...]]:
    table: dict[str, tuple[Published, ...]] = {}
    for dataset, rows in (("cifar10", CIFAR10), ("cifar100", CIFAR100)):
        for topology, values in rows.items():
            for variant, value in zip(("bn", "bnfree", "abbnn"), values, strict=True):
                table[f"{variant}-{topology}-{dataset}"] = (Published(value, AB_PAPER, BEST),)
    table["abbnn-reactnet18-cifar10"] = (
        Published(92.30, AB_PAPER, f"slope fixed at 2^-3; {BEST}"),
        Published(91.94, AB_README, f"learned power-of-two slopes; {BEST}"),
    )
    return table


PUBLISHED: dict[str, tuple[Published, ...]] = {
    **_cifar(),
    "abbnn-reactnet18": (Published(61.39, AB_README, BEST),),
    "abbnn-reactnet34": (Published(65.19, AB_README, BEST),),
    "abbnn-reactneta": (Published(66.89, AB_README, BEST),),
    "bn-reactnet18": (Published(65.9, REACT, "called ReActNet (Bi-Real based)"),),
    "bn-reactneta": (Published(69.5, REACT, "69.4 in the abstract of arXiv:2003.03488"),),
    "bn-bireal18": (Published(56.4, BIREAL),),
    "bn-bireal34": (Published(62.2, BIREAL),),
    "bn-xnor18": (Published(51.2, BIREAL, "the 2016 XNOR-Net on ResNet-18, whose shortcuts span two convolutions"),),
    "tfc-w1a1": (Published(93.17, BREVITAS),),
    "sfc-w1a1": (Published(97.81, BREVITAS),),
    "lfc-w1a1": (Published(98.88, BREVITAS),),
    "cnv-w1a1": (Published(84.22, BREVITAS),),
    "quicknet": (Published(63.3, f"{ZOO}/sota/quicknet.py"), Published(63.2, HERO)),
    "quicknet-small": (Published(59.4, f"{ZOO}/sota/quicknet.py"), Published(59.6, HERO)),
    "quicknet-large": (Published(66.9, f"{ZOO}/sota/quicknet.py"), Published(66.8, HERO)),
    "binaryalexnet": (Published(36.30, f"{ZOO}/literature/binary_alex_net.py"), Published(36.2, HERO)),
    "xnornet": (Published(44.96, f"{ZOO}/literature/xnornet.py"), Published(44.6, HERO)),
    "birealnet": (Published(57.47, f"{ZOO}/literature/birealnet.py"), Published(57.5, HERO)),
    "binaryresnete18": (Published(58.32, f"{ZOO}/literature/resnet_e.py"), Published(58.2, HERO)),
    "realtobinarynet": (Published(65.01, f"{ZOO}/literature/real_to_bin_nets.py"), Published(64.9, HERO)),
    "binarydensenet28": (Published(60.91, f"{ZOO}/literature/densenet.py"), Published(60.8, HERO)),
    "binarydensenet37": (Published(62.89, f"{ZOO}/literature/densenet.py"), Published(62.8, HERO)),
    "binarydensenet37dilated": (Published(64.34, f"{ZOO}/literature/densenet.py"), Published(64.2, HERO)),
    "binarydensenet45": (Published(64.59, f"{ZOO}/literature/densenet.py"), Published(64.3, HERO)),
    "meliusnet22": (Published(62.4, f"{ZOO}/literature/meliusnet.py"), Published(62.5, HERO)),
}


def published(name: str) -> tuple[Published, ...]:
    """Published accuracies of a network; empty where none was found."""
    return PUBLISHED.get(name, ())
