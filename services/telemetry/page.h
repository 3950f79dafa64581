#pragma once

#include <prometheus/metric_family.h>

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace planner::telemetry {

/// `run="r1",drift="late"`: what stands within the braces of a sample. Values may be anything.
std::string LabelText(std::initializer_list<std::pair<std::string_view, std::string_view>> labels);

/// A page of metrics in Prometheus' text format (version 0.0.4), written straight into one string: a scrape of a thousand runs has 15,000
/// samples, and objects for each of them would cost more than the text. Not safe for concurrent use.
class Page {
 public:
  enum class Type { kCounter, kGauge };

  /// Begins a family; help and type stand before its first sample, and nowhere if there is none. The strings must live until then.
  void Family(std::string_view name, std::string_view help, Type type);
  /// Of the family that was begun last. `labels` by LabelText; empty: none.
  void Sample(std::string_view labels, double value);
  /// The same, of a whole number.
  void Sample(std::string_view labels, int64_t value);
  /// A family as the client library collects it: counters, gauges and histograms.
  void Add(const prometheus::MetricFamily& family);

  /// Begins anew in the memory that it has: a page of a megabyte is written faster than new memory for it is given.
  void Clear();
  const std::string& text() const { return text_; }

 private:
  void Header(std::string_view type);
  void Begin(std::string_view suffix, std::string_view labels);

  std::string text_;
  std::string_view name_, help_;
  Type type_ = Type::kGauge;
  bool has_header_ = false;
};

/// Whoever has metrics to show.
class PageSource {
 public:
  virtual ~PageSource() = default;
  /// Adds its families, as they are now. May be called from any thread.
  virtual void Write(Page& page) const = 0;
};

}  // namespace planner::telemetry
