"""The catalogue: every network's entry, made from the axes of its family. Plain data; imports no PyTorch."""

from __future__ import annotations

from collections.abc import Iterator

from costmodel.zoo.entries import DATASETS, Entry, Published
from costmodel.zoo.results import published
from costmodel.zoo.topology import TOPOLOGIES

VARIANTS = {
    "abbnn": ("none", "A&B BNN: no normaliser, masked signs, every residual scale and slope a power of two"),
    "bnfree": ("weight standardisation", "BN-free BNN: scaled weight standardisation, real residual scales and slopes"),
    "bn": ("batch norm", "batch-normalised BNN"),
}

SOURCES = {
    "abbnn": "arXiv:2403.03739; github.com/Ruichen0424/AB-BNN@1bd84f5",
    "bnfree": "arXiv:2104.08215; github.com/VITA-Group/BNN_NoBN@d277784",
    ("bn", "react"): "arXiv:2003.03488; github.com/liuzechun/ReActNet@a6cd08d",
    ("bn", "bireal"): "arXiv:1811.01335; github.com/liuzechun/Bi-Real-net@f58aa4d",
    ("bn", "bnn"): "Hubara et al., Binarized Neural Networks, NIPS 2016, on the layers of ResNet-18",
}

#: Forms that no publication gives, and what was done.
OWN_CONSTRUCTION = {
    ("bnfree", "bireal"): "the BN-free rules on the A&B form of this topology; no such code is published",
    ("bnfree", "bnn"): "the BN-free rules on BNN-18; no such code is published",
    ("abbnn", "bnn"): "the A&B rules on BNN-18; its weights carry one power of two per layer and no scale",
    ("abbnn", "small"): "the A&B block in a network small enough for 8x8 digits",
    ("bnfree", "small"): "the BN-free block in a network small enough for 8x8 digits",
    ("bn", "small"): "the ReActNet block in a network small enough for 8x8 digits",
}

FAMILY = "costmodel.zoo.family:build"


def _source(variant: str, block: str) -> str:
    return SOURCES[variant] if variant in SOURCES else SOURCES[variant, block]


def _aliases(variant: str, topology: str, dataset: str) -> tuple[str, ...]:
    if dataset == "digits":
        return (f"{variant}-digits", f"{variant}-reactnet18-digits")
    suffix = "" if dataset == "imagenet" else f"-{dataset}"
    found = [topology + suffix] if variant == "bn" else []
    if topology == "reactnet18":
        found += [variant + suffix] if variant != "bn" else []
    return tuple(found)


def _binary_family() -> Iterator[Entry]:
    for dataset in ("imagenet", "cifar10", "cifar100", "digits"):
        shape, classes = DATASETS[dataset]
        suffix = "" if dataset == "imagenet" else f"-{dataset}"
        for variant, (normaliser, variant_text) in VARIANTS.items():
            for topology, top in TOPOLOGIES.items():
                if dataset not in top.datasets:
                    continue
                name = f"{variant}-{topology}{suffix}"
                own = OWN_CONSTRUCTION.get((variant, "small" if dataset == "digits" else top.block), "")
                yield Entry(
                    name=name,
                    aliases=_aliases(variant, topology, dataset),
                    family="binary",
                    topology=topology,
                    block=top.block,
                    normaliser=normaliser,
                    dataset=dataset,
                    input_shape=shape,
                    classes=classes,
                    published=published(name),
                    source=_source(variant, top.block),
                    description=f"{top.description}; {variant_text}" + (f" ({own})" if own else ""),
                    builder=FAMILY,
                    options=(("variant", variant), ("topology", topology), ("dataset", dataset)),
                )


def _full_precision() -> Iterator[Entry]:
    nets = {
        "resnet18": ("He et al., arXiv:1512.03385", "ResNet-18, real-valued"),
        "resnet34": ("He et al., arXiv:1512.03385", "ResNet-34, real-valued"),
        "mobilenetv1": ("Howard et al., arXiv:1704.04861", "MobileNetV1 1.0, real-valued"),
    }
    for topology, (source, text) in nets.items():
        for dataset in ("imagenet", "cifar10", "cifar100"):
            if topology != "resnet18" and dataset != "imagenet":
                continue
            shape, classes = DATASETS[dataset]
            name = topology if dataset == "imagenet" else f"{topology}-{dataset}"
            yield Entry(
                name=name,
                aliases=(),
                family="real",
                topology=topology,
                block="separable" if topology == "mobilenetv1" else "residual",
                normaliser="batch norm",
                dataset=dataset,
                input_shape=shape,
                classes=classes,
                published=published(name),
                source=source,
                description=text + ("" if dataset == "imagenet" else "; 3x3 stem of stride 1 and no pooling"),
                builder=f"costmodel.zoo.real:build_{'mobilenet' if topology == 'mobilenetv1' else 'resnet'}",
                options=() if topology == "mobilenetv1" else (("depth", int(topology[6:])), ("dataset", dataset)),
            )


