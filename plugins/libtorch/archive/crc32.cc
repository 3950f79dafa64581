#include "plugins/libtorch/archive/crc32.h"

#include <zlib.h>

#include <algorithm>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace planner::libtorch {
namespace {

uint32_t TableCrc32(uint32_t crc, const char* bytes, size_t size) {
  return static_cast<uint32_t>(crc32_z(crc, reinterpret_cast<const Bytef*>(bytes), size));
}

#if defined(__x86_64__)

/// Shifts a 128-bit remainder over the distance that `k` encodes (two powers of x modulo the polynomial) and adds `next`.
__attribute__((target("pclmul,sse4.1"))) inline __m128i Fold(__m128i remainder, __m128i k, __m128i next) {
  const __m128i low = _mm_clmulepi64_si128(remainder, k, 0x00);
  const __m128i high = _mm_clmulepi64_si128(remainder, k, 0x11);
  return _mm_xor_si128(_mm_xor_si128(low, high), next);
}

/// Folding after Gopal et al., "Fast CRC Computation for Generic Polynomials Using PCLMULQDQ Instruction" (Intel, 2009), with
/// its constants for the reflected polynomial: x^(4*128+32), x^(4*128-32), x^(128+32), x^(128-32) modulo P. What is left after
/// the last fold is 16 bytes whose CRC is that of everything before them, so the table finishes.
/// `size` is a multiple of 64, at least 64.
__attribute__((target("pclmul,sse4.1"))) uint32_t FoldedCrc32(uint32_t crc, const char* bytes, size_t size) {
  const __m128i by_four = _mm_set_epi64x(0x01c6e41596, 0x0154442bd4);
  const __m128i by_one = _mm_set_epi64x(0x00ccaa009e, 0x01751997d0);
  const auto load = [](const char* from) { return _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)); };
  __m128i x0 = _mm_xor_si128(load(bytes), _mm_cvtsi32_si128(static_cast<int>(~crc)));
  __m128i x1 = load(bytes + 16);
  __m128i x2 = load(bytes + 32);
  __m128i x3 = load(bytes + 48);
  for (bytes += 64, size -= 64; size >= 64; bytes += 64, size -= 64) {
    x0 = Fold(x0, by_four, load(bytes));
    x1 = Fold(x1, by_four, load(bytes + 16));
    x2 = Fold(x2, by_four, load(bytes + 32));
    x3 = Fold(x3, by_four, load(bytes + 48));
  }
  const __m128i rest = Fold(Fold(Fold(x0, by_one, x1), by_one, x2), by_one, x3);
  char last[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(last), rest);
  // The table's register starts at 0 after its own inversion, because `rest` has the start folded in.
  return TableCrc32(0xffffffffU, last, sizeof(last));
}

#endif

}  // namespace

uint32_t Crc32(uint32_t crc, const char* bytes, size_t size) {
#if defined(__x86_64__)
  static const bool folds = __builtin_cpu_supports("pclmul") != 0 && __builtin_cpu_supports("sse4.1") != 0;
  if (folds && size >= 64) {
    const size_t whole = size & ~size_t{63};
    crc = FoldedCrc32(crc, bytes, whole);
    bytes += whole;
    size -= whole;
  }
#endif
  return TableCrc32(crc, bytes, size);
}

}  // namespace planner::libtorch
