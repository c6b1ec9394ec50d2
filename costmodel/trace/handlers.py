"""Which handler takes which aten operation, and which operations only move elements."""

from __future__ import annotations

from costmodel.trace import elementwise, places, reductions, resample, sums, windows
from costmodel.trace.lowering import Handler

#: Operations that move elements without computing, by the op name they get.
FREE: dict[str, str] = {
    **dict.fromkeys(
        ("aten.view", "aten.reshape", "aten._unsafe_view", "aten.squeeze", "aten.unsqueeze", "aten.flatten",
         "aten.view_as", "aten.view_as_real", "aten.view_as_complex", "aten._reshape_alias", "aten.resize",
         "aten.unflatten"), "view"),
    **dict.fromkeys(
        ("aten.permute", "aten.transpose", "aten.t", "aten.movedim", "aten.flip", "aten.roll", "aten.pixel_shuffle",
         "aten.pixel_unshuffle", "aten.channel_shuffle", "aten.native_channel_shuffle", "aten.swapaxes"), "permute"),
    **dict.fromkeys(
        ("aten.slice", "aten.select", "aten.split", "aten.split_with_sizes", "aten.unsafe_split",
         "aten.unsafe_split_with_sizes", "aten.unsafe_chunk", "aten.chunk", "aten.narrow",
         "aten.unbind", "aten.unfold", "aten.im2col", "aten.as_strided", "aten.diagonal", "aten.tril", "aten.triu",
         "aten.slice_scatter", "aten.select_scatter"), "slice"),
    **dict.fromkeys(("aten.expand", "aten.expand_as", "aten.repeat", "aten.broadcast_to", "aten.repeat_interleave",
                     "aten.upsample_nearest1d", "aten.upsample_nearest2d", "aten.upsample_nearest3d",
                     "aten._upsample_nearest_exact1d", "aten._upsample_nearest_exact2d",
                     "aten._upsample_nearest_exact3d"), "expand"),
    **dict.fromkeys(("aten.cat", "aten.concat"), "concat"),
    "aten.stack": "stack",
    **dict.fromkeys(("aten.constant_pad_nd", "aten.reflection_pad1d", "aten.reflection_pad2d",
                     "aten.reflection_pad3d", "aten.replication_pad1d", "aten.replication_pad2d",
                     "aten.replication_pad3d"), "pad"),
    **dict.fromkeys(("aten._to_copy", "aten.copy", "aten.clone", "aten.contiguous", "aten.fill", "aten.zero",
                     "aten.detach", "aten.lift_fresh"), "cast"),
    "costmodel.alias_write": "alias_write", "costmodel.alias": "view",
}  # fmt: skip


_BY_HANDLER: dict[Handler, tuple[str, ...]] = {
    sums.convolution: ("convolution", "_convolution", "mkldnn_convolution"),
    sums.addmm: ("addmm", "baddbmm"),
    sums.mm: ("mm", "bmm", "mv", "dot"),
    sums.attention: ("_scaled_dot_product_flash_attention_for_cpu", "_scaled_dot_product_attention_math"),
    elementwise.batch_norm: ("native_batch_norm", "_native_batch_norm_legit_no_training", "_native_batch_norm_legit",
                 "_batch_norm_no_update"),
    elementwise.norm: ("native_layer_norm", "native_group_norm", "_fused_rms_norm"),
    elementwise.mul: ("mul",),
    elementwise.div: ("div", "true_divide"),
    elementwise.add: ("add",),
    elementwise.sub: ("sub",),
    elementwise.rsub: ("rsub",),
    elementwise.neg: ("neg",),
    elementwise.prelu: ("_prelu_kernel", "prelu", "leaky_relu"),
    elementwise.relu: ("relu",),
    elementwise.clamp: ("clamp",),
    elementwise.clamp_min: ("clamp_min",),
    elementwise.clamp_max: ("clamp_max",),
    elementwise.hardtanh: ("hardtanh", "relu6"),
    elementwise.extremum: ("maximum", "minimum"),
    elementwise.sign: ("sign", "sgn"),
    elementwise.compare: ("ge", "gt", "le", "lt", "eq", "ne", "heaviside", "signbit", "isnan", "isinf"),
    places.where: ("where", "masked_fill"),
    places.put: ("index_put", "_index_put_impl"),
    places.scatter_add: ("scatter_add", "index_add", "scatter_reduce", "index_reduce"),
    places.move: ("scatter", "index_copy", "index_fill", "masked_scatter", "masked_select", "nonzero",
                  "_pack_padded_sequence"),
    places.lookup: ("embedding", "index", "index_select", "gather", "take"),
    places.embedding_bag: ("_embedding_bag", "_embedding_bag_forward_only"),
    places.fold: ("col2im",),
    resample.interpolate: ("upsample_linear1d", "upsample_bilinear2d", "upsample_trilinear3d", "upsample_bicubic2d",
                           "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa"),
    windows.max_pool: ("max_pool2d_with_indices", "max_pool2d", "max_pool3d_with_indices", "mkldnn_max_pool2d"),
    windows.avg_pool: ("avg_pool2d", "avg_pool3d"),
    windows.adaptive_avg_pool: ("_adaptive_avg_pool2d", "_adaptive_avg_pool3d"),
    windows.adaptive_max_pool: ("adaptive_max_pool2d", "adaptive_max_pool3d"),
    reductions.mean: ("mean",),
    reductions.reduce: ("sum", "amax", "amin", "max", "min", "nansum", "argmax", "argmin", "aminmax", "prod", "any",
                        "all"),
    reductions.statistics: ("var", "std", "var_mean", "std_mean"),
    reductions.cumulative: ("cumsum", "cumprod"),
    reductions.vector_norm: ("linalg_vector_norm", "norm"),
    reductions.log_sum_exp: ("logsumexp",),
    reductions.distances: ("_cdist_forward",),
    elementwise.softmax: ("_softmax", "_safe_softmax", "_log_softmax"),
    elementwise.special: (
        "sigmoid", "tanh", "exp", "expm1", "log", "log2", "log1p", "sqrt", "rsqrt", "erf", "gelu", "silu", "elu",
        "softplus", "mish", "sin", "cos", "tan", "sinh", "cosh", "asin", "acos", "atan", "asinh", "acosh", "atanh",
        "atan2", "reciprocal", "log_sigmoid_forward", "celu", "selu", "softsign", "exp2", "log10", "erfc", "erfinv",
        "logit", "sinc", "remainder", "fmod", "floor_divide", "hypot",
    ),
    elementwise.hard_sigmoid: ("hardswish", "hardsigmoid"),
    elementwise.glu: ("glu",),
    elementwise.add_product: ("addcmul", "addcdiv"),
    elementwise.lerp: ("lerp",),
    elementwise.threshold: ("threshold",),
    elementwise.fake_quantize: (
        "fake_quantize_per_tensor_affine_cachemask", "_fake_quantize_per_tensor_affine_cachemask_tensor_qparams",
        "fake_quantize_per_channel_affine_cachemask",
    ),
    elementwise.power: ("pow",),
    elementwise.absolute: ("abs",),
    elementwise.rounding: ("round", "floor", "ceil", "trunc", "frac"),
    elementwise.logical: ("logical_and", "logical_or", "logical_not", "logical_xor", "bitwise_and", "bitwise_or",
                          "bitwise_not", "bitwise_xor"),
    elementwise.dropout: ("native_dropout", "bernoulli", "rand_like", "randn_like"),
}  # fmt: skip

HANDLERS: dict[str, Handler] = {f"aten.{name}": handler for handler, names in _BY_HANDLER.items() for name in names}
