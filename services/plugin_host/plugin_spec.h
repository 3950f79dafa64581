#pragma once

#include <map>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace planner::plugin_host {

/// Where a counter plugin is, and what is asked of it.
struct PluginSpec {
  std::string name;     ///< The counter's name in requests and answers, "libtorch".
  std::string program;  ///< Path of a program to start; empty: the plugin runs at `address`.
  std::vector<std::string> arguments;
  std::map<std::string, std::string> variables;  ///< Added to the few of the environment that a plugin sees.
  std::string address;                           ///< "host:port".
  std::string ca_file, certificate_file, key_file;  ///< PEM, for mutual TLS with `address`. Empty: plain text, loopback alone.
  bool require_all_measures = false;  ///< It is not used unless all of its protective measures are in force.
};

/// How patient the host is. Times of the operating system, not of the injected clock.
struct HostOptions {
  absl::Duration start_timeout = absl::Seconds(10);  ///< For the handshake, and again for GetInfo and health.
  absl::Duration grace = absl::Seconds(1);           ///< After a count's deadline, before the plugin is ended.
  absl::Duration stop_patience = absl::Seconds(2);   ///< From SIGTERM to SIGKILL.
  int max_answer_bytes = 32 << 20;                   ///< Of one answer; a larger one costs that call.
  int crashes_to_stay_down = 5;                      ///< Within crash_window.
  absl::Duration crash_window = absl::Hours(1);
  int crashes_to_refuse_model = 2;                   ///< That one model has caused.
};

}  // namespace planner::plugin_host
