#include "services/telemetry/gzip.h"

#include <gtest/gtest.h>
#include <zlib.h>

#include <random>
#include <string>

#include "fmt/format.h"

namespace planner::telemetry {
namespace {

/// By zlib, which checks length and sum of what it gives.
std::string Unzipped(std::string_view file, size_t size) {
  std::string text(size + 1, '\0');
  z_stream stream{};
  constexpr int kGzipOnly = 16 + MAX_WBITS;
  EXPECT_EQ(inflateInit2(&stream, kGzipOnly), Z_OK);
  std::string copy(file);
  stream.next_in = reinterpret_cast<Bytef*>(copy.data());
  stream.avail_in = static_cast<uInt>(copy.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  EXPECT_EQ(stream.avail_in, 0u);
  inflateEnd(&stream);
  text.resize(stream.total_out);
  return text;
}

void ExpectKept(const std::string& text) { ASSERT_EQ(Unzipped(Gzip().Compress(text), text.size()), text); }

TEST(GzipTest, KeepsEveryLengthAndDistance) {
  ExpectKept("");
  ExpectKept("\n");
  ExpectKept("a");
  for (size_t size = 1; size <= 600; ++size) {
    const std::string line(size, 'x');
    ExpectKept(line + "\n" + line + "\n" + line);
    ExpectKept(line + "1\n" + line + "2\n" + line.substr(size / 2));
  }
}

TEST(GzipTest, KeepsAnyBytes) {
  std::mt19937 random(1);
  for (int i = 0; i < 2000; ++i) {
    // Few different bytes match by chance, many do not.
    const unsigned different = i % 2 == 0 ? 3 : 256;
    std::string text(random() % 3000, '\0');
    for (char& c : text) c = random() % 40 == 0 ? '\n' : static_cast<char>(random() % different);
    ExpectKept(text);
  }
}

TEST(GzipTest, LessThanHalfIsLeftOfLinesThatAreAlike) {
  std::string page;
  std::mt19937 random(1);
  for (int i = 0; i < 15'000; ++i) {
    page += fmt::format("planner_run_actual_tokens_per_second{{run=\"20260101-{:06}-{:08x}\"}} {}\n", i, random(), random() % 1'000'000);
  }
  EXPECT_LT(Gzip().Compress(page).size() * 2, page.size());
  ExpectKept(page);
}

}  // namespace
}  // namespace planner::telemetry
