#pragma once

#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "core/base/embedded_file.h"
#include "core/base/mutex.h"
#include "core/model/description.h"
#include "services/catalog/preset.h"

namespace planner::catalog {

/// A model of the catalogue, read and ready to be expanded. Immutable.
struct CatalogEntry {
  std::string name;                     ///< "llama-2-7b"
  PresetNotes notes;                    ///< Aliases, published size, where the figures come from.
  std::string_view source_text;         ///< The preset's file as it is; lives as long as the program.
  model::ModelDescription description;  ///< Its `name` is the preset's, its `family` the model_type.
};

/// The models that the planner knows by name: the files of services/catalog/models. A file is only
/// read when its model is asked for, so that a start costs nothing; what was read is kept. Safe for
/// concurrent use.
class ModelCatalog {
 public:
  /// The built-in presets.
  ModelCatalog();
  /// Presets of one's own, for tests. The texts must live as long as the catalogue and its entries.
  explicit ModelCatalog(std::span<const base::EmbeddedFile> files);

  /// By name or alias, spelled as FoldName allows: "llama-2-7b", "Llama2 7B",
  /// "meta-llama/Llama-2-7b-hf". NOT_FOUND (reason UNKNOWN_MODEL) at "model.preset" says the three
  /// nearest names, for a name of up to 200 bytes. INVALID_ARGUMENT: the preset's own file is wrong,
  /// which the unit tests rule out.
  absl::StatusOr<std::shared_ptr<const CatalogEntry>> Find(std::string_view name) const;

  /// All of them, sorted by name. Reads what was not read yet.
  absl::StatusOr<std::vector<std::shared_ptr<const CatalogEntry>>> Entries() const;

  /// The names alone, sorted; reads nothing.
  std::vector<std::string> Names() const;

 private:
  struct Preset {
    std::string name;
    base::EmbeddedFile file;
    std::shared_ptr<const CatalogEntry> entry;  ///< Null until it was asked for.
  };

  absl::StatusOr<std::shared_ptr<const CatalogEntry>> Load(Preset& preset) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void IndexAliases() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status UnknownModel(std::string_view name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable base::Mutex mutex_;
  mutable std::vector<Preset> presets_ ABSL_GUARDED_BY(mutex_);  ///< Sorted by name; its length never changes.
  /// Folded name or alias -> index in presets_. Aliases join on the first name that is none.
  mutable std::map<std::string, size_t, std::less<>> index_ ABSL_GUARDED_BY(mutex_);
  mutable bool aliases_indexed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace planner::catalog
