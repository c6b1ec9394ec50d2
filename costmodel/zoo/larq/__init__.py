"""The Larq zoo's networks (ImageNet, 224 x 224), written for PyTorch from their published descriptions.

Larq pads as TensorFlow does ("same"): where the total is odd, the extra row goes to the bottom right; PyTorch's
symmetric padding with a stride leaves it at the top left. A network here is therefore the mirror image of Larq's
(mirror the input and every kernel and the scores are the same), with equal shapes, operations and parameters.
"""
