#include "services/telemetry/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <unistd.h>

#include "absl/time/time.h"
#include "fmt/format.h"
#include "services/telemetry/unwaiting_sink.h"

namespace planner::telemetry {
namespace {

bool NeedsQuotes(std::string_view value) {
  if (value.empty()) return true;
  for (const char c : value) {
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '=' || c == '\\' || c == '\x7f') return true;
  }
  return false;
}

std::string Quoted(std::string_view value) {
  std::string quoted = "\"";
  for (const char c : value) {
    if (c == '"' || c == '\\') {
      quoted += {'\\', c};
    } else if (c == '\n') {
      quoted += "\\n";
    } else if (static_cast<unsigned char>(c) < ' ' || c == '\x7f') {
      quoted += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else {
      quoted += c;
    }
  }
  return quoted + '"';
}

spdlog::level::level_enum SpdlogLevel(Level level) {
  switch (level) {
    case Level::kInfo:
      return spdlog::level::info;
    case Level::kWarning:
      return spdlog::level::warn;
    case Level::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

}  // namespace

std::string Logfmt(std::initializer_list<Field> fields) {
  std::string line;
  for (const auto& [key, value] : fields) {
    line += fmt::format("{}{}={}", line.empty() ? "" : " ", key, NeedsQuotes(value) ? Quoted(value) : value);
  }
  return line;
}

Log::Log(const base::Clock& clock) : Log(clock, std::make_shared<UnwaitingSink>(STDERR_FILENO)) {}

Log::Log(const base::Clock& clock, std::shared_ptr<spdlog::sinks::sink> sink)
    : clock_(clock), logger_(std::make_unique<spdlog::logger>("planner", std::move(sink))) {
  logger_->set_formatter(std::make_unique<spdlog::pattern_formatter>("ts=%Y-%m-%dT%H:%M:%S.%eZ level=%l %v",
                                                                     spdlog::pattern_time_type::utc));
  logger_->flush_on(spdlog::level::info);
}

Log::~Log() = default;

void Log::Write(Level level, std::initializer_list<Field> fields) {
  logger_->log(absl::ToChronoTime(clock_.Now()), spdlog::source_loc{}, SpdlogLevel(level), Logfmt(fields));
}

}  // namespace planner::telemetry
