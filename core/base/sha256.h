#pragma once

#include <memory>
#include <string>
#include <string_view>

namespace planner::base {

/// SHA-256 (FIPS 180-4) of bytes that come in pieces. `Sha256 sum; sum.Update("abc"); sum.Finish()` gives
/// "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad".
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void Update(std::string_view bytes);
  /// 64 lower case hexadecimal digits. Once, and last.
  std::string Finish();

  /// Whether `text` is spelled as Finish spells digests.
  static bool IsDigest(std::string_view text);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace planner::base
