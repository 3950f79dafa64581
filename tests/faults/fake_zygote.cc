#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

#include "plugins/libtorch/worker/zygote.h"

// A zygote whose engine does what the request's first input is named after, as a hostile model would.

namespace {

using planner::plugin::v1::CountRequest;
using planner::plugin::v1::CountResponse;

/// "ok" where a call has succeeded, else the name of its error.
std::string Result(long result) { return result >= 0 ? "ok" : strerrorname_np(errno); }

int TcpConnect() {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(9);
  const int descriptor = socket(AF_INET, SOCK_STREAM, 0);
  return descriptor < 0 ? descriptor : connect(descriptor, reinterpret_cast<const sockaddr*>(&address), sizeof(address));
}

/// Memory that the compiler may not leave out.
void Touch(char* bytes, size_t size) {
  for (size_t i = 0; i < size; i += 4096) static_cast<volatile char*>(bytes)[i] = 1;
}

/// Calls that must fail or kill: "open /etc/passwd" → "EPERM".
std::string Try(const std::string& what) {
  if (what == "open") return Result(open("/etc/passwd", O_RDONLY));
  if (what == "create") return Result(open("pwned", O_WRONLY | O_CREAT, 0600));
  if (what == "proc") return Result(open("/proc/self/maps", O_RDONLY));
  if (what == "stat") return Result(access("/etc/passwd", F_OK));
  if (what == "unlink") return Result(unlink("/tmp/pwned"));
  if (what == "connect") return Result(TcpConnect());
  if (what == "fork") return Result(fork());
  if (what == "exec") return Result(execl("/bin/true", "true", nullptr));
  if (what == "ptrace") return Result(ptrace(PTRACE_ATTACH, getppid(), nullptr, nullptr));
  if (what == "kill_parent") return Result(kill(getppid(), SIGKILL));
  if (what == "setuid") return Result(setuid(0));
  if (what == "raise_limit") {
    const rlimit none = {RLIM_INFINITY, RLIM_INFINITY};
    return Result(setrlimit(RLIMIT_AS, &none));
  }
  if (what == "uid") return std::to_string(getuid());
  if (what == "descriptors") {
    int open_ones = 0;
    for (int i = 0; i < 1024; ++i) open_ones += fcntl(i, F_GETFL) >= 0 ? 1 : 0;
    return std::to_string(open_ones);
  }
  if (what == "threads") {
    std::atomic<int> done = 0;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&done] { ++done; });
    for (std::thread& thread : threads) thread.join();
    return std::to_string(done);
  }
  return "";
}

CountResponse Answer(const std::string& text) {
  CountResponse response;
  response.mutable_count()->mutable_count()->set_parameter_count(16);
  response.mutable_count()->mutable_count()->set_model(text);
  return response;
}

CountResponse Count(int model, const CountRequest& request) {
  const std::string what = request.batch_shape().inputs_size() > 0 ? request.batch_shape().inputs(0).name() : "";
  if (const std::string tried = Try(what); !tried.empty()) return Answer(tried);
  if (what == "segv") raise(SIGSEGV);
  if (what == "fpe") raise(SIGFPE);
  if (what == "abort") std::abort();
  if (what == "overflow") {
    // Deeper than any stack, by a function that cannot become a loop.
    struct Deep {
      static int Down(int depth, int last) {
        volatile char frame[4096];
        frame[depth % 4096] = 1;
        return depth < last ? Down(depth + 1, last) + frame[0] : 0;
      }
    };
    return Answer(std::to_string(Deep::Down(0, request.batch_shape().inputs_size() * 1'000'000)));
  }
  if (what == "hang") {
    for (volatile bool on = true; on;) {
    }
  }
  // Waits without using the processor: only the deadline ends it.
  if (what == "wait") {
    std::atomic<int> never = 0;
    never.wait(0);
  }
  if (what == "allocate") {
    for (std::vector<char*> blocks;; blocks.push_back(new char[16 << 20])) {
      if (!blocks.empty()) Touch(blocks.back(), 16 << 20);
    }
  }
  if (what == "allocate_and_crash") {
    try {
      while (true) Touch(new char[16 << 20], 16 << 20);
    } catch (const std::bad_alloc&) {
      std::abort();
    }
  }
  if (what == "flood") {
    const std::string line(1000, 'x');
    for (int i = 0; i < 100'000; ++i) std::cout << line << std::endl;
    for (int i = 0; i < 10'000; ++i) std::cerr << line << std::endl;
    return Answer("flooded");
  }
  if (what == "huge") return Answer(std::string(100 << 20, 'x'));
  if (what == "garbage" || what == "huge_garbage") {
    const std::string garbage(what == "garbage" ? 1000 : 100 << 20, '\xff');
    for (int i = 3; i < 16; ++i) {
      for (size_t done = 0; done < garbage.size();) {
        const ssize_t count = write(i, garbage.data() + done, garbage.size() - done);
        if (count <= 0) break;
        done += static_cast<size_t>(count);
      }
    }
    _exit(0);
  }
  if (what == "exit") _exit(0);
  if (what == "exit_3") _exit(3);
  if (what == "throw") throw std::runtime_error("thrown past the engine");
  char first = 0;
  return Answer(pread(model, &first, 1, 0) == 1 ? "counted" : "the model cannot be read");
}

}  // namespace

int main(int argc, char** argv) {
  return planner::libtorch::RunZygote(STDIN_FILENO, argc > 1 ? std::atoi(argv[1]) : 1, {[] {}, &Count});
}
