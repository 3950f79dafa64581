#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <iterator>
#include <limits>
#include <memory>
#include <vector>

namespace planner::cluster {

/// Calendars count time in microseconds since 1970: exact, small and enough for any year that can be told.
using Micros = int64_t;

inline constexpr Micros kForever = std::numeric_limits<Micros>::max();

/// So many nodes are wholly free in [start, end), and no longer in either direction.
struct Opening {
  Micros start = 0;
  Micros end = kForever;
  int64_t nodes = 0;

  friend bool operator==(const Opening&, const Opening&) = default;
};

/// A sorted list of openings, no two of them alike in start and end. A value whose copies share what they have in common: a copy
/// costs a pointer for every hundred openings, and a change copies a hundred for each one that it meets. So a calendar can be read
/// while the next one is made, without being copied for it.
class Openings {
  /// What copies share; never empty, and never changed once made.
  struct Chunk {
    std::vector<Opening> openings;
    Micros latest_end = 0;  ///< Of all of them.
  };
  using Chunks = std::vector<std::shared_ptr<const Chunk>>;

 public:
  enum class Order {
    kByStart,  ///< Then by end.
    kByEnd,    ///< Then by start.
  };

  explicit Openings(Order order) : order_(order) {}
  /// Sorted ones.
  Openings(Order order, std::initializer_list<Opening> openings) : Openings(order) { Apply(openings); }

  /// For each change, in the list's order and none twice, so many nodes more have its start and end; fewer where `nodes` is
  /// negative. An opening that no node has is none. Time: by the changes, times a hundred, and a pointer for each hundred openings.
  void Apply(const std::vector<Opening>& changes);

  class Iterator {
   public:
    using iterator_category = std::forward_iterator_tag;
    using value_type = Opening;
    using difference_type = ptrdiff_t;
    using pointer = const Opening*;
    using reference = const Opening&;

    Iterator() = default;
    const Opening& operator*() const { return *at_; }
    const Opening* operator->() const { return at_; }
    Iterator& operator++() {
      if (++at_ == (*chunk_)->openings.data() + (*chunk_)->openings.size()) *this = Iterator(chunk_ + 1, chunks_end_);
      return *this;
    }
    Iterator operator++(int) {
      const Iterator before = *this;
      ++*this;
      return before;
    }
    friend bool operator==(const Iterator& a, const Iterator& b) { return a.at_ == b.at_; }

   private:
    friend class Openings;
    using ChunkPointer = const std::shared_ptr<const Chunk>*;
    /// The first one of the chunk; past the end where there is no chunk.
    Iterator(ChunkPointer chunk, ChunkPointer chunks_end) : chunk_(chunk), chunks_end_(chunks_end) {
      if (chunk != chunks_end) at_ = (*chunk)->openings.data();
    }

    ChunkPointer chunk_ = nullptr;
    ChunkPointer chunks_end_ = nullptr;
    const Opening* at_ = nullptr;
  };
  using value_type = Opening;
  using const_iterator = Iterator;
  using iterator = Iterator;

  Iterator begin() const { return {chunks_.data(), chunks_.data() + chunks_.size()}; }
  Iterator end() const { return {chunks_.data() + chunks_.size(), chunks_.data() + chunks_.size()}; }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  friend bool operator==(const Openings& a, const Openings& b);

  /// The first opening that is not `before`; all that are stand in front. Time: logarithmic.
  template <typename Before>
  Iterator PartitionPoint(const Before& before) const {
    const auto chunk = std::partition_point(chunks_.begin(), chunks_.end(),
                                            [&](const auto& one) { return before(one->openings.back()); });
    Iterator found(chunks_.data() + (chunk - chunks_.begin()), chunks_.data() + chunks_.size());
    if (chunk == chunks_.end()) return found;
    const auto& all = (*chunk)->openings;
    found.at_ += std::partition_point(all.begin(), all.end(), before) - all.begin();
    return found;
  }

  /// Of a list by start: the openings that are open throughout [start, end), the latest first, until `visit` is false.
  void VisitAround(Micros start, Micros end, const std::function<bool(const Opening&)>& visit) const;

 private:
  bool Less(const Opening& a, const Opening& b) const;
  std::vector<Opening> Changed(const std::vector<Opening>& openings, const Opening* change, const Opening* end) const;
  /// Puts the openings, in chunks of the right size, in the place of one chunk.
  void Replace(size_t chunk, std::vector<Opening> openings);

  Order order_;
  size_t size_ = 0;
  Chunks chunks_;
};

}  // namespace planner::cluster