FINN = {
    "tfc": ("dense", "mnist", "build_fc", (("hidden", 64),)),
    "sfc": ("dense", "mnist", "build_fc", (("hidden", 256),)),
    "lfc": ("dense", "mnist", "build_fc", (("hidden", 1024),)),
    "cnv": ("plain", "cifar10", "build_cnv", ()),
}


def _finn() -> Iterator[Entry]:
    source = "FINN, arXiv:1612.07119; github.com/Xilinx/brevitas brevitas_examples/bnn_pynq"
    for variant in ("bn", "abbnn"):
        for topology, (block, dataset, builder, options) in FINN.items():
            name = f"{topology}-w1a1" if variant == "bn" else f"abbnn-{topology}-w1a1"
            hidden = dict(options).get("hidden")
            text = f"784-{hidden}-{hidden}-{hidden}-10 perceptron; input, weights and activations of one bit"
            if topology == "cnv":
                text = "Six unpadded 3x3 convolutions, three dense layers; one-bit weights and activations, 8-bit input"
            rules = "" if variant == "bn" else f"; {VARIANTS[variant][1]} (the A&B rules on FINN's topology)"
            yield Entry(
                name=name,
                aliases=(topology,) if variant == "bn" else (f"abbnn-{topology}",),
                family="finn",
                topology=topology,
                block=block,
                normaliser=VARIANTS[variant][0],
                dataset=dataset,
                input_shape=DATASETS[dataset][0],
                classes=10,
                published=published(name),
                source=source if variant == "bn" else f"{SOURCES[variant]}; {source}",
                description=text + rules,
                builder=f"costmodel.zoo.finn:{builder}",
                options=options if variant == "bn" else (("variant", variant), *options),
            )


#: name -> (builder, options, block, paper, description)
LARQ = {
    "quicknet": ("quicknet:build", (), "quicknet", "arXiv:2011.09398", "QuickNet"),
    "quicknet-small": (
        "quicknet:build", (("filters", (32, 64, 256, 512)),), "quicknet", "arXiv:2011.09398", "QuickNetSmall",
    ),
    "quicknet-large": (
        "quicknet:build", (("blocks", (6, 8, 12, 6)),), "quicknet", "arXiv:2011.09398", "QuickNetLarge",
    ),
    "binaryalexnet": ("plain:build_alexnet", (), "plain", "Hubara et al., NIPS 2016", "BinaryAlexNet"),
    "xnornet": ("plain:build_xnornet", (), "plain", "arXiv:1603.05279", "XNORNet, on AlexNet"),
    "birealnet": ("residual:build_birealnet", (), "bireal", "arXiv:1808.00278", "BiRealNet, 18 layers"),
    "binaryresnete18": ("residual:build_resnete", (), "bireal", "arXiv:1906.08637", "BinaryResNetE18"),
    "realtobinarynet": (
        "residual:build_realtobinary", (), "real-to-binary", "openreview.net/forum?id=BJg4NgBKvH", "RealToBinaryNet",
    ),
    "binarydensenet28": (
        "dense:build_densenet", (("layers", (6, 6, 6, 5)), ("reduction", (2.7, 2.7, 2.2))), "dense",
        "arXiv:1906.08637", "BinaryDenseNet28",
    ),
    "binarydensenet37": (
        "dense:build_densenet", (("layers", (6, 8, 12, 6)), ("reduction", (3.3, 3.3, 4.0))), "dense",
        "arXiv:1906.08637", "BinaryDenseNet37",
    ),
    "binarydensenet37dilated": (
        "dense:build_densenet",
        (("layers", (6, 8, 12, 6)), ("reduction", (3.3, 3.3, 4.0)), ("dilation", (1, 1, 2, 4))), "dense",
        "arXiv:1906.08637", "BinaryDenseNet37Dilated",
    ),
    "binarydensenet45": (
        "dense:build_densenet", (("layers", (6, 12, 14, 8)), ("reduction", (2.7, 3.3, 4.0))), "dense",
        "arXiv:1906.08637", "BinaryDenseNet45",
    ),
    "meliusnet22": ("dense:build_meliusnet", (), "melius", "arXiv:2001.05936", "MeliusNet22"),
}  # fmt: skip


def _larq() -> Iterator[Entry]:
    shape, classes = DATASETS["imagenet"]
    for name, (builder, options, block, paper, text) in LARQ.items():
        yield Entry(
            name=name,
            aliases=(),
            family="larq",
            topology=name,
            block=block,
            normaliser="batch norm",
            dataset="imagenet",
            input_shape=shape,
            classes=classes,
            published=published(name),
            source=f"{paper}; github.com/larq/zoo@77c5853",
            description=f"{text} as in the Larq zoo",
            builder=f"costmodel.zoo.larq.{builder}",
            options=options,
        )


def entries() -> Iterator[Entry]:
    """All networks, in the order in which they are listed."""
    yield from _binary_family()
    yield from _full_precision()
    yield from _finn()
    yield from _larq()


__all__ = ["Published", "entries"]
