#pragma once

namespace planner::libtorch {

/// Has torch 1.13 note where an error would be without copying the text that it would be in. Its compiler does so for each
/// variable that only one branch of an if defines, in case that it is used later: 635 times in nn.TransformerEncoderLayer, a third of the time of its
/// count. A text outlives its errors here: it belongs to its source, which they share. As in quick_compiler.h these are functions of
/// ours by the names of libtorch's, all of torch::jit::ErrorReport, and their errors read the same. For 1.13 only.
/// The function itself does nothing: calling it keeps the linker from leaving the others out.
void UseErrorReportsWithoutCopies();

}  // namespace planner::libtorch
