// The formulas of core/counting as a plugin: how to write one. Three functions: what it is, how it counts, and main.
#include "core/counting/analytic_counter.h"
#include "core/model/hugging_face.h"
#include "plugins/analytic/answer.h"
#include "plugins/sdk/counter_plugin.h"

namespace planner::plugin {

class AnalyticPlugin final : public CounterPlugin {
 public:
  v1::PluginInfo Info() override {
    v1::PluginInfo info;
    info.set_name("analytic-plugin");
    info.set_version("1");
    info.set_description("formulas over a config.json, in a process of its own");
    info.add_formats(v1::HUGGING_FACE_CONFIG);
    info.set_max_concurrent_counts(4);
    return info;
  }

  v1::CountResponse Count(const v1::CountRequest& request, absl::Time deadline) override {
    const auto model = model::ParseHuggingFaceConfig(request.hugging_face_config());
    if (!model.ok()) return Answer(model.status());
    return Answer(counter_.Count(CoreRequest(request, *model, deadline)));
  }

 private:
  const counting::AnalyticCounter counter_;
};

}  // namespace planner::plugin

int main(int argc, char** argv) {
  planner::plugin::AnalyticPlugin plugin;
  return planner::plugin::Serve(plugin, argc, argv);
}
