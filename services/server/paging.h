#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "core/base/status_macros.h"
#include "core/store/page_token.h"
#include "services/validate/requests.h"

namespace planner::server {

/// The part of a fixed list that a page shows: [begin, end), and the token of the next page.
struct PageRange {
  size_t begin = 0;
  size_t end = 0;
  std::string next_page_token;
};

/// `scope` names the list in its tokens; `standard` is the page's size where the request names none.
/// INVALID_ARGUMENT at "page_size" or "page_token".
inline absl::StatusOr<PageRange> RangeOf(std::string_view scope, size_t count, int page_size, int standard,
                                         std::string_view page_token) {
  ASSIGN_OR_RETURN(const int size, validate::PageSize(page_size, standard));
  ASSIGN_OR_RETURN(const int64_t start, store::DecodeNumberToken(scope, page_token, 0));
  PageRange range;
  range.begin = std::min(static_cast<size_t>(start), count);
  range.end = std::min(range.begin + static_cast<size_t>(size), count);
  if (range.end < count) range.next_page_token = store::EncodePageToken(scope, std::to_string(range.end));
  return range;
}

}  // namespace planner::server
