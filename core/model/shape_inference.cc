#include "core/model/shape_inference.h"

#include <algorithm>
#include <cstddef>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "core/base/checked.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"

namespace planner::model {
namespace {

int64_t FloorDivide(int64_t a, int64_t b) { return a >= 0 ? a / b : -((-a + b - 1) / b); }

std::string WindowText(int64_t in, const Window& window) {
  return absl::StrCat("size=", in, " kernel=", window.kernel, " stride=", window.stride, " padding=", window.padding,
                      " dilation=", window.dilation);
}

absl::StatusOr<int64_t> WindowPositions(int64_t in, const Window& window, int64_t round_up) {
  const base::Checked room =
      base::Checked(in) + base::Checked(window.padding) * 2 - base::Checked(window.dilation) * (window.kernel - 1) - 1;
  if (room.overflowed()) return Mismatch(absl::StrCat("has a window that is too large: ", WindowText(in, window)));
  const int64_t positions = FloorDivide(room.ValueOrZero() + round_up, window.stride) + 1;
  if (positions < 1) {
    return Mismatch(absl::StrCat("expects a padded input at least as large as its window: ", WindowText(in, window)));
  }
  return positions;
}

}  // namespace

absl::Status Mismatch(std::string_view message) { return base::InvalidField("", message, "SHAPE_MISMATCH"); }

std::string ShapeText(const Shape& shape) { return shape.empty() ? "scalar" : absl::StrJoin(shape, "x"); }

absl::StatusOr<int64_t> ElementsOf(const Shape& shape) {
  base::Checked elements = 1;
  for (const int64_t size : shape) elements *= size;
  if (elements.overflowed() || elements.ValueOrZero() > kMaxTensorElements) {
    return Mismatch(absl::StrCat("makes a tensor of more than 2^60 elements: shape=", ShapeText(shape)));
  }
  return elements.ValueOrZero();
}

absl::StatusOr<int64_t> DimensionOf(int64_t dimension, size_t rank) {
  const auto dimensions = static_cast<int64_t>(rank);
  if (dimension < -dimensions || dimension >= dimensions) {
    return Mismatch(absl::StrCat("has no such dimension in its input: dimension=", dimension, " dimensions=", rank));
  }
  return dimension < 0 ? dimension + dimensions : dimension;
}

absl::StatusOr<int64_t> ConvolutionSize(int64_t in, const Window& window) { return WindowPositions(in, window, 0); }

absl::StatusOr<int64_t> PoolSize(int64_t in, const Window& window, bool ceil_mode) {
  ASSIGN_OR_RETURN(int64_t size, WindowPositions(in, window, ceil_mode ? window.stride - 1 : 0));
  if (ceil_mode && (size - 1) * window.stride >= in + window.padding) --size;
  return size;
}

absl::StatusOr<int64_t> TransposedSize(int64_t in, const Window& window) {
  const base::Checked size = base::Checked(in - 1) * window.stride - base::Checked(window.padding) * 2 +
                             base::Checked(window.dilation) * (window.kernel - 1) + window.output_padding + 1;
  if (size.overflowed() || size.ValueOrZero() < 1) {
    return Mismatch(absl::StrCat("has an output without a valid size: ", WindowText(in, window),
                                 " output_padding=", window.output_padding));
  }
  return size.ValueOrZero();
}

absl::StatusOr<Shape> Broadcast(const std::vector<Shape>& shapes) {
  size_t rank = 0;
  for (const Shape& shape : shapes) rank = std::max(rank, shape.size());
  Shape result(rank, 1);
  for (const Shape& shape : shapes) {
    const size_t offset = rank - shape.size();
    for (size_t i = 0; i < shape.size(); ++i) {
      int64_t& size = result[offset + i];
      if (shape[i] != 1 && size != 1 && shape[i] != size) {
        return Mismatch(absl::StrCat("expects inputs that broadcast: ",
                                     absl::StrJoin(shapes, " and ", [](std::string* out, const Shape& each) {
                                       absl::StrAppend(out, ShapeText(each));
                                     })));
      }
      size = std::max(size, shape[i]);
    }
  }
  return result;
}

absl::StatusOr<Shape> ReshapeTo(const Shape& input, const std::vector<int64_t>& target) {
  ASSIGN_OR_RETURN(const int64_t elements, ElementsOf(input));
  Shape result = target;
  size_t inferred = target.size();
  base::Checked known = 1;
  for (size_t i = 0; i < target.size(); ++i) {
    if (target[i] == -1 && inferred == target.size()) {
      inferred = i;
      continue;
    }
    if (target[i] == 0 && i < input.size()) result[i] = input[i];
    if (result[i] < 1) {
      return Mismatch(
          absl::StrCat("expects positive sizes, 0 for a dimension of the input, or one -1: shape=", ShapeText(target)));
    }
    known *= result[i];
  }
  const bool fits = !known.overflowed() &&
                    (inferred == target.size() ? known.ValueOrZero() == elements : elements % known.ValueOrZero() == 0);
  if (!fits) {
    return Mismatch(
        absl::StrCat("expects an input that fits the new shape: shape=", ShapeText(input), " new=", ShapeText(target)));
  }
  if (inferred < target.size()) result[inferred] = elements / known.ValueOrZero();
  return result;
}

}  // namespace planner::model
