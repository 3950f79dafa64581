#pragma once

namespace planner::libtorch {

/// Has the whole program, libtorch included, search source text quickly. Torch 1.13's compiler copies the text of a file and looks
/// for its lines for each variable that only one branch of an if defines, in case that an error names it later: 635 times in
/// `multi_head_attention_forward`, half of the time of a count of nn.TransformerEncoderLayer. Its search goes through several layers for each
/// character; the one that stands in for it (by the rules of ELF, as libtorch calls it by its exported name) finds the same with
/// memchr. Does nothing but keep the linker from leaving it out; 2.6 searches quickly itself.
void UseQuickTextSearch();

}  // namespace planner::libtorch
