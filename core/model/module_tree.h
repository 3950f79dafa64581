#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "core/model/module.h"

namespace planner::model {

/// Products of sizes that remember whether one of them did not fit 64 bits, so that an expansion
/// asks once, at its end. A product that did not fit reads as 1.
class CheckedSizes {
 public:
  int64_t Product(std::initializer_list<int64_t> factors);
  int64_t Sum(std::initializer_list<int64_t> terms);
  /// OUT_OF_RANGE if any result so far did not fit.
  absl::Status status() const;

 private:
  bool overflowed_ = false;
};

/// Leaves of the tree, without a name: AddModule gives it.
Module LinearModule(int64_t rows, int64_t in_features, int64_t out_features, bool bias);
Module EmbeddingModule(int64_t rows, int64_t entries, int64_t width);
Module ElementwiseModule(std::string_view kind, int64_t elements);
/// `embedding`: not among the non-embedding parameters.
Module ParameterModule(std::string_view kind, int64_t elements, bool embedding = false);

/// A norm's sort, as a family uses it everywhere.
struct NormStyle {
  NormKind kind = NormKind::kRmsNorm;
  bool scale = true;
  bool shift = false;
};
inline constexpr NormStyle kRmsNorm{NormKind::kRmsNorm, true, false};
inline constexpr NormStyle kLayerNorm{NormKind::kLayerNorm, true, true};
inline constexpr NormStyle kLayerNormWithoutShift{NormKind::kLayerNorm, true, false};
inline constexpr NormStyle kBareLayerNorm{NormKind::kLayerNorm, false, false};

Module NormModule(const NormStyle& style, int64_t elements, int64_t width);

/// Hangs `module` below `parent` at a dotted path, "self_attn.q_proj", making the containers on the
/// way that do not exist yet. Returns the place of the
/// module, valid until `parent`'s tree changes again.
Module& AddModule(Module& parent, std::string_view path, Module module);

/// "model" and "norm" -> "model.norm"; an empty prefix adds nothing.
std::string Joined(std::string_view prefix, std::string_view path);

}  // namespace planner::model
