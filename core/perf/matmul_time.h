#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/perf/machine.h"

namespace planner::perf {

/// Loss of a product whose sizes are not multiples of 64 elements (128 bytes, a full line of tensor-core operands): `loss`
/// for each halving of the largest power of two that divides them. 14,400 / 8 = 1,800 = 8 x 225: three halvings; BLOOM's
/// own table has 14,336 / 8 = 1,792 = 64 x 28 27 % faster.
inline double Misalignment(int64_t size, double loss) {
  if (size <= 0) return 1;
  int twos = 0;
  while (twos < 6 && (size & 1) == 0) {
    size >>= 1;
    ++twos;
  }
  return 1 + loss * (6 - twos);
}

/// Seconds of one product of rows x in times in x out, `count` times at once:
///
///   t = max(2 rows in out count / rate x (1 + wave (ceil(w)/w - 1)) (1 + depth/in) (1 + edge/rows) (1 + edge/out) misaligned, bytes / memory bandwidth)
///
/// w: waves of 128 x 128 tiles over the card's units. `misaligned` is the caller's Misalignment of in and out.
/// 1,024 x 1,024 x 4,096 on 108 units: 256 tiles, 2.37 waves, a third wave that is filled to 0.37: 27 % of it lost with
/// wave 1.
inline double ProductSeconds(const Machine& machine, const SharedConstants& shared, double rate, double rows, double in,
                             double out, double misaligned, double count = 1) {
  constexpr double kTile = 128;
  const double waves = std::ceil(rows / kTile) * std::ceil(out / kTile) * count / machine.units;
  const double quantization = 1 + shared.wave * (std::ceil(waves) / waves - 1);
  const double flops = 2 * rows * in * out * count;
  const double bytes = machine.element_bytes * count * (rows * in + in * out + rows * out);
  return std::max(flops / rate * quantization * (1 + shared.depth / in) * (1 + shared.edge / rows) *
                      (1 + shared.edge / out) * misaligned,
                  bytes / machine.memory);
}

/// A product with a weight: forward, and the gradients of its input and of its weight.
struct ProductTime {
  double forward = 0;
  double input_gradient = 0;
  double weight_gradient = 0;

  ProductTime& operator+=(const ProductTime& other) {
    forward += other.forward;
    input_gradient += other.input_gradient;
    weight_gradient += other.weight_gradient;
    return *this;
  }
  ProductTime& operator*=(double factor) {
    forward *= factor;
    input_gradient *= factor;
    weight_gradient *= factor;
    return *this;
  }
};

/// Of rows x in times in x out, `count` such at once (experts).
inline ProductTime WeightProduct(const Machine& machine, const SharedConstants& shared, double rate, double rows,
                                 double in, double out, double count = 1) {
  const double misaligned = std::max(Misalignment(static_cast<int64_t>(in), shared.misalignment),
                                     Misalignment(static_cast<int64_t>(out), shared.misalignment));
  return {ProductSeconds(machine, shared, rate, rows, in, out, misaligned, count),
          shared.backward_matmul * ProductSeconds(machine, shared, rate, rows, out, in, misaligned, count),
          shared.backward_matmul * ProductSeconds(machine, shared, rate, in, rows, out, misaligned, count)};
}

}  // namespace planner::perf
