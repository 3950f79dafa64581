#include "clients/plannerctl/input_shape.h"

#include "clients/plannerctl/numbers.h"
#include "fmt/format.h"

namespace planner::plannerctl {

absl::StatusOr<v1::TensorShape> ParseInputShape(std::string_view text) {
  const auto invalid = [text] {
    return absl::InvalidArgumentError(
        fmt::format("is not a shape: value=\"{}\"; write 1x3x224x224 or 8x128:int64, the batch first", text));
  };
  v1::TensorShape shape;
  const size_t colon = text.find(':');
  if (colon != std::string_view::npos) {
    shape.set_dtype(std::string(text.substr(colon + 1)));
    if (shape.dtype().empty()) return invalid();
  }
  std::string_view sizes = text.substr(0, colon);
  while (true) {
    const size_t cross = sizes.find('x');
    const auto size = ParseInteger(sizes.substr(0, cross));
    if (!size.ok()) return invalid();
    shape.add_dimensions(*size);
    if (cross == std::string_view::npos) return shape;
    sizes.remove_prefix(cross + 1);
  }
}

}  // namespace planner::plannerctl
