#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace planner::slurm {

/// Names and values in their order; a name may be there more than once.
using Fields = std::vector<std::pair<std::string, std::string>>;

/// The largest message that is read or written.
inline constexpr size_t kMaxMessageBytes = size_t{64} << 10;

/// First and last line of a message. A reader that does not find them has no message, however much it looks like one.
inline constexpr std::string_view kFirstLine = "planner-slurm 1";
inline constexpr std::string_view kLastLine = "end";

/// A message that a scheduler's Lua reads without a parser that could fail: lines "name=value" between kFirstLine and kLastLine. In values
/// all but letters, digits and "-_.:/,=" is "%" and two hexadecimal digits, so that no value can break out of its line.
/// Encode({{"action", "leave"}, {"message", "a b"}}) is "planner-slurm 1\naction=leave\nmessage=a%20b\nend\n".
std::string Encode(const Fields& fields);

/// The fields of a message. INVALID_ARGUMENT for what is none: a wrong first or last line, a line without "=", a name that is not of
/// letters, digits, "_", "-" and ".", an escape that is none, more than kMaxMessageBytes.
absl::StatusOr<Fields> Decode(std::string_view text);

/// The value of the first field of that name; empty: there is none.
std::string_view ValueOf(const Fields& fields, std::string_view name);

}  // namespace planner::slurm
