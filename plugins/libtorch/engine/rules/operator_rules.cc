#include "plugins/libtorch/engine/rules/operator_rules.h"

#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "core/model/elementwise.h"
#include "plugins/libtorch/engine/rules/products.h"

namespace planner::libtorch {
namespace {

/// FLOPs per element of `kind` in the table that described models are counted by, so that both counters agree.
constexpr int64_t As(std::string_view kind) { return model::CostOfElementwise(kind).flops_per_element; }

constexpr Basis kOut = Basis::kOutput;
constexpr Basis kIn = Basis::kInput;
constexpr Basis kNorm = Basis::kNorm;
constexpr Basis kFactor = Basis::kFactor;
constexpr Basis kSolve = Basis::kSolve;
constexpr Basis kProduct = Basis::kProduct;

// Every operator below autograd that is counted, by what it computes per element: additions, products, comparisons, exp and
// the like count 1 each. Backward forms stand under their forward form's kind.
constexpr OperatorRule kCounted[] = {
    // Matrix products and convolutions.
    {"mm", "mm", kProduct, 0},
    {"bmm", "bmm", kProduct, 0},
    {"addmm", "addmm", kProduct, 0},
    {"_addmm_activation", "addmm", kProduct, 0},
    {"baddbmm", "baddbmm", kProduct, 0},
    {"addbmm", "addbmm", kProduct, 0},
    {"mv", "mv", kProduct, 0},
    {"addmv", "addmv", kProduct, 0},
    {"dot", "dot", kProduct, 0},
    {"vdot", "dot", kProduct, 0},
    {"convolution", "convolution", kProduct, 0},
    {"_convolution", "convolution", kProduct, 0},
    {"convolution_overrideable", "convolution", kProduct, 0},
    {"convolution_backward", "convolution", kProduct, 0},
    {"convolution_backward_overrideable", "convolution", kProduct, 0},
    // nn.Bilinear's form: torch multiplies and sums element by element.
    {"_trilinear", "bilinear", kProduct, 0},
    // Arithmetic.
    {"add", "add", kOut, As("add")},
    {"sub", "add", kOut, As("add")},
    {"rsub", "add", kOut, As("add")},
    {"mul", "mul", kOut, As("mul")},
    {"div", "div", kOut, 1},
    {"true_divide", "div", kOut, 1},
    {"floor_divide", "div", kOut, 2},
    {"remainder", "remainder", kOut, 3},
    {"fmod", "remainder", kOut, 3},
    {"neg", "neg", kOut, 1},
    {"abs", "abs", kOut, 1},
    {"sign", "sign", kOut, 1},
    {"sgn", "sign", kOut, 1},
    {"reciprocal", "reciprocal", kOut, 1},
    {"sqrt", "sqrt", kOut, 1},
    {"rsqrt", "rsqrt", kOut, 2},
    {"square", "mul", kOut, 1},
    {"pow", "pow", kOut, 1},
    {"float_power", "pow", kOut, 1},
    {"exp", "exp", kOut, As("exp")},
    {"exp2", "exp", kOut, 1},
    {"expm1", "exp", kOut, 2},
    {"log", "log", kOut, 1},
    {"log2", "log", kOut, 1},
    {"log10", "log", kOut, 1},
    {"log1p", "log", kOut, 2},
    {"sin", "sin", kOut, 1},
    {"cos", "cos", kOut, 1},
    {"tan", "tan", kOut, 1},
    {"asin", "asin", kOut, 1},
    {"acos", "acos", kOut, 1},
    {"atan", "atan", kOut, 1},
    {"atan2", "atan", kOut, 2},
    {"sinh", "sinh", kOut, 1},
    {"cosh", "cosh", kOut, 1},
    {"asinh", "asinh", kOut, 1},
    {"acosh", "acosh", kOut, 1},
    {"atanh", "atanh", kOut, 1},
    {"sinc", "sin", kOut, 3},
    {"erf", "erf", kOut, 1},
    {"erfc", "erf", kOut, 2},
    {"erfinv", "erf", kOut, 1},
    {"lgamma", "lgamma", kOut, 1},
    {"digamma", "lgamma", kOut, 1},
    {"polygamma", "lgamma", kOut, 1},
    {"logit", "logit", kOut, 3},
    {"logit_backward", "logit", kOut, 3},
    {"xlogy", "log", kOut, 2},
    {"logaddexp", "logsumexp", kOut, 4},
    {"logaddexp2", "logsumexp", kOut, 4},
    {"hypot", "sqrt", kOut, 4},
    {"floor", "round", kOut, 1},
    {"ceil", "round", kOut, 1},
    {"round", "round", kOut, 1},
    {"trunc", "round", kOut, 1},
    {"frac", "round", kOut, 2},
    {"clamp", "clamp", kOut, 2},
    {"clip", "clamp", kOut, 2},
    {"clamp_min", "clamp", kOut, 1},
    {"clamp_max", "clamp", kOut, 1},
    {"maximum", "maximum", kOut, 1},
    {"minimum", "minimum", kOut, 1},
    {"fmax", "maximum", kOut, 1},
    {"fmin", "minimum", kOut, 1},
    {"lerp", "lerp", kOut, 3},
    {"addcmul", "addcmul", kOut, 3},
    // An outer product, as torch.outer, which is "mul".
    {"addr", "addr", kOut, 3},
    {"addcdiv", "addcdiv", kOut, 3},
    {"cross", "cross", kOut, 3},
    {"linalg_cross", "cross", kOut, 3},
    {"nan_to_num", "nan_to_num", kOut, 1},
    {"heaviside", "heaviside", kOut, 1},
    // Comparisons and logic.
    {"eq", "compare", kOut, 1},
    {"ne", "compare", kOut, 1},
    {"lt", "compare", kOut, 1},
    {"le", "compare", kOut, 1},
    {"gt", "compare", kOut, 1},
    {"ge", "compare", kOut, 1},
    {"isnan", "compare", kOut, 1},
    {"isinf", "compare", kOut, 1},
    {"isfinite", "compare", kOut, 1},
    {"isposinf", "compare", kOut, 1},
    {"isneginf", "compare", kOut, 1},
    {"isin", "compare", kOut, 1},
    {"signbit", "compare", kOut, 1},
    {"logical_and", "logic", kOut, 1},
    {"logical_or", "logic", kOut, 1},
    {"logical_not", "logic", kOut, 1},
    {"logical_xor", "logic", kOut, 1},
    {"bitwise_and", "logic", kOut, 1},
    {"bitwise_or", "logic", kOut, 1},
    {"bitwise_not", "logic", kOut, 1},
    {"bitwise_xor", "logic", kOut, 1},
    {"bitwise_left_shift", "logic", kOut, 1},
    {"bitwise_right_shift", "logic", kOut, 1},
    {"__and__", "logic", kOut, 1},
    {"__or__", "logic", kOut, 1},
    {"__xor__", "logic", kOut, 1},
    {"__lshift__", "logic", kOut, 1},
    {"__rshift__", "logic", kOut, 1},
    {"where", "where", kOut, 1},
    {"bucketize", "compare", kOut, 1},
    {"searchsorted", "compare", kOut, 1},
    // Activations.
    {"relu", "relu", kOut, As("relu")},
    {"threshold", "relu", kOut, As("relu")},
    {"threshold_backward", "relu", kOut, 1},
    {"relu6", "relu6", kOut, As("relu6")},
    {"hardtanh", "relu6", kOut, As("relu6")},
    {"hardtanh_backward", "relu6", kOut, 2},
    {"leaky_relu", "leaky_relu", kOut, As("leaky_relu")},
    {"leaky_relu_backward", "leaky_relu", kOut, 2},
    {"rrelu_with_noise", "leaky_relu", kOut, 2},
    {"rrelu_with_noise_backward", "leaky_relu", kOut, 2},
    {"prelu", "leaky_relu", kOut, 2},
    {"prelu_backward", "leaky_relu", kOut, 4},
    {"_prelu_kernel", "leaky_relu", kOut, 2},
    {"_prelu_kernel_backward", "leaky_relu", kOut, 4},
    {"elu", "elu", kOut, As("elu")},
    {"elu_backward", "elu", kOut, 3},
    {"celu", "elu", kOut, 4},
    {"silu", "silu", kOut, As("silu")},
    {"silu_backward", "silu", kOut, 8},
    {"gelu", "gelu", kOut, As("gelu")},
    {"gelu_backward", "gelu", kOut, 14},
    {"sigmoid", "sigmoid", kOut, As("sigmoid")},
    {"sigmoid_backward", "sigmoid", kOut, 3},
    {"tanh", "tanh", kOut, As("tanh")},
    {"tanh_backward", "tanh", kOut, 3},
    {"softplus", "softplus", kOut, As("softplus")},
    {"softplus_backward", "softplus", kOut, 4},
    {"hardswish", "hardswish", kOut, As("hardswish")},
    {"hardswish_backward", "hardswish", kOut, 5},
    {"hardsigmoid", "hardsigmoid", kOut, As("hardsigmoid")},
    {"hardsigmoid_backward", "hardsigmoid", kOut, 3},
    {"mish", "mish", kOut, As("mish")},
    {"mish_backward", "mish", kOut, 10},
    {"hardshrink", "hardshrink", kOut, 2},
    {"hardshrink_backward", "hardshrink", kOut, 2},
    {"softshrink", "softshrink", kOut, 3},
    {"softshrink_backward", "softshrink", kOut, 2},
    {"log_sigmoid_forward", "log_sigmoid", kOut, 4},
    {"log_sigmoid_backward", "log_sigmoid", kOut, 5},
    {"glu", "glu", kOut, 5},
    {"glu_backward", "glu", kOut, 4},
    {"_softmax", "softmax", kOut, As("softmax")},
    {"_softmax_backward_data", "softmax", kOut, 4},
    {"_log_softmax", "log_softmax", kOut, As("log_softmax")},
    {"_log_softmax_backward_data", "log_softmax", kOut, 4},
    {"_masked_softmax", "softmax", kOut, As("softmax")},
    {"_masked_softmax_backward", "softmax", kOut, 4},
    {"native_dropout", "dropout", kOut, As("dropout")},
    {"native_dropout_backward", "dropout", kOut, 2},
    {"_fused_dropout", "dropout", kOut, As("dropout")},
    // Norms, as core/counting/operation_cost.cc counts them: 5 FLOPs an element for mean and variance, and scale and
    // shift.
    {"native_layer_norm", "layer_norm", kNorm, 5},
    {"native_layer_norm_backward", "layer_norm", kOut, 9},
    {"native_batch_norm", "batch_norm", kNorm, 5},
    {"_native_batch_norm_legit", "batch_norm", kNorm, 5},
    {"cudnn_batch_norm", "batch_norm", kNorm, 5},
    {"native_batch_norm_backward", "batch_norm", kOut, 9},
    {"native_group_norm", "group_norm", kNorm, 5},
    {"native_group_norm_backward", "group_norm", kOut, 9},
    {"_weight_norm_interface", "weight_norm", kOut, 3},
    {"_weight_norm_interface_backward", "weight_norm", kOut, 6},
    {"renorm", "renorm", kOut, 3},
    // Reductions.
    {"sum", "sum", kIn, 1},
    {"nansum", "sum", kIn, 1},
    {"mean", "mean", kIn, 1},
    {"prod", "prod", kIn, 1},
    {"var", "var", kIn, 4},
    {"std", "var", kIn, 4},
    {"var_mean", "var", kIn, 4},
    {"std_mean", "var", kIn, 4},
    {"norm", "norm", kIn, 2},
    {"linalg_vector_norm", "norm", kIn, 2},
    {"amax", "max", kIn, 1},
    {"amin", "min", kIn, 1},
    {"aminmax", "max", kIn, 2},
    {"max", "max", kIn, 1},
    {"min", "min", kIn, 1},
    {"argmax", "max", kIn, 1},
    {"argmin", "min", kIn, 1},
    {"logsumexp", "logsumexp", kIn, 4},
    {"cumsum", "cumsum", kOut, 1},
    {"cumprod", "cumprod", kOut, 1},
    {"_cummax_helper", "cummax", kIn, 1},
    {"_cummin_helper", "cummin", kIn, 1},
    {"logcumsumexp", "logsumexp", kOut, 4},
    {"all", "logic", kIn, 1},
    {"any", "logic", kIn, 1},
    {"count_nonzero", "logic", kIn, 1},
    {"median", "sort", kIn, 1},
    {"nanmedian", "sort", kIn, 1},
    {"kthvalue", "sort", kIn, 1},
    {"mode", "sort", kIn, 1},
    {"trace", "sum", kOut, 1},
    // Comparisons of sorting are counted once an element.
    {"sort", "sort", kIn, 1},
    {"argsort", "sort", kIn, 1},
    {"topk", "sort", kIn, 1},
    {"_cdist_forward", "cdist", kOut, 3},
    {"_cdist_backward", "cdist", kOut, 3},
    {"_euclidean_dist", "cdist", kOut, 3},
    {"_pdist_forward", "cdist", kOut, 3},
    // Matrices of n rows (Golub and Van Loan, Matrix Computations): Cholesky n³/3 FLOPs, LU 2n³/3, QR 4n³/3, an inverse 2n³,
    // eigenvalues and vectors 9n³, of no symmetry 25n³, singular ones 22n³; a triangular system n² a column, one by LU 2n².
    {"cholesky", "cholesky", kFactor, 1},
    {"linalg_cholesky_ex", "cholesky", kFactor, 1},
    {"cholesky_inverse", "inverse", kFactor, 2},
    {"linalg_lu_factor_ex", "lu", kFactor, 2},
    {"linalg_lu", "lu", kFactor, 2},
    {"_linalg_det", "lu", kFactor, 2},
    {"_linalg_slogdet", "lu", kFactor, 2},
    {"_linalg_solve_ex", "lu", kFactor, 2},
    {"linalg_lu_solve", "solve", kSolve, 2},
    {"linalg_solve_triangular", "solve", kSolve, 1},
    {"linalg_inv_ex", "inverse", kFactor, 6},
    {"linalg_qr", "qr", kFactor, 4},
    {"_linalg_eigh", "eigen", kFactor, 27},
    {"linalg_eig", "eigen", kFactor, 75},
    {"_linalg_svd", "svd", kFactor, 66},
    // Pooling.
    {"max_pool2d_with_indices", "max_pool", kIn, 1},
    {"max_pool2d_with_indices_backward", "max_pool", kIn, 1},
    {"max_pool3d_with_indices", "max_pool", kIn, 1},
    {"max_pool3d_with_indices_backward", "max_pool", kIn, 1},
    {"adaptive_max_pool2d", "max_pool", kIn, 1},
    {"adaptive_max_pool2d_backward", "max_pool", kIn, 1},
    {"adaptive_max_pool3d", "max_pool", kIn, 1},
    {"adaptive_max_pool3d_backward", "max_pool", kIn, 1},
    {"fractional_max_pool2d", "max_pool", kIn, 1},
    {"fractional_max_pool2d_backward", "max_pool", kIn, 1},
    {"fractional_max_pool3d", "max_pool", kIn, 1},
    {"fractional_max_pool3d_backward", "max_pool", kIn, 1},
    {"avg_pool2d", "avg_pool", kIn, 1},
    {"avg_pool2d_backward", "avg_pool", kOut, 1},
    {"avg_pool3d", "avg_pool", kIn, 1},
    {"avg_pool3d_backward", "avg_pool", kOut, 1},
    {"_adaptive_avg_pool2d", "avg_pool", kIn, 1},
    {"_adaptive_avg_pool2d_backward", "avg_pool", kOut, 1},
    {"_adaptive_avg_pool3d", "avg_pool", kIn, 1},
    {"_adaptive_avg_pool3d_backward", "avg_pool", kOut, 1},
    // Resampling: 1 FLOP for nearest (its index), products and sums of 2, 4, 8 and 16 neighbours.
    {"upsample_nearest1d", "upsample_nearest", kOut, 1},
    {"upsample_nearest1d_backward", "upsample_nearest", kIn, 1},
    {"upsample_nearest2d", "upsample_nearest", kOut, 1},
    {"upsample_nearest2d_backward", "upsample_nearest", kIn, 1},
    {"upsample_nearest3d", "upsample_nearest", kOut, 1},
    {"upsample_nearest3d_backward", "upsample_nearest", kIn, 1},
    {"_upsample_nearest_exact1d", "upsample_nearest", kOut, 1},
    {"_upsample_nearest_exact1d_backward", "upsample_nearest", kIn, 1},
    {"_upsample_nearest_exact2d", "upsample_nearest", kOut, 1},
    {"_upsample_nearest_exact2d_backward", "upsample_nearest", kIn, 1},
    {"_upsample_nearest_exact3d", "upsample_nearest", kOut, 1},
    {"_upsample_nearest_exact3d_backward", "upsample_nearest", kIn, 1},
    {"upsample_linear1d", "upsample_linear", kOut, 3},
    {"upsample_linear1d_backward", "upsample_linear", kIn, 4},
    {"upsample_bilinear2d", "upsample_linear", kOut, 7},
    {"upsample_bilinear2d_backward", "upsample_linear", kIn, 8},
    {"upsample_trilinear3d", "upsample_linear", kOut, 15},
    {"upsample_trilinear3d_backward", "upsample_linear", kIn, 16},
    {"upsample_bicubic2d", "upsample_bicubic", kOut, 31},
    {"upsample_bicubic2d_backward", "upsample_bicubic", kIn, 32},
    {"_upsample_bilinear2d_aa", "upsample_linear", kOut, 7},
    {"_upsample_bilinear2d_aa_backward", "upsample_linear", kIn, 8},
    {"_upsample_bicubic2d_aa", "upsample_bicubic", kOut, 31},
    {"_upsample_bicubic2d_aa_backward", "upsample_bicubic", kIn, 32},
    {"grid_sampler_2d", "grid_sample", kOut, 7},
    {"grid_sampler_2d_backward", "grid_sample", kIn, 16},
    {"grid_sampler_3d", "grid_sample", kOut, 15},
    {"grid_sampler_3d_backward", "grid_sample", kIn, 32},
    {"affine_grid_generator", "affine_grid", kOut, 6},
    {"affine_grid_generator_backward", "affine_grid", kIn, 6},
    {"col2im", "fold", kIn, 1},
    // Scattered additions.
    {"index_add", "index_add", kIn, 1},
    {"scatter_add", "scatter_add", kIn, 1},
    {"scatter_reduce", "scatter_add", kIn, 1},
    {"_segment_reduce", "scatter_add", kIn, 1},
    {"segment_reduce", "scatter_add", kIn, 1},
    {"embedding_dense_backward", "embedding", kIn, 1},
    {"_embedding_bag", "embedding_bag", kOut, 1},
    {"_embedding_bag_forward_only", "embedding_bag", kOut, 1},
    {"_embedding_bag_dense_backward", "embedding_bag", kIn, 1},
    {"bincount", "bincount", kIn, 1},
    // Losses.
    {"nll_loss_forward", "nll_loss", kIn, 1},
    {"nll_loss_backward", "nll_loss", kOut, 1},
    {"nll_loss2d_forward", "nll_loss", kIn, 1},
    {"nll_loss2d_backward", "nll_loss", kOut, 1},
    {"mse_loss", "mse_loss", kIn, 3},
    {"mse_loss_backward", "mse_loss", kOut, 3},
    {"smooth_l1_loss", "smooth_l1_loss", kIn, 5},
    {"smooth_l1_loss_backward", "smooth_l1_loss", kOut, 4},
    {"huber_loss", "smooth_l1_loss", kIn, 5},
    {"huber_loss_backward", "smooth_l1_loss", kOut, 4},
    {"binary_cross_entropy", "binary_cross_entropy", kIn, 7},
    {"binary_cross_entropy_backward", "binary_cross_entropy", kOut, 5},
    {"binary_cross_entropy_with_logits", "binary_cross_entropy", kIn, 8},
    {"soft_margin_loss", "soft_margin_loss", kIn, 5},
    {"soft_margin_loss_backward", "soft_margin_loss", kOut, 5},
    {"multi_margin_loss", "multi_margin_loss", kIn, 3},
    {"multi_margin_loss_backward", "multi_margin_loss", kOut, 3},
    {"multilabel_margin_loss_forward", "multi_margin_loss", kIn, 3},
    {"multilabel_margin_loss_backward", "multi_margin_loss", kOut, 3},
    {"_ctc_loss", "ctc_loss", kIn, 6},
    {"_ctc_loss_backward", "ctc_loss", kIn, 6},
    // Fourier transforms: 5 FLOPs an element, without the logarithm of the length.
    {"_fft_r2c", "fft", kIn, 5},
    {"_fft_c2r", "fft", kOut, 5},
    {"_fft_c2c", "fft", kOut, 5},
    // Recurrent cells' own kernels, beside their matrix products.
    {"_thnn_fused_lstm_cell", "lstm_cell", kIn, 5},
    {"_thnn_fused_lstm_cell_backward_impl", "lstm_cell", kIn, 8},
    {"_thnn_fused_gru_cell", "gru_cell", kIn, 4},
    {"_thnn_fused_gru_cell_backward", "gru_cell", kIn, 6},
};

// Views, copies, shapes, factories and indexing: no arithmetic on elements.
constexpr std::string_view kFree[] = {
    "view", "_unsafe_view", "reshape", "_reshape_alias", "expand", "permute", "transpose", "t", "squeeze", "unsqueeze", "slice",
    "select", "narrow", "split", "split_with_sizes", "chunk", "unbind", "unfold", "alias", "detach", "diagonal", "as_strided",
    "movedim", "swapaxes", "numpy_T", "view_as", "expand_as", "unsafe_split", "unsafe_split_with_sizes", "unsafe_chunk",
    "tensor_split", "hsplit", "vsplit", "squeeze_copy", "lift", "lift_fresh", "lift_fresh_copy", "view_as_real", "view_as_complex",
    "_neg_view", "_conj", "conj", "_conj_physical", "resolve_conj", "resolve_neg", "real", "imag", "_to_copy", "to", "copy",
    "_copy_from", "clone", "contiguous", "cat", "_cat", "stack", "hstack", "vstack", "dstack", "repeat", "tile", "flip", "roll",
    "rot90", "repeat_interleave", "constant_pad_nd", "reflection_pad1d", "reflection_pad2d", "reflection_pad3d",
    "replication_pad1d", "replication_pad2d", "replication_pad3d", "reflection_pad1d_backward", "reflection_pad2d_backward",
    "reflection_pad3d_backward", "replication_pad1d_backward", "replication_pad2d_backward", "replication_pad3d_backward",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "native_channel_shuffle", "im2col", "unfold_backward", "tril", "triu",
    "tril_indices", "triu_indices", "diag", "diag_embed", "block_diag", "select_backward", "slice_backward", "diagonal_backward",
    "index", "index_put", "_index_put_impl", "_unsafe_index", "index_select", "index_fill", "index_copy", "gather", "take",
    "take_along_dim", "scatter", "masked_fill", "masked_scatter", "masked_select", "put", "embedding", "embedding_renorm",
    "one_hot", "nonzero", "_unique2", "unique_dim", "unique_consecutive", "select_scatter", "slice_scatter", "diagonal_scatter",
    "as_strided_scatter", "value_selecting_reduction_backward", "max_unpool2d", "max_unpool3d", "empty", "empty_like",
    "empty_strided", "new_empty", "new_empty_strided", "zeros", "zeros_like", "new_zeros", "ones", "ones_like", "new_ones", "full",
    "full_like", "new_full", "fill", "zero", "arange", "range", "linspace", "logspace", "eye", "scalar_tensor", "rand", "randn",
    "rand_like", "randn_like", "randint", "randint_like", "randperm", "bernoulli", "normal", "uniform", "random", "exponential",
    "multinomial", "poisson", "geometric", "cauchy", "log_normal", "_efficientzerotensor", "set", "resize", "resize_as", "item",
    "_local_scalar_dense", "is_same_size", "equal", "is_nonzero", "size", "stride", "numel", "is_set_to", "complex", "polar",
    "_nested_tensor_from_mask", "_pack_padded_sequence", "_pad_packed_sequence", "_pack_padded_sequence_backward",
    "_shape_as_tensor", "meshgrid", "cartesian_prod", "combinations", "vander", "trapezoid", "_fw_primal", "_make_dual",
    "_unpack_dual", "requires_grad", "rename", "pin_memory", "is_pinned", "_pin_memory", "record_stream", "_assert_async",
    "_has_compatible_shallow_copy_type", "_version", "tensor", "hann_window", "hamming_window", "blackman_window",
    "kaiser_window", "bartlett_window", "_cudnn_init_dropout_state", "sym_size", "sym_numel", "to_padded_tensor", "nested_to_padded_tensor", "_nested_tensor_from_mask_left_aligned", "dense_dim", "fft_fftfreq",
    "_fft_conjugate_symmetry", "_linalg_check_errors", "lu_unpack",
};

struct RuleTable {
  std::unordered_map<std::string_view, OperatorRule> rules;
  RuleTable() {
    for (const OperatorRule& rule : kCounted) rules.emplace(rule.name, rule);
    for (std::string_view name : kFree) rules.emplace(name, OperatorRule{name, name, Basis::kFree, 0});
  }
};

}  // namespace

const OperatorRule* FindOperatorRule(std::string_view name) {
  static const RuleTable& table = *new RuleTable;  // Never destroyed: workers leave without destructors.
  auto found = table.rules.find(name);
  if (found == table.rules.end() && name.size() > 1 && name.back() == '_' && !name.ends_with("__")) {
    found = table.rules.find(name.substr(0, name.size() - 1));
  }
  return found == table.rules.end() ? nullptr : &found->second;
}

base::Checked OtherFlopsOf(const OperatorRule& rule, const OperatorCall& call) {
  switch (rule.basis) {
    case Basis::kFree:
      return 0;
    case Basis::kProduct:
      return BiasFlopsOf(call);
    case Basis::kOutput:
      return call.outputs.empty() ? base::Checked(0) : ElementsOf(call.outputs[0]) * rule.flops_per_element;
    case Basis::kFactor:
    case Basis::kSolve: {
      const bool solve = rule.basis == Basis::kSolve;
      if (call.inputs.empty() || call.inputs[0].sizes.empty() || (solve && call.outputs.empty())) return 0;
      const base::Checked times = ElementsOf(solve ? call.outputs[0] : call.inputs[0]) * call.inputs[0].sizes.back();
      const base::Checked all = times * rule.flops_per_element;
      return solve || all.overflowed() ? all : base::Checked(all.ValueOrZero() / 3);
    }
    case Basis::kNorm: {
      int64_t per_element = rule.flops_per_element;
      for (size_t i = 1; i <= 2 && i < call.inputs.size(); ++i) per_element += call.inputs[i].defined ? 1 : 0;
      return call.outputs.empty() ? base::Checked(0) : ElementsOf(call.outputs[0]) * per_element;
    }
    case Basis::kInput:
      for (const TensorShape& input : call.inputs) {
        if (input.defined) return ElementsOf(input) * rule.flops_per_element;
      }
      return 0;
  }
  return 0;
}

}  // namespace planner::libtorch
