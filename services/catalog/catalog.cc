#include "services/catalog/catalog.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "fmt/format.h"

namespace planner::base {
std::span<const EmbeddedFile> EmbeddedFiles_services_catalog();
}  // namespace planner::base

namespace planner::catalog {

ModelCatalog::ModelCatalog() : ModelCatalog(base::EmbeddedFiles_services_catalog()) {}

ModelCatalog::ModelCatalog(std::span<const base::EmbeddedFile> files) {
  base::MutexLock lock(mutex_);
  for (const base::EmbeddedFile& file : files) presets_.push_back({PresetName(file), file, nullptr});
  std::sort(presets_.begin(), presets_.end(), [](const Preset& a, const Preset& b) { return a.name < b.name; });
  for (size_t i = 0; i < presets_.size(); ++i) index_.emplace(FoldName(presets_[i].name), i);
}

absl::StatusOr<std::shared_ptr<const CatalogEntry>> ModelCatalog::Find(std::string_view name) const {
  const std::string folded = FoldName(name);
  base::MutexLock lock(mutex_);
  auto found = index_.find(folded);
  if (found == index_.end()) {
    IndexAliases();
    found = index_.find(folded);
  }
  if (found == index_.end()) return UnknownModel(name);
  return Load(presets_[found->second]);
}

absl::StatusOr<std::vector<std::shared_ptr<const CatalogEntry>>> ModelCatalog::Entries() const {
  std::vector<std::shared_ptr<const CatalogEntry>> entries;
  base::MutexLock lock(mutex_);
  for (Preset& preset : presets_) {
    ASSIGN_OR_RETURN(std::shared_ptr<const CatalogEntry> entry, Load(preset));
    entries.push_back(std::move(entry));
  }
  return entries;
}

std::vector<std::string> ModelCatalog::Names() const {
  std::vector<std::string> names;
  base::MutexLock lock(mutex_);
  for (const Preset& preset : presets_) names.push_back(preset.name);
  return names;
}

absl::StatusOr<std::shared_ptr<const CatalogEntry>> ModelCatalog::Load(Preset& preset) const {
  if (preset.entry != nullptr) return preset.entry;
  absl::StatusOr<PresetNotes> notes = ReadNotes(preset.file);
  if (!notes.ok()) return base::AtField(preset.file.name, notes.status());
  absl::StatusOr<model::ModelDescription> description = DescribePreset(preset.file);
  if (!description.ok()) return base::AtField(preset.file.name, description.status());
  preset.entry = std::make_shared<const CatalogEntry>(
      CatalogEntry{preset.name, *std::move(notes), preset.file.content, *std::move(description)});
  return preset.entry;
}

void ModelCatalog::IndexAliases() const {
  if (std::exchange(aliases_indexed_, true)) return;
  for (size_t i = 0; i < presets_.size(); ++i) {
    const absl::StatusOr<PresetNotes> notes = ReadNotes(presets_[i].file);
    if (!notes.ok()) continue;  // Load says what is wrong with it, to whoever asks for it by name.
    for (const std::string& alias : notes->aliases) index_.emplace(FoldName(alias), i);
  }
}

absl::Status ModelCatalog::UnknownModel(std::string_view name) const {
  constexpr size_t kNearest = 3;
  constexpr size_t kLongestName = 200;  // Bounds the work of the comparison, and the text of the error.
  if (name.size() > kLongestName) {
    return base::NotFound("model.preset", fmt::format("no model has a name that long: bytes={}", name.size()),
                          "UNKNOWN_MODEL");
  }
  std::vector<std::string> candidates;
  for (const auto& [folded, preset] : index_) candidates.push_back(folded);
  std::vector<std::string> nearest;
  // Several candidates may be the same preset's: rank them all, keep the first three presets.
  for (const std::string& candidate :
       base::NearestNames(FoldName(name), candidates, static_cast<int>(candidates.size()))) {
    const std::string& preset = presets_[index_.find(candidate)->second].name;
    if (std::find(nearest.begin(), nearest.end(), preset) == nearest.end()) nearest.push_back(preset);
    if (nearest.size() == kNearest) break;
  }
  return base::NotFound("model.preset",
                        fmt::format("no model is named \"{}\"; nearest: {}", name, absl::StrJoin(nearest, ", ")),
                        "UNKNOWN_MODEL");
}

}  // namespace planner::catalog
