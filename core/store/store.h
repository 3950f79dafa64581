#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace planner::store {

/// What is kept. The numbers are stored: they never change.
enum class Kind { kCluster = 1, kPlan = 2, kReservation = 3, kRun = 4, kUtilization = 5, kRunSamples = 6 };

/// A kept value with what the store knows of it. To the store the value is bytes.
struct Record {
  std::string name;  ///< Unique within its kind.
  std::string value;
  std::string etag;  ///< Of this version of the value.
  absl::Time create_time;
  absl::Time update_time;
};

enum class Order {
  kByName,       ///< Bytewise.
  kNewestFirst,  ///< By creation.
};

struct ListOptions {
  Order order = Order::kByName;
  int page_size = 100;     ///< Above 0.
  std::string page_token;  ///< Of the page before; empty: the first page.
};

struct Page {
  std::vector<Record> records;
  std::string next_page_token;  ///< Empty: this was the last page.
};

/// A record of the kinds that were asked for.
struct KindRecord {
  Kind kind = Kind::kCluster;
  Record record;
};

/// What has happened since a version.
struct Changes {
  std::vector<KindRecord> written;  ///< As they are now, each once, in the order of their last change.
  std::vector<std::pair<Kind, std::string>>
      deleted;          ///< Names that were there and are not any more. Some may never have been seen.
  int64_t version = 0;  ///< To ask from the next time.
  /// The version was too old to tell: `written` is all that there is, and what else was known is gone.
  bool is_all = false;
};

/// A record with all that is needed to make it anew in another store.
struct KeptRecord {
  Kind kind = Kind::kCluster;
  Record record;
  std::string request_id;  ///< Empty: none.
};
/// Takes one after the other; an error ends it.
using Take = std::function<absl::Status(const KeptRecord&)>;
/// Hands out records, the same ones each time that it is called; gives the error of Take, or its own.
using Source = std::function<absl::Status(const Take&)>;

/// The value that takes the place of the record's, or why none may. Runs inside the store's
/// transaction: it must not call the store.
using Change = std::function<absl::StatusOr<std::string>(const Record&)>;

/// Reads and writes of one Transact: all of them happen, or none. It sees its own writes. Used by one thread, and only while the
/// body runs.
class Transaction {
 public:
  virtual ~Transaction() = default;
  virtual absl::StatusOr<Record> Create(Kind kind, std::string_view name, std::string_view value,
                                        std::string_view request_id) = 0;
  virtual absl::StatusOr<Record> Get(Kind kind, std::string_view name) = 0;
  virtual absl::StatusOr<Record> GetByRequestId(Kind kind, std::string_view request_id) = 0;
  virtual absl::StatusOr<Record> Update(Kind kind, std::string_view name, std::string_view etag,
                                        std::string_view value) = 0;
  virtual absl::Status Delete(Kind kind, std::string_view name, std::string_view etag) = 0;
  virtual absl::StatusOr<Changes> ChangesSince(const std::vector<Kind>& kinds, int64_t version) = 0;
  /// As Create, with the times that are given.
  virtual absl::StatusOr<Record> Restore(const KeptRecord& record) = 0;
};

/// What is done in a transaction. It must not call the store, and may run again from the start where the store has to try again.
using Body = std::function<absl::Status(Transaction&)>;

/// Keeps records. Rules, which tests/storage runs every implementation against:
/// 1. A name exists once in a kind: Create of a used one is ALREADY_EXISTS; the same name in another
///    kind is another record.
/// 2. A request id belongs to the record that was created with it, for as long as that exists: Create
///    with it again answers that record as it is now and stores nothing. Empty ids belong to none.
/// 3. Every change gives a new etag, which no earlier version of any record of the store had. Update
///    with the value that is there changes nothing, neither etag nor time.
/// 4. Update and Delete with an etag that is not the current one are ABORTED; an empty etag fits any.
/// 5. Get, Update and Delete of a name that is not there are NOT_FOUND.
/// 6. Writes are atomic: a Change sees the current record, and no other write comes between. An error
///    of the Change is returned as it is, and nothing is stored.
/// 7. List gives every record that is there throughout exactly once, whatever is written between its
///    pages. A token that is not of the same kind and order is INVALID_ARGUMENT at "page_token".
/// 8. What a write returned has happened: it outlives the process if the store outlives it.
/// 9. Version changes with every write, also by other processes, and is cheap to ask.
/// 10. All methods may be called from any thread.
/// 11. Transactions are as if one ran after the other, over all processes: a body sees all that is acknowledged, and no other write
///     comes between its reads and its writes. An error of the body is returned as it is, and nothing of it is stored.
/// 12. ChangesSince with the version of an earlier answer gives every later change once, whatever else is written meanwhile; with 0
///     everything.
/// 13. Export hands out every record of one moment, in the order of their creation, whatever is written meanwhile. Import makes them
///     anew, with their names, values, request ids and times and in their order, in a store that has none: all of them, or none.
///     Etags are new. FAILED_PRECONDITION if there is any record.
/// 14. WaitForChange returns as soon as Version is another one than it was given, or when the time is over; soon after, if the change
///     is another process's and nobody tells of it.
class Store {
 public:
  virtual ~Store() = default;

  /// Opens, creates and brings up to date what it needs, so that it is known at start whether that can be done. Otherwise done by
  /// whatever comes first.
  virtual absl::Status Open() { return absl::OkStatus(); }
  virtual absl::Status Transact(const Body& body) = 0;
  virtual absl::StatusOr<Record> Get(Kind kind, std::string_view name) = 0;
  /// NOT_FOUND if no record was created with it.
  virtual absl::StatusOr<Record> GetByRequestId(Kind kind, std::string_view request_id) = 0;
  virtual absl::StatusOr<Page> List(Kind kind, const ListOptions& options) = 0;
  virtual absl::StatusOr<Changes> ChangesSince(const std::vector<Kind>& kinds, int64_t version) = 0;
  virtual absl::StatusOr<int64_t> Version() = 0;
  virtual absl::Status Export(const Take& take) = 0;
  /// The version as it then is. For one thread that tells others: a store may let a second one wait for the first. Unless a store
  /// knows better, it asks for the version again and again.
  virtual absl::StatusOr<int64_t> WaitForChange(int64_t version, absl::Duration at_most);

  /// By Transact. The source may be called again from the start.
  absl::Status Import(const Source& source);

  // One write each, by Transact.
  /// `request_id` may be empty.
  absl::StatusOr<Record> Create(Kind kind, std::string_view name, std::string_view value, std::string_view request_id);
  absl::StatusOr<Record> Update(Kind kind, std::string_view name, std::string_view etag, const Change& change);
  absl::Status Delete(Kind kind, std::string_view name, std::string_view etag);
};

/// The errors of rules 1, 4 and 5, in the same words from every implementation.
absl::Status NoSuchRecord(Kind kind, std::string_view name);
absl::Status RecordExists(Kind kind, std::string_view name);
absl::Status EtagChanged(Kind kind, std::string_view name, std::string_view given, std::string_view current);

/// "cluster", "plan", "reservation", "run", "utilization", "run samples".
std::string_view KindName(Kind kind);
/// Every kind, in the order of their numbers.
const std::vector<Kind>& AllKinds();

}  // namespace planner::store
