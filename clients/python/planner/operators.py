"""What is known of torch's operators that have no layer of their own."""

import re

# Operator: planner.v1.Activation.Kind.
ACTIVATIONS = {
    "relu": "RELU",
    "relu6": "RELU6",
    "leaky_relu": "LEAKY_RELU",
    "elu": "ELU",
    "selu": "SELU",
    "silu": "SILU",
    "mish": "MISH",
    "sigmoid": "SIGMOID",
    "tanh": "TANH",
    "hardsigmoid": "HARD_SIGMOID",
    "hardswish": "HARD_SWISH",
    "softplus": "SOFTPLUS",
}

# Operator: planner.v1.Reduce.Kind.
REDUCTIONS = {"mean": "MEAN", "sum": "SUM", "amax": "MAX", "max": "MAX", "amin": "MAX", "min": "MAX"}

# Operators that compute nothing: they make, choose or move elements.
DATA_MOVEMENT = {
    "arange", "as_strided", "bernoulli", "broadcast_to", "constant_pad_nd", "copy", "diagonal", "empty", "empty_like", "empty_strided",
    "expand", "eye", "fill", "flip", "full", "full_like", "gather", "index", "index_put", "index_select", "linspace", "masked_fill",
    "masked_select", "meshgrid", "native_channel_shuffle", "new_empty", "new_empty_strided", "new_full", "new_ones", "new_zeros",
    "normal", "normal_functional", "one_hot", "ones", "ones_like", "pixel_shuffle", "pixel_unshuffle", "rand", "rand_like", "randint",
    "randn", "randn_like", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d", "repeat", "repeat_interleave",
    "replication_pad1d", "replication_pad2d", "replication_pad3d", "roll", "rot90", "scalar_tensor", "scatter", "select_scatter",
    "slice_scatter", "channel_shuffle", "im2col", "col2im", "unfold", "tril", "triu", "tril_indices", "triu_indices", "uniform",
    "where", "zero", "zeros", "zeros_like", "_to_copy", "imag", "real", "view_as_complex", "view_as_real", "index_fill", "index_copy",
    "exponential", "random", "randperm", "set", "resize", "squeeze",
}

# Element by element work that is known to be about one FLOP an element, or that the planner has a cost for.
ELEMENTWISE = {
    "abs", "acos", "add", "addcdiv", "addcmul", "all", "any", "argmax", "argmin", "asin", "atan", "atan2", "avg_pool2d", "avg_pool3d",
    "bitwise_and", "bitwise_not", "bitwise_or", "bitwise_xor", "ceil", "celu", "clamp", "clamp_max", "clamp_min", "cos", "cosh",
    "cumprod", "cumsum", "div", "eq", "erf", "exp", "exp2", "expm1", "floor", "floor_divide", "fmod", "frac", "ge", "gt", "hardshrink",
    "hardtanh", "isfinite", "isinf", "isnan", "le", "lerp", "linalg_vector_norm", "log", "log10", "log1p", "log2", "log_sigmoid_forward",
    "_log_softmax", "logical_and", "logical_not", "logical_or", "logical_xor", "logsumexp", "lt", "maximum", "minimum", "mul", "ne",
    "neg", "norm", "polar", "pow", "prelu", "prod", "reciprocal", "remainder", "round", "rsqrt", "rsub", "sgn", "sign", "sin", "sinh",
    "softshrink", "sort", "sqrt", "square", "std", "std_mean", "sub", "tan", "threshold", "topk", "trunc", "var", "var_mean", "xlogy",
    "_adaptive_avg_pool2d", "adaptive_avg_pool2d", "max_pool2d_with_indices", "scale", "complex", "angle", "count_nonzero", "bucketize",
    "grid_sampler_2d", "grid_sampler_3d", "scatter_add", "index_add", "nll_loss_forward", "mse_loss", "binary_cross_entropy",
    "binary_cross_entropy_with_logits", "smooth_l1_loss", "cross_entropy_loss", "nll_loss2d_forward", "rrelu_with_noise", "argsort",
    "rms_norm", "_weight_norm_interface", "_weight_norm", "glu_jvp", "logcumsumexp", "cummax", "cummin", "aminmax", "multinomial", "nan_to_num", "erfc", "erfinv", "lgamma",
}

# Names of operators that hold products of matrices or convolutions: never taken for element by element work.
PRODUCTS = re.compile(
    r"conv|mm\b|mm_|matmul|linear(?!1d)|lstm|gru|rnn|attention|attn|cdist|pdist|einsum|trilinear(?!3d)|fft|linalg_(?!vector_norm)|"
    r"cholesky|svd|qr\b|solve|^inverse|lu_|_eig|^eig|^dot$|^vdot|^ger$|^outer|tensordot|kron|chain_matmul|addr\b|addbmm|transformer|"
    r"embedding_bag|deform"
)

# torchvision's own operators without products of matrices.
TORCHVISION = {"torchvision::nms", "torchvision::roi_align", "torchvision::roi_pool", "torchvision::ps_roi_align",
               "torchvision::ps_roi_pool"}

# Operators that ask for sizes and layouts, and asserts.
SHAPE_ONLY = {"_assert_async", "is_same_size", "sym_size", "_local_scalar_dense", "size", "stride", "numel", "is_pinned", "equal",
              "_has_compatible_shallow_copy_type", "is_nonzero", "_assert_scalar"}
