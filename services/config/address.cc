#include "services/config/address.h"

#include <charconv>

#include "core/base/error.h"
#include "fmt/format.h"

namespace planner::config {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr size_t kMaxUnixPath = 107;  // What sockaddr_un holds, without its final NUL.

}  // namespace

absl::StatusOr<Address> ParseAddress(std::string_view field, std::string_view text) {
  const auto wrong = [&](std::string_view why) {
    return base::InvalidField(field, fmt::format("must be HOST:PORT or unix:PATH, but {}: address=\"{}\"", why, text));
  };
  Address address;
  if (text.starts_with(kUnix)) {
    address.unix_path = text.substr(kUnix.size());
    if (address.unix_path.empty()) return wrong("the path is empty");
    if (address.unix_path.size() > kMaxUnixPath) return wrong("the path is longer than 107 bytes");
    return address;
  }
  const size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return wrong("it has no port");
  address.host = text.substr(0, colon);
  if (address.host.empty()) return wrong("it has no host");
  const bool bracketed = address.host.front() == '[' && address.host.back() == ']';
  if (!bracketed && address.host.find(':') != std::string::npos) return wrong("an IPv6 host needs brackets");
  const std::string_view port = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), address.port);
  if (error != std::errc() || end != port.data() + port.size() || address.port < 0 || address.port > 65535) {
    return wrong("the port is not 0 to 65535");
  }
  return address;
}

std::string ToString(const Address& address) {
  return address.unix_path.empty() ? fmt::format("{}:{}", address.host, address.port)
                                   : std::string(kUnix) + address.unix_path;
}

}  // namespace planner::config
