#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace planner::libtorch {

/// Finds the classes of an archive that differ in nothing but their names. Torch writes a class for each module that it traced and
/// for each set of constants that it scripted ("__torch__.torch.nn.modules.conv.___torch_mangle_7.Conv2d"), and compiles each
/// one; of the 1,105 classes of a traced EfficientNet-B7 some 100 are different. Two are twins if their sources are the same once
/// constants are left out, they themselves are called alike, and the classes that they name are replaced by the first of their twins.
/// Only modules that a file of its own defines are compared; whatever else stands in an archive stays as it is.
class ClassTwins {
 public:
  /// `read` gives the source that an archive has for a qualifier ("__torch__.torch.nn.modules.conv.___torch_mangle_7"), or nothing.
  using Reader = std::function<std::optional<std::string>(const std::string& qualifier)>;

  explicit ClassTwins(Reader read) : read_(std::move(read)) {}

  /// The first twin of a class, by its full name; itself where it has none.
  std::string First(const std::string& name);

  /// The source of a qualifier, without constants, naming first twins only. Each is given out once.
  std::optional<std::string> Source(const std::string& qualifier);

 private:
  struct File {
    std::optional<std::string> source;
    std::string first;  ///< Empty: not known, or no class that can have twins.
  };

  File& Look(const std::string& qualifier, int depth);
  std::string First(const std::string& name, int depth);
  std::string NameFirstTwins(std::string_view source, std::string_view self, std::string_view self_becomes, int depth);

  Reader read_;
  std::unordered_map<std::string, File> files_;
  std::unordered_map<std::string, std::string> first_of_source_;
};

}  // namespace planner::libtorch
