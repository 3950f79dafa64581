#include "core/base/sha256.h"

#include <gtest/gtest.h>

namespace planner::base {
namespace {

std::string DigestOf(std::string_view text) {
  Sha256 sum;
  sum.Update(text);
  return sum.Finish();
}

// FIPS 180-4's own examples.
TEST(Sha256Test, KnownDigests) {
  EXPECT_EQ(DigestOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(DigestOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(DigestOf(std::string(1000000, 'a')), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Sha256Test, PiecesAreOneText) {
  Sha256 sum;
  for (const char* piece : {"a", "", "bc"}) sum.Update(piece);
  EXPECT_EQ(sum.Finish(), DigestOf("abc"));
}

TEST(Sha256Test, KnowsHowDigestsAreSpelled) {
  const std::string digest = DigestOf("abc");
  EXPECT_TRUE(Sha256::IsDigest(digest));
  EXPECT_FALSE(Sha256::IsDigest(""));
  EXPECT_FALSE(Sha256::IsDigest(digest.substr(1)));
  EXPECT_FALSE(Sha256::IsDigest(digest + "0"));
  EXPECT_FALSE(Sha256::IsDigest("../" + digest.substr(3)));
  EXPECT_FALSE(Sha256::IsDigest("B" + digest.substr(1)));
}

}  // namespace
}  // namespace planner::base
