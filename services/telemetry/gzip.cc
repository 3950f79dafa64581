#include "services/telemetry/gzip.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace planner::telemetry {
namespace {

constexpr size_t kShortestMatch = 3;
constexpr size_t kLongestMatch = 258;
/// Lines that are longer are spelled out: no line of ours is.
constexpr size_t kLongestDistance = 512;

/// Bits in the order in which they are written, the lowest one first.
struct Code {
  uint32_t bits = 0;
  uint32_t count = 0;
};

/// Huffman codes begin with their highest bit.
constexpr uint32_t Reversed(uint32_t bits, uint32_t count) {
  uint32_t reversed = 0;
  for (uint32_t i = 0; i < count; ++i) reversed |= ((bits >> i) & 1) << (count - 1 - i);
  return reversed;
}

/// Of literals (0 to 255), the end (256) and lengths (257 to 287): RFC 1951, 3.2.6.
constexpr Code FixedCode(uint32_t symbol) {
  if (symbol < 144) return {Reversed(0x30 + symbol, 8), 8};
  if (symbol < 256) return {Reversed(0x190 + symbol - 144, 9), 9};
  if (symbol < 280) return {Reversed(symbol - 256, 7), 7};
  return {Reversed(0xC0 + symbol - 280, 8), 8};
}

constexpr Code WithExtraBits(Code code, uint32_t extra, uint32_t extra_count) {
  return {code.bits | extra << code.count, code.count + extra_count};
}

/// Every code of the format that is used, by what it stands for.
struct Codes {
  std::array<Code, 256> literals;
  std::array<Code, kLongestMatch + 1> lengths;
  std::array<Code, kLongestDistance + 1> distances;
};

/// RFC 1951, 3.2.5. Eight lengths have codes of their own, then each four codes one extra bit more; 258 has its own. Of distances it is four
/// and two.
constexpr Codes MakeCodes() {
  Codes codes{};
  for (uint32_t i = 0; i < 256; ++i) codes.literals[i] = FixedCode(i);
  uint32_t length = kShortestMatch;
  for (uint32_t symbol = 257; symbol < 285; ++symbol) {
    const uint32_t extra_count = symbol < 265 ? 0 : (symbol - 261) / 4;
    for (uint32_t extra = 0; extra < (1u << extra_count); ++extra, ++length) {
      if (length <= kLongestMatch) codes.lengths[length] = WithExtraBits(FixedCode(symbol), extra, extra_count);
    }
  }
  codes.lengths[kLongestMatch] = FixedCode(285);
  uint32_t distance = 1;
  for (uint32_t symbol = 0; distance <= kLongestDistance; ++symbol) {
    const uint32_t extra_count = symbol < 4 ? 0 : symbol / 2 - 1;
    for (uint32_t extra = 0; extra < (1u << extra_count); ++extra, ++distance) {
      if (distance <= kLongestDistance) codes.distances[distance] = WithExtraBits({Reversed(symbol, 5), 5}, extra, extra_count);
    }
  }
  return codes;
}

constexpr Codes kCodes = MakeCodes();

class BitWriter {
 public:
  explicit BitWriter(char* out) : out_(out) {}
  /// At most 32 bits.
  void Put(Code code) {
    bits_ |= uint64_t{code.bits} << count_;
    count_ += code.count;
    if (count_ < 32) return;
    const auto low = static_cast<uint32_t>(bits_);
    std::memcpy(out_, &low, sizeof(low));
    out_ += sizeof(low);
    bits_ >>= 32;
    count_ -= 32;
  }
  /// The rest, filled up to whole bytes; the end of all.
  char* Finish() {
    for (; count_ > 0; count_ -= std::min(count_, 8u), bits_ >>= 8) *out_++ = static_cast<char>(bits_);
    return out_;
  }

 private:
  static_assert(std::endian::native == std::endian::little);
  char* out_;
  uint64_t bits_ = 0;
  uint32_t count_ = 0;
};

/// How many bytes at `a` and `b` are alike, `most` at most.
size_t Alike(const char* a, const char* b, size_t most) {
  size_t count = 0;
  for (uint64_t x = 0, y = 0; count + sizeof(x) <= most; count += sizeof(x)) {
    std::memcpy(&x, a + count, sizeof(x));
    std::memcpy(&y, b + count, sizeof(y));
    if (x != y) return count + static_cast<size_t>(std::countr_zero(x ^ y)) / 8;
  }
  while (count < most && a[count] == b[count]) ++count;
  return count;
}

/// One line, of which the one before begins `distance` bytes earlier; 0: there is none.
void PutLine(const char* at, const char* end, size_t distance, BitWriter& out) {
  const bool has_reference = distance > 0 && distance <= kLongestDistance;
  while (at < end) {
    const size_t alike =
        has_reference ? Alike(at, at - distance, std::min(kLongestMatch, static_cast<size_t>(end - at))) : 0;
    if (alike >= kShortestMatch) {
      out.Put(kCodes.lengths[alike]);
      out.Put(kCodes.distances[distance]);
      at += alike;
    } else {
      out.Put(kCodes.literals[static_cast<unsigned char>(*at++)]);
    }
  }
}

char* PutNumber(uint32_t number, char* out) {
  for (int shift = 0; shift < 32; shift += 8) *out++ = static_cast<char>(number >> shift);
  return out;
}

}  // namespace

std::string_view Gzip::Compress(std::string_view text) {
  constexpr char kHeader[] = {'\x1f', '\x8b', 8, 0, 0, 0, 0, 0, 4, '\xff'};  // Deflated, no name, no time, fast.
  // No byte takes more than nine bits. It never shrinks: what is not there already would be filled with zeros first.
  constexpr size_t kRest = 32;
  const size_t most = sizeof(kHeader) + text.size() + text.size() / 8 + kRest;
  if (out_.size() < most) out_.resize(most);
  std::memcpy(out_.data(), kHeader, sizeof(kHeader));
  BitWriter bits(out_.data() + sizeof(kHeader));
  bits.Put({0b011, 3});  // The last block, with fixed codes.
  const char* const end = text.data() + text.size();
  size_t distance = 0;
  for (const char* at = text.data(); at < end;) {
    const void* newline = std::memchr(at, '\n', static_cast<size_t>(end - at));
    const char* const line_end = newline == nullptr ? end : static_cast<const char*>(newline) + 1;
    PutLine(at, line_end, distance, bits);
    distance = static_cast<size_t>(line_end - at);
    at = line_end;
  }
  bits.Put(FixedCode(256));
  char* out = bits.Finish();
  out = PutNumber(static_cast<uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(text.data()), text.size())), out);
  out = PutNumber(static_cast<uint32_t>(text.size()), out);
  return {out_.data(), static_cast<size_t>(out - out_.data())};
}

}  // namespace planner::telemetry
