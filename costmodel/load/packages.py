"""What to install for a module that is missing: the package that has it, of a version that fits."""

from __future__ import annotations

#: Packages by the names of their modules, where the two differ.
_PACKAGES = {
    "cv2": "opencv-python-headless", "PIL": "pillow", "yaml": "pyyaml", "sklearn": "scikit-learn",
    "skimage": "scikit-image", "dotenv": "python-dotenv", "attr": "attrs", "google": "protobuf", "git": "gitpython",
    "torch_geometric": "torch-geometric", "pytorch_lightning": "pytorch-lightning", "hydra": "hydra-core",
    "brevitas_examples": "brevitas",
}  # fmt: skip
#: Built for one version of PyTorch and one kind of device.
_BUILT = ("torchvision", "torchaudio", "torchtext")
#: Names of modules of a repository; the packages that are called so are others.
_LOCAL = ("utils", "util", "models", "modules", "lib", "libs", "src", "core", "common", "config", "configs", "options",
          "layers", "nets", "networks", "tools", "helpers", "dataset", "data")  # fmt: skip


def install(module: str) -> str:
    """Advice that ends in no stop: ``Install it (pip install pyyaml)``."""
    name = module.partition(".")[0]
    if name in _BUILT:
        return f"Install it for the PyTorch that is here: {fitting(name)}"
    if name == "apex":
        return "Install it from NVIDIA's repository: the package of this name is another"
    if name in _LOCAL:
        return "It looks like a module of the repository that is not in this folder: set PYTHONPATH to where it is"
    return f"Install the package that has it (pip install {_PACKAGES.get(name, name)}), or set PYTHONPATH to its folder"


def fitting(name: str) -> str:
    """The command that installs a package that is built for one PyTorch without exchanging that."""
    import torch

    version, _, build = torch.__version__.partition("+")
    command = f"pip install torch=={version} {name}"
    return f"{command}, from the index that this {build} build of PyTorch came from" if build else command
