#pragma once

namespace planner::libtorch {

/// Has torch 1.13 compile a model's code in half the time. A program's own functions stand in for those of its libraries that have
/// the same exported name (the rules of ELF); three of libtorch's do here, of which the third is most of the time of nn.TransformerEncoderLayer:
/// - runNooptPassPipeline, which searches each function for dead code when it is first called: a model runs once here.
/// - runCleanupPasses, which tidies a function's graph when it is compiled, for Python's readers and for what runs often. What changes
///   meaning, closures, is still done.
/// - StringCordView::find, by which the compiler looks for the lines of a copy of a file's text for each variable that only one branch of an
///   if defines, in case that an error names it later: 635 times in `multi_head_attention_forward`. Torch's goes through
///   several layers for each character; this one finds the same with memchr.
/// Where a libtorch is linked so that its own are called, all is as right, and slower. Nothing of this is for 2.6, which differs inside.
/// The function itself does nothing: calling it keeps the linker from leaving the others out.
void UseQuickCompiler();

}  // namespace planner::libtorch
