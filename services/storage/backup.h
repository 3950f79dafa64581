#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "core/store/store.h"

namespace planner::storage {

// A backup is text: a JSON document on each line. The first says what the file is, {"format": "planner-backup", "version": 1}; then
// one for each record in the order of their creation, {"kind", "name", "request_id", "create_time", "update_time" (nanoseconds since
// 1970), "value" (base64)}; the last, {"records": 2, "sha256": "…"}, has the digest of all lines before it. It carries everything but
// etags, so it can be restored into another kind of store than it was made of.

/// Writes every record of one moment into a file that is there as a whole or not at all, with leave for its owner alone. The number of
/// records. FAILED_PRECONDITION where there is none (rather a wrong place than an empty one), and where `path` is there and is no file.
absl::StatusOr<int64_t> WriteBackup(store::Store& store, const std::string& path);

/// Makes the records of a backup anew in a store that has none. The number of records. NOT_FOUND: there is no such file; DATA_LOSS: it is
/// no backup, is damaged or has no end; FAILED_PRECONDITION: the store is not empty, or a newer version has written the file. After an
/// error nothing is stored.
absl::StatusOr<int64_t> RestoreBackup(store::Store& store, const std::string& path);

}  // namespace planner::storage
