#include "plugins/sdk/listen_flags.h"

#include <algorithm>
#include <map>

#include "fmt/format.h"

namespace planner::plugin {

bool IsLoopback(const std::string& address) {
  const std::string host = address.substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" ||
         (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string::npos);
}

absl::StatusOr<ListenFlags> ParseListenFlags(int argc, const char* const* argv) {
  ListenFlags flags;
  const std::map<std::string, std::string*> known = {{"--listen", &flags.listen},
                                                     {"--ca_file", &flags.ca_file},
                                                     {"--certificate_file", &flags.certificate_file},
                                                     {"--key_file", &flags.key_file}};
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    const size_t equals = argument.find('=');
    std::string name = argument.substr(0, equals);
    if (name.size() > 2) std::replace(name.begin() + 2, name.end(), '-', '_');
    const auto found = known.find(name);
    if (found == known.end()) {
      return absl::InvalidArgumentError(
          fmt::format("\"{}\" is no argument here; there are --listen HOST:PORT, --ca_file, --certificate_file, --key_file", argument));
    }
    if (equals == std::string::npos && i + 1 == argc) return absl::InvalidArgumentError(name + " needs a value");
    *found->second = equals == std::string::npos ? argv[++i] : argument.substr(equals + 1);
  }
  const bool any = !flags.ca_file.empty() || !flags.certificate_file.empty() || !flags.key_file.empty();
  const bool all = !flags.ca_file.empty() && !flags.certificate_file.empty() && !flags.key_file.empty();
  if (any && flags.listen.empty()) return absl::InvalidArgumentError("certificates are for --listen HOST:PORT");
  if (any != all) return absl::InvalidArgumentError("--ca_file, --certificate_file and --key_file go together");
  if (!flags.listen.empty() && flags.listen.find(':') == std::string::npos) {
    return absl::InvalidArgumentError(fmt::format("--listen: must be HOST:PORT: address=\"{}\"", flags.listen));
  }
  if (!flags.listen.empty() && !all && !IsLoopback(flags.listen)) {
    return absl::InvalidArgumentError(fmt::format(
        "--listen: plain text is for loopback alone; give --ca_file, --certificate_file and --key_file: address={}", flags.listen));
  }
  return flags;
}

}  // namespace planner::plugin
