#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "core/base/checked.h"
#include "planner/v1/count.pb.h"

namespace planner::libtorch {

/// Adds up one count, by module and by kind of operator.
class Tally {
 public:
  /// A module of the tree; its parent must have been added before it, the model itself (parent -1) first.
  /// `parameters`: elements of those that no module before it has. Returns its number.
  int AddModule(std::string path, std::string kind, int parent, base::Checked parameters);

  enum Pass { kForward = 0, kBackward = 1 };

  /// One call of an operator in `module`'s own code; `causal`: a product of an attention that masks half of it.
  void AddCall(int module, Pass pass, std::string_view kind, base::Checked macs, base::Checked other_flops, bool causal = false);
  /// One call of an operator that no rule covers.
  void AddUncounted(std::string_view name);
  /// What autograd keeps of `module`'s forward pass.
  void AddActivation(int module, base::Checked bytes);

  const std::string& Path(int module) const { return modules_[static_cast<size_t>(module)].path; }
  base::Checked parameters() const { return parameters_; }

  /// Writes parameters, work, activation bytes, operators, uncounted operators and, if wanted, modules.
  /// OUT_OF_RANGE where a total does not fit (FLOPs of matrix products: twice the MACs).
  absl::Status Fill(bool with_modules, v1::CountResponse& response) const;

 private:
  struct Sums {
    base::Checked macs[2];
    base::Checked other_flops[2];
    base::Checked causal_macs;  ///< Of the forward pass.
    int64_t calls[2] = {0, 0};
    void Add(const Sums& other);
  };
  struct ModuleSums {
    std::string path;
    std::string kind;
    int parent = -1;
    base::Checked parameters;
    base::Checked activation_bytes;
    Sums sums;
  };

  static absl::Status FillWork(const Sums& sums, Pass pass, v1::Work& work);

  std::vector<ModuleSums> modules_;
  std::map<std::string, Sums, std::less<>> operators_;
  std::map<std::string, int64_t, std::less<>> uncounted_;
  base::Checked parameters_;
};

}  // namespace planner::libtorch
