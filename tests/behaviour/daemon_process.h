#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

namespace planner::behaviour {

/// A spawned plannerd, ended with the object.
class DaemonProcess {
 public:
  /// Starts it with the flags and reads its standard error up to the line of event=ready or to its end.
  explicit DaemonProcess(const std::vector<std::string>& flags);
  /// Kills it if it still runs.
  ~DaemonProcess();
  DaemonProcess(const DaemonProcess&) = delete;
  DaemonProcess& operator=(const DaemonProcess&) = delete;

  bool ready() const { return ready_; }
  pid_t pid() const { return pid_; }
  /// Of the line `event=listening service=… address=…`, in the order of the lines.
  std::vector<std::string> Addresses(const std::string& service) const;
  /// Everything on standard output and error so far.
  const std::string& output() const { return output_; }

  /// Sends SIGTERM.
  void Terminate() const;
  /// Reads the output to its end and gives the exit code, or minus the signal that ended it.
  int Wait();

 private:
  /// One more read of the output; whether there was any.
  bool Read();

  pid_t pid_ = -1;
  int output_fd_ = -1;
  bool ready_ = false;
  std::string output_;
};

/// GET of a path over HTTP/1.0; the answer with its headers. Empty: no answer.
std::string HttpGet(const std::string& address, const std::string& path);

}  // namespace planner::behaviour
