#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "core/model/description.h"
#include "planner/v1/model.pb.h"
#include "services/catalog/catalog.h"
#include "services/model_files/model_file_store.h"

namespace planner::server {

/// Paths of the request's fields that a model is expanded with, for errors: "batch_shape.seq_len".
struct ShapeFields {
  std::string batch;
  std::string seq_len;
  std::string inputs;
};

/// The model of a validated request: from the catalogue, from the text of a config.json, from a layer graph, or from a model
/// file that was uploaded (it is kept for as long as the description's `source`; NOT_FOUND, MODEL_NOT_UPLOADED). Errors, also those that a later expansion finds, have the request's paths: "model.preset"
/// (NOT_FOUND), "model.hugging_face_config.num_attention_heads", "model.layer_graph.layers[3].conv.kernel".
absl::StatusOr<model::ModelDescription> ResolveModel(const v1::Model& model, const ShapeFields& fields,
                                                     const catalog::ModelCatalog& catalog,
                                                     model_files::ModelFileStore& files);

/// A counter's error as the caller is to see it: a count beyond 64 bits is INVALID_ARGUMENT (reason COUNT_OVERFLOW), because
/// it was the request's sizes that were absurd. Its field is that of the sizes of `asked` that is furthest above the model's
/// own, or "model" where that is too large by itself. Counters of other processes name fields as CountRequest has them
/// ("batch_shape.inputs[0]"): these become the request's own.
absl::Status CountError(const absl::Status& status, const ShapeFields& fields, const model::ModelDescription& model,
                        const model::BatchShape& asked);

/// An entry of the catalogue for its readers; counts it. `with_source` adds the description's text.
absl::StatusOr<v1::ModelInfo> ModelToProto(const catalog::CatalogEntry& entry, bool with_source);

}  // namespace planner::server
