#pragma once

#include <string>

#include "absl/status/statusor.h"

namespace planner::plugin {

/// How a plugin serves hosts elsewhere. Empty: not given.
struct ListenFlags {
  std::string listen;  ///< HOST:PORT; empty: the plugin is started by its host.
  std::string ca_file;
  std::string certificate_file;
  std::string key_file;
};

/// `--listen HOST:PORT --ca_file F --certificate_file F --key_file F`, also with "=" and with "-" for "_". INVALID_ARGUMENT, with a
/// sentence: another argument, only some of the three files, or plain text on an address that is not loopback.
absl::StatusOr<ListenFlags> ParseListenFlags(int argc, const char* const* argv);

/// Whether HOST of HOST:PORT is this machine's loopback: localhost, 127.0.0.0/8, [::1].
bool IsLoopback(const std::string& address);

}  // namespace planner::plugin
