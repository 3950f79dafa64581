#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "core/model/hugging_face.h"

namespace planner::plugins_test {

/// A small GPT-2 whose text, and so whose digest, depends on `salt`; `mode` is what the faulty plugin does with it.
inline model::ModelDescription Gpt2(const std::string& mode = "", int salt = 0) {
  const std::string text = R"({"model_type": "gpt2", "n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 100, "n_positions": 128, "mode": ")" +
                           mode + R"(", "salt": )" + std::to_string(salt) + "}";
  absl::StatusOr<model::ModelDescription> description = model::ParseHuggingFaceConfig(text);
  EXPECT_TRUE(description.ok()) << description.status();
  description->source = std::make_shared<const model::ModelSource>(
      model::ModelSource{.format = model::SourceFormat::kHuggingFaceConfig, .text = text, .file = {}});
  return *std::move(description);
}

}  // namespace planner::plugins_test
