#pragma once

#include <string>
#include <string_view>

namespace planner::libtorch {

/// Torch's own sentence of an exception's text, without the interpreter's traceback and C++ frames:
/// "…Traceback of TorchScript…\nRuntimeError: mat1 and mat2 shapes cannot be multiplied (1x3 and 4x5)\n" is its last sentence.
std::string ErrorText(std::string_view what);

/// `text` with bytes that are no UTF-8 replaced by '?', as protobuf strings must be UTF-8.
std::string ValidText(std::string_view text);

}  // namespace planner::libtorch
