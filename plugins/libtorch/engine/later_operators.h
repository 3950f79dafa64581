#pragma once

namespace planner::libtorch {

/// Makes known what files of later PyTorch use and libtorch 1.13 does not have: scaled_dot_product_attention and rms_norm, by
/// their parts, so that they are counted and differentiated like those. With libtorch 2 the former replaces its own on shapes.
void UseLaterOperators();

/// Whether the products that run are those of a causal attention, half of which is masked.
bool InCausalAttention();

}  // namespace planner::libtorch
