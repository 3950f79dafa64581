#include "services/storage/postgresql_server.h"

#include <libpq-fe.h>

#include <algorithm>
#include <map>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "core/base/error.h"

namespace planner::storage {
namespace {

struct FreeOptions {
  void operator()(PQconninfoOption* options) const { PQconninfoFree(options); }
};

/// Ours, where the connection string says nothing.
constexpr std::pair<const char*, const char*> kDefaults[] = {
    {"target_session_attrs", "read-write"},
    {"connect_timeout", "3"},
    {"keepalives_idle", "5"},
    {"keepalives_interval", "2"},
    {"keepalives_count", "3"},
    {"tcp_user_timeout", "10000"},
    {"fallback_application_name", "planner"},
};

std::vector<std::string> OptionNames() {
  std::vector<std::string> names;
  const std::unique_ptr<PQconninfoOption, FreeOptions> all(PQconndefaults());
  for (const PQconninfoOption* one = all.get(); one != nullptr && one->keyword != nullptr; ++one)
    names.emplace_back(one->keyword);
  return names;
}

}  // namespace

std::string WithoutSecrets(std::string_view message) {
  std::string text;
  while (!message.empty()) {
    const size_t open = message.find('"');
    text += message.substr(0, open);
    if (open == std::string_view::npos) break;
    // To the last quote: what is quoted may have quotes.
    const size_t close = message.rfind('"');
    const std::string quoted(message.substr(open + 1, close > open ? close - open - 1 : std::string_view::npos));
    const std::string meant =
        message.substr(0, open).find("option") != std::string_view::npos ? base::LikelyName(quoted, OptionNames()) : "";
    text += meant.empty() ? "…" : absl::StrCat("\"", quoted, "\"; did you mean \"", meant, "\"?");
    message.remove_prefix(close > open ? close + 1 : message.size());
  }
  return std::string(absl::StripAsciiWhitespace(text));
}

absl::StatusOr<PostgresqlServer> PostgresqlServer::Parse(const std::string& connection_string) {
  char* error = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> parsed(PQconninfoParse(connection_string.c_str(), &error));
  const std::unique_ptr<char, void (*)(void*)> owned_error(error, &PQfreemem);
  if (parsed == nullptr) {
    return base::InvalidField("postgresql", absl::StrCat("is no connection string of libpq: ",
                                                         error == nullptr ? "out of memory" : WithoutSecrets(error)));
  }
  PostgresqlServer server;
  std::map<std::string, std::string> given;
  for (const PQconninfoOption* one = parsed.get(); one->keyword != nullptr; ++one) {
    if (one->val != nullptr) given.emplace(one->keyword, one->val);
  }
  for (const char* name : {"service", "host", "hostaddr", "port", "dbname"}) {
    const auto found = given.find(name);
    if (found != given.end())
      absl::StrAppend(&server.where_, server.where_.empty() ? "" : " ", name, "=", found->second);
  }
  if (server.where_.empty()) server.where_ = "libpq's defaults";
  for (const auto& [name, value] : kDefaults) given.emplace(name, value);
  server.options_.assign(given.begin(), given.end());
  return server;
}

}  // namespace planner::storage
