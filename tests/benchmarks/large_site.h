#pragma once

#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "core/base/clock.h"
#include "core/base/status_macros.h"
#include "core/hardware/gpu_catalog.h"
#include "core/store/store.h"
#include "services/bookings/bookings.h"
#include "services/convert/cluster.h"

namespace planner::benchmarks {

using cluster::Micros;

// A large site: 20,000 nodes of 8 GPUs in racks of 32, and up to 50,000 reservations.

inline constexpr int64_t kNodes = 20'000;
inline constexpr int64_t kReservations = 50'000;
inline constexpr Micros kHour = int64_t{3600} * 1'000'000;

/// Jobs as sites have them: most of a few nodes, some of a hundred, some of less than a node; hours to weeks, over two years. 50,000 of
/// them have not quite half of all that there is: a million times a node for a time.
struct Jobs {
  std::mt19937_64 random{1};
  int64_t Any(int64_t low, int64_t high) { return std::uniform_int_distribution<int64_t>(low, high)(random); }
  int64_t Gpus() {
    const int64_t kind = Any(0, 9);
    if (kind < 2) return Any(1, 7);
    if (kind < 8) return 8 * (int64_t{1} << Any(0, 5));
    return 8 * Any(16, 128);
  }
  Micros Duration() { return Any(1, 300) * kHour + Any(0, 3'599'999'999); }
  Micros Start() { return Any(0, 2 * 365 * 24) * kHour; }
};

/// Resident memory of a process, in megabytes.
inline double ResidentMegabytes(const std::string& process = "self") {
  std::ifstream file("/proc/" + process + "/statm");
  int64_t pages = 0, resident = 0;
  file >> pages >> resident;
  return static_cast<double>(resident) * static_cast<double>(sysconf(_SC_PAGESIZE)) / 1e6;
}

/// A part of them is at most so much: 0.99 for the p99. 0 of nothing.
inline double Quantile(std::vector<double> values, double part) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[std::min(values.size() - 1, static_cast<size_t>(part * static_cast<double>(values.size())))];
}

/// A folder that is gone at the end.
class Folder {
 public:
  Folder() {
    std::string pattern = (std::filesystem::temp_directory_path() / "planner-benchmark-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// A site's calendar on a store, which must outlive it: the cluster "main", created where it is missing with so many nodes, and its reservations.
class Site {
 public:
  explicit Site(store::Store& store, int64_t nodes = kNodes) : store_(store) {
    v1::Cluster cluster;
    cluster.set_name("main");
    v1::NodePool& pool = *cluster.add_node_pools();
    pool.set_name("h100");
    pool.set_gpu_type("h100");
    pool.set_node_count(static_cast<int>(nodes));
    pool.set_nodes_per_rack(32);
    const auto normalized = convert::NormalizedCluster("cluster", cluster, gpus_);
    store.Create(store::Kind::kCluster, "main", normalized->SerializeAsString(), "").IgnoreError();
  }

  /// Books `count` jobs, each at a random moment; as many as `together` in one transaction.
  absl::Status Book(int64_t count, const std::string& prefix, Jobs& jobs, int64_t together = 1) {
    const Micros from = cluster::ToMicros(base::Clock::Real().Now()) + kHour;
    for (int64_t made = 0; made < count;) {
      const int64_t end = std::min(count, made + together);
      const absl::Status booked = bookings_.Run([&](bookings::Ledgers& ledgers) -> absl::Status {
        while (made < end) {
          ASSIGN_OR_RETURN(const bool is_made, BookOne(from, "main/" + prefix + std::to_string(made), jobs, ledgers));
          made += is_made ? 1 : 0;
        }
        return absl::OkStatus();
      });
      RETURN_IF_ERROR(booked);
    }
    return absl::OkStatus();
  }
  /// The same, quickly.
  absl::Status Fill(int64_t count) {
    Jobs jobs;
    return Book(count, "r", jobs, 500);
  }

  bookings::Bookings& bookings() { return bookings_; }

 private:
  /// False: nothing is free for so long just then.
  static absl::StatusOr<bool> BookOne(Micros from, const std::string& name, Jobs& jobs, bookings::Ledgers& ledgers) {
    ASSIGN_OR_RETURN(const bookings::ClusterCalendar* calendar, ledgers.Find("cluster", "main"));
    bookings::Wish wish{.pool = "h100", .gpu_count = jobs.Gpus()};
    wish.start = from + jobs.Start();
    wish.duration = jobs.Duration();
    absl::StatusOr<v1::Reservation> reservation = calendar->Find(wish);
    if (absl::IsFailedPrecondition(reservation.status())) return false;
    RETURN_IF_ERROR(reservation.status());
    reservation->set_state(v1::Reservation::FIRM);
    RETURN_IF_ERROR(ledgers.Create(store::Kind::kReservation, name, reservation->SerializeAsString(), "").status());
    return true;
  }

  store::Store& store_;
  const hardware::GpuCatalog gpus_ = *hardware::GpuCatalog::Create();
  bookings::Bookings bookings_{store_, gpus_, base::Clock::Real()};
};

}  // namespace planner::benchmarks
