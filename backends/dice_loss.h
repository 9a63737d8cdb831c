// The loss and its gradient's coefficients, from the totals that all images share.
#pragma once

#include <cmath>

#include "workloads/network/program.h"

namespace voxmark {

// Over all images and channels ("rows").
struct DiceTotals {
  double both = 0;    // sum of (sum p*t + s)
  double either = 0;  // sum of (sum t + sum p + s)
  double rows = 0;
};

// `sums`: (rows, kDiceSumCount) as DiceSums leaves them.
inline DiceTotals dice_totals(std::int64_t rows, const double* sums) {
  DiceTotals totals;
  for (std::int64_t i = 0; i < rows; ++i) {
    const double* row = sums + i * kDiceSumCount;
    totals.both += row[0] + kDiceSmooth;
    totals.either += row[2] + row[1] + kDiceSmooth;
  }
  totals.rows = static_cast<double>(rows);
  return totals;
}

// loss (1), gradient_coefficients (2), as DiceLoss has them.
inline void set_dice_loss(const DiceTotals& totals, double* loss, double* gradient_coefficients) {
  *loss = -std::log(2.0 * totals.both / totals.rows) + std::log(totals.either / totals.rows);
  gradient_coefficients[0] = -1.0 / totals.both;
  gradient_coefficients[1] = 1.0 / totals.either;
}

}  // namespace voxmark
