#include "services/server/models.h"

#include <algorithm>
#include <memory>
#include <string_view>
#include <utility>

#include "core/base/error.h"
#include "core/base/status_macros.h"
#include "core/counting/analytic_counter.h"
#include "core/model/hugging_face.h"
#include "core/model/layer_graph.h"
#include "fmt/format.h"
#include "fmt/ranges.h"
#include "services/convert/layer_graph.h"

namespace planner::server {
namespace {

constexpr char kConfigField[] = "model.hugging_face_config";
constexpr char kGraphField[] = "model.layer_graph";
constexpr char kFileField[] = "model.uploaded_file";

std::shared_ptr<const model::ModelSource> TextSource(model::SourceFormat format, std::string text) {
  return std::make_shared<const model::ModelSource>(
      model::ModelSource{.format = format, .text = std::move(text), .file = {}});
}

/// A loaded module: nothing is known of it but the file, until a counter runs it.
absl::StatusOr<model::ModelDescription> DescribeFile(const v1::UploadedFile& uploaded,
                                                     model_files::ModelFileStore& files) {
  struct PinnedSource {
    model::ModelSource source;
    std::shared_ptr<const void> pin;
  };
  absl::StatusOr<model_files::StoredFile> stored = files.Find(uploaded.sha256());
  if (!stored.ok()) return base::WithField(kFileField, stored.status());
  constexpr size_t kDigitsOfAName = 12;
  model::ModelDescription description;
  description.name = uploaded.sha256().substr(0, kDigitsOfAName);
  description.family = "torchscript";
  description.kind = model::ModelKind::kModule;
  description.has_sequence = false;
  description.default_seq_len = 0;
  const auto pinned = std::make_shared<const PinnedSource>(
      PinnedSource{{.format = model::SourceFormat::kTorchScript, .text = {}, .file = std::move(stored->file)},
                   std::move(stored->pin)});
  description.source = std::shared_ptr<const model::ModelSource>(pinned, &pinned->source);
  return description;
}

/// The parser calls the text as a whole "config".
absl::Status AtConfig(const absl::Status& status) {
  const bool whole = base::DetailOf(status).field == "config";
  return whole ? base::WithField(kConfigField, status) : base::AtField(kConfigField, status);
}

absl::StatusOr<model::ModelDescription> Describe(const v1::Model& model, const catalog::ModelCatalog& catalog,
                                                 model_files::ModelFileStore& files) {
  switch (model.description_case()) {
    case v1::Model::kPreset: {
      ASSIGN_OR_RETURN(const std::shared_ptr<const catalog::CatalogEntry> entry, catalog.Find(model.preset()));
      return entry->description;
    }
    case v1::Model::kHuggingFaceConfig: {
      absl::StatusOr<model::ModelDescription> description = model::ParseHuggingFaceConfig(
          model.hugging_face_config(),
          {.assume_architecture = model.assume_architecture(), .name = model.display_name()});
      if (!description.ok()) return AtConfig(description.status());
      description->source = TextSource(model::SourceFormat::kHuggingFaceConfig, model.hugging_face_config());
      return description;
    }
    case v1::Model::kLayerGraph: {
      absl::StatusOr<model::LayerGraph> graph = convert::LayerGraphFromProto(model.layer_graph());
      if (!graph.ok()) return base::AtField(kGraphField, graph.status());
      absl::StatusOr<model::ModelDescription> description = model::DescribeLayerGraph(*std::move(graph));
      if (!description.ok()) return base::AtField(kGraphField, description.status());
      description->source = TextSource(model::SourceFormat::kLayerGraph, model.layer_graph().SerializeAsString());
      return description;
    }
    case v1::Model::kUploadedFile:
      return DescribeFile(model.uploaded_file(), files);
    case v1::Model::DESCRIPTION_NOT_SET:
      break;
  }
  return base::InvalidField("model", "is missing");
}

/// The error of an expansion with the request's path: of the sizes that were asked for, or of the model.
absl::Status AtRequest(const ShapeFields& fields, const std::string& model_field, const absl::Status& status) {
  if (absl::IsOutOfRange(status)) return status;  // CountError knows what was asked for.
  const std::string field = base::DetailOf(status).field;
  if (field == "batch") return base::WithField(fields.batch, status);
  if (field == "seq_len") return base::WithField(fields.seq_len, status);
  if (field.starts_with("inputs"))
    return base::WithField(fields.inputs + field.substr(std::string("inputs").size()), status);
  return base::AtField(model_field, status);
}

/// Which of the sizes that were asked for is furthest above the model's own, and its value.
struct LargestSize {
  std::string field;
  std::string value;  ///< "seq_len=2000000000"
};

LargestSize LargestOf(const model::ModelDescription& model, const model::BatchShape& asked, const ShapeFields& fields) {
  LargestSize largest;
  double most = 1;  // Not above the model's own: the model itself is what is too large.
  const auto consider = [&](double ratio, const std::string& field, std::string value) {
    if (ratio > most) largest = {field, std::move(value)};
    most = std::max(most, ratio);
  };
  const auto own_positions = static_cast<double>(std::max<int64_t>(1, model.default_seq_len));
  if (asked.seq_len.has_value()) {
    consider(static_cast<double>(*asked.seq_len) / own_positions, fields.seq_len,
             fmt::format("seq_len={}", *asked.seq_len));
  }
  consider(static_cast<double>(asked.batch) / static_cast<double>(model.default_batch), fields.batch,
           fmt::format("batch={}", asked.batch));
  for (size_t i = 0; i < asked.inputs.size(); ++i) {
    double elements = 1;
    for (const int64_t size : asked.inputs[i].sizes) elements *= static_cast<double>(size);
    consider(elements / own_positions, fmt::format("{}[{}]", fields.inputs, i),
             fmt::format("shape={}", fmt::join(asked.inputs[i].sizes, "x")));
  }
  return largest;
}

std::string FieldOf(const v1::Model& model) {
  if (model.has_preset()) return "model.preset";
  if (model.has_uploaded_file()) return kFileField;
  return model.has_layer_graph() ? kGraphField : kConfigField;
}

}  // namespace

absl::StatusOr<model::ModelDescription> ResolveModel(const v1::Model& model, const ShapeFields& fields,
                                                     const catalog::ModelCatalog& catalog,
                                                     model_files::ModelFileStore& files) {
  ASSIGN_OR_RETURN(model::ModelDescription description, Describe(model, catalog, files));
  if (!model.display_name().empty()) description.name = model.display_name();
  if (description.name.empty()) description.name = description.family;
  if (description.expand == nullptr) return description;
  description.expand = [expand = std::move(description.expand), fields,
                        model_field = FieldOf(model)](const model::BatchShape& shape) -> absl::StatusOr<model::Module> {
    absl::StatusOr<model::Module> module = expand(shape);
    if (!module.ok()) return AtRequest(fields, model_field, module.status());
    return module;
  };
  return description;
}

absl::Status CountError(const absl::Status& status, const ShapeFields& fields, const model::ModelDescription& model,
                        const model::BatchShape& asked) {
  constexpr std::string_view kShape = "batch_shape.";
  if (const std::string field = base::DetailOf(status).field; field.starts_with(kShape)) {
    const std::string rest = field.substr(kShape.size());
    if (rest == "batch") return base::WithField(fields.batch, status);
    if (rest == "seq_len") return base::WithField(fields.seq_len, status);
    if (rest.starts_with("inputs")) {
      return base::WithField(fields.inputs + rest.substr(std::string_view("inputs").size()), status);
    }
  }
  if (!absl::IsOutOfRange(status)) return status;
  constexpr char kReason[] = "COUNT_OVERFLOW";
  const std::string what(status.message());
  const LargestSize largest = LargestOf(model, asked, fields);
  const bool fits_by_itself = model.expand == nullptr || counting::AnalyticCounter().Count({.model = model}).ok();
  if (!largest.field.empty() && fits_by_itself) {
    return base::InvalidField(largest.field, fmt::format("is too large for this model: {}: {}", what, largest.value),
                              kReason);
  }
  return base::InvalidField("model", what + ": its sizes are too large", kReason);
}

absl::StatusOr<v1::ModelInfo> ModelToProto(const catalog::CatalogEntry& entry, bool with_source) {
  ASSIGN_OR_RETURN(const counting::CostReport report,
                   counting::AnalyticCounter().Count(
                       {.model = entry.description, .mode = counting::Mode::kInference, .with_modules = false}));
  v1::ModelInfo info;
  info.set_name(entry.name);
  info.mutable_aliases()->Assign(entry.notes.aliases.begin(), entry.notes.aliases.end());
  info.set_family(entry.description.family);
  info.set_parameter_count(report.parameters);
  info.set_active_parameter_count(report.active_parameters);
  info.set_has_sequence(entry.description.has_sequence);
  if (entry.description.has_sequence) info.set_default_seq_len(entry.description.default_seq_len);
  info.set_max_seq_len(entry.description.max_seq_len);
  if (with_source) info.set_source_text(std::string(entry.source_text));
  return info;
}

}  // namespace planner::server
