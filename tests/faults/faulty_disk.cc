// Preloaded into a program, it makes the writes to the files of one folder fail for as long as a control file says so: a file system that the
// kernel has made read-only under a running daemon, a disk that does not work or has no room. It needs no privileges. The environment
// names the folder (PLANNER_FAULTY_FOLDER) and the control file (PLANNER_FAULT), which holds the number of an errno.

#include <dlfcn.h>
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace {

template <typename Function>
Function* Next(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

/// The errno that the control file asks for; 0: none.
int Fault() {
  const char* path = std::getenv("PLANNER_FAULT");
  if (path == nullptr) return 0;
  const int control = open(path, O_RDONLY | O_CLOEXEC);
  if (control < 0) return 0;
  char text[16] = {};
  const ssize_t count = read(control, text, sizeof(text) - 1);
  close(control);
  return count > 0 ? std::atoi(text) : 0;
}

/// Whether a change of the file must fail; errno says how.
bool Fails(int file) {
  const char* folder = std::getenv("PLANNER_FAULTY_FOLDER");
  if (folder == nullptr) return false;
  const int before = errno;
  char link[64];
  std::snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
  char path[4096] = {};
  const bool is_there = readlink(link, path, sizeof(path) - 1) > 0 && std::strncmp(path, folder, std::strlen(folder)) == 0;
  const int fault = is_there ? Fault() : 0;
  errno = fault != 0 ? fault : before;
  return fault != 0;
}

}  // namespace

extern "C" {

ssize_t write(int file, const void* data, size_t size) {
  static auto* const next = Next<ssize_t(int, const void*, size_t)>("write");
  return Fails(file) ? -1 : next(file, data, size);
}

ssize_t pwrite(int file, const void* data, size_t size, off_t at) {
  static auto* const next = Next<ssize_t(int, const void*, size_t, off_t)>("pwrite");
  return Fails(file) ? -1 : next(file, data, size, at);
}

ssize_t pwrite64(int file, const void* data, size_t size, off64_t at) {
  static auto* const next = Next<ssize_t(int, const void*, size_t, off64_t)>("pwrite64");
  return Fails(file) ? -1 : next(file, data, size, at);
}

int ftruncate(int file, off_t size) noexcept {
  static auto* const next = Next<int(int, off_t)>("ftruncate");
  return Fails(file) ? -1 : next(file, size);
}

int ftruncate64(int file, off64_t size) noexcept {
  static auto* const next = Next<int(int, off64_t)>("ftruncate64");
  return Fails(file) ? -1 : next(file, size);
}

int fdatasync(int file) {
  static auto* const next = Next<int(int)>("fdatasync");
  return Fails(file) ? -1 : next(file);
}

int fsync(int file) {
  static auto* const next = Next<int(int)>("fsync");
  return Fails(file) ? -1 : next(file);
}

}  // extern "C"
