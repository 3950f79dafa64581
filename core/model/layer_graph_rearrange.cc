#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/model/layer_graph_leaf.h"

namespace planner::model {
namespace {

/// A layer that only moves data.
Expansion Rearranged(std::string_view kind, Shape output) { return {Leaf(kind, Container{}), std::move(output)}; }

}  // namespace

absl::StatusOr<Expansion> ExpandFlatten(const graph::Flatten& flatten, const Shape& input) {
  ASSIGN_OR_RETURN(const int64_t start, DimensionOf(flatten.start, input.size()));
  ASSIGN_OR_RETURN(const int64_t end, DimensionOf(flatten.end, input.size()));
  if (start > end) {
    return Mismatch(absl::StrCat("expects its first dimension before its last: start=", start, " end=", end));
  }
  Shape output(input.begin(), input.begin() + start);
  ASSIGN_OR_RETURN(const int64_t joined, ElementsOf(Shape(input.begin() + start, input.begin() + end + 1)));
  output.push_back(joined);
  output.insert(output.end(), input.begin() + end + 1, input.end());
  return Rearranged("Flatten", std::move(output));
}

absl::StatusOr<Expansion> ExpandReshape(const graph::Reshape& reshape, const Shape& input) {
  if (reshape.shape.empty()) return base::InvalidField("shape", "is required");
  ASSIGN_OR_RETURN(Shape output, ReshapeTo(input, reshape.shape));
  return Rearranged("Reshape", std::move(output));
}

absl::StatusOr<Expansion> ExpandPermute(const graph::Permute& permute, const Shape& input) {
  if (permute.dimensions.size() != input.size()) {
    return Mismatch(absl::StrCat("expects as many dimensions as it permutes: permuted=", permute.dimensions.size(),
                                 " shape=", ShapeText(input)));
  }
  Shape output;
  std::vector<bool> taken(input.size());
  for (const int64_t dimension : permute.dimensions) {
    ASSIGN_OR_RETURN(const int64_t from, DimensionOf(dimension, input.size()));
    const auto index = static_cast<size_t>(from);
    if (taken[index]) return base::InvalidField("dimensions", absl::StrCat("must differ: dimension=", dimension));
    taken[index] = true;
    output.push_back(input[index]);
  }
  return Rearranged("Permute", std::move(output));
}

absl::StatusOr<Expansion> ExpandConcat(const graph::Concat& concat, const std::vector<Shape>& inputs) {
  const Shape& input = inputs.front();
  ASSIGN_OR_RETURN(const int64_t dimension, DimensionOf(concat.dimension, input.size()));
  const auto joined = static_cast<size_t>(dimension);
  Shape output = input;
  for (size_t i = 1; i < inputs.size(); ++i) {
    Shape rest = inputs[i];
    if (rest.size() == input.size()) rest[joined] = input[joined];
    if (rest != input) {
      return Mismatch(absl::StrCat("expects inputs that differ only in dimension ", dimension, ": ", ShapeText(input),
                                   " and ", ShapeText(inputs[i])));
    }
    output[joined] += inputs[i][joined];
    RETURN_IF_ERROR(ElementsOf(output).status());
  }
  return Rearranged("Concat", std::move(output));
}

absl::StatusOr<Expansion> ExpandSelect(const graph::Select& select, const Shape& input) {
  ASSIGN_OR_RETURN(const int64_t dimension, DimensionOf(select.dimension, input.size()));
  const int64_t size = input[static_cast<size_t>(dimension)];
  if (select.index < -size || select.index >= size) {
    return Mismatch(
        absl::StrCat("selects a position that its input does not have: index=", select.index, " size=", size));
  }
  Shape output = input;
  output.erase(output.begin() + dimension);
  return Rearranged("Select", std::move(output));
}

absl::StatusOr<Expansion> ExpandSlice(const graph::Slice& slice, const Shape& input) {
  ASSIGN_OR_RETURN(const int64_t dimension, DimensionOf(slice.dimension, input.size()));
  Shape output = input;
  int64_t& size = output[static_cast<size_t>(dimension)];
  const int64_t start = slice.start < 0 ? slice.start + size : slice.start;
  const int64_t end = slice.end <= 0 ? slice.end + size : slice.end;
  if (start < 0 || start >= end || end > size) {
    return Mismatch(absl::StrCat("takes positions that its input does not have: start=", slice.start,
                                 " end=", slice.end, " size=", size));
  }
  size = end - start;
  return Rearranged("Slice", std::move(output));
}

// The identity: kernels fuse its mask, and inference does not have it.
absl::StatusOr<Expansion> ExpandDropout(const graph::Dropout&, const Shape& input) {
  return Rearranged("Dropout", input);
}

}  // namespace planner::model
