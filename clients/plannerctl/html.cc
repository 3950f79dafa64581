#include "clients/plannerctl/html.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "clients/plannerctl/table.h"
#include "fmt/format.h"

namespace planner::plannerctl {
namespace {

/// The browser is told to run and load nothing, too, should an escape ever be missing.
constexpr std::string_view kPolicy = "default-src 'none'; style-src 'unsafe-inline'";

constexpr std::string_view kStyle =
    ":root{color-scheme:light dark;--text:#1c2430;--page:#fff;--line:#d8dee6;--soft:#e8ecf1}"
    "@media(prefers-color-scheme:dark){:root{--text:#dde3ea;--page:#14181d;--line:#39424d;--soft:#242b33}}"
    "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:76rem;padding:0 1rem;"
    "color:var(--text);background:var(--page)}"
    "table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}"
    "th,td{padding:.3rem .7rem;border-bottom:1px solid var(--line);text-align:right}"
    "td{white-space:nowrap}th:first-child,td:first-child,td.text,th.text{text-align:left;white-space:normal}"
    ".bar{display:flex;height:1.4rem;background:var(--soft)}.bar div{height:100%}li{margin:.2rem 0}";

}  // namespace

std::string HtmlPage(std::string_view subject, std::string_view kind, std::string_view body) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
      "<meta name=\"viewport\" content=\"width=device-width\">"
      "<meta http-equiv=\"Content-Security-Policy\" content=\"{}\">"
      "<title>{}: {}</title><style>{}</style></head><body>\n<h1>{}</h1>\n{}</body></html>\n",
      kPolicy, EscapeHtml(subject), kind, kStyle, EscapeHtml(subject), body);
}

std::string EscapeHtml(std::string_view text) {
  std::string escaped;
  for (const char c : Printable(text)) {
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        escaped += c;
    }
  }
  return escaped;
}

absl::Status WritePage(const std::string& path, std::string_view page) {
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file << page;
  file.close();
  if (file.good()) return absl::OkStatus();
  return absl::UnknownError(fmt::format("--html: {} cannot be written: {}", path, std::strerror(errno)));
}

}  // namespace planner::plannerctl
