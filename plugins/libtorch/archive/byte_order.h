#pragma once

#include <cstdint>
#include <cstring>

namespace planner::libtorch {

/// Reads a little-endian integer; the caller has checked that its bytes are there.
template <typename Integer>
Integer LittleEndian(const char* bytes) {
  static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "swap the bytes here");
  Integer value = 0;
  std::memcpy(&value, bytes, sizeof(value));
  return value;
}

}  // namespace planner::libtorch
