#include "clients/plannerctl/input_shape.h"

#include "clients/plannerctl/numbers.h"
#include "fmt/format.h"

namespace planner::plannerctl {

absl::StatusOr<v1::TensorShape> ParseInputShape(std::string_view text) {
  const auto invalid = [text] {
    return absl::InvalidArgumentError(
        fmt::format("is not a shape: value=\"{}\"; write 1x3x224x224, 8x128:int64 or input_ids=8x128:int64, the batch first", text));
  };
  v1::TensorShape shape;
  std::string_view rest = text;
  if (const size_t equals = rest.find('='); equals != std::string_view::npos) {
    shape.set_name(std::string(rest.substr(0, equals)));
    if (shape.name().empty()) return invalid();
    rest.remove_prefix(equals + 1);
  }
  const size_t colon = rest.find(':');
  if (colon != std::string_view::npos) {
    shape.set_dtype(std::string(rest.substr(colon + 1)));
    if (shape.dtype().empty()) return invalid();
  }
  std::string_view sizes = rest.substr(0, colon);
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
