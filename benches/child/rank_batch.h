// What a rank trains on: its own images, without ever holding those of the others.
#pragma once

#include <string>
#include <vector>

#include "benches/child/rank_group.h"
#include "workloads/cases/case_spec.h"
#include "workloads/network/batch.h"

namespace voxmark {

struct RankBatch {
  Batch own;
  std::string sha256;  // of case_batch(spec): the images of all ranks
};

// Called by all ranks. Each makes its own images, and once more those of the next rank, to find who
// reads other data: throws AgreedError (bad_input) naming these two; Error as case_batch() does.
RankBatch batch_of_rank(const CaseSpec& spec, RankGroup& group);

// Two ranks that read different data; "" where all agree. own[r]: the hash of rank r's images.
// next[r]: of the images of the rank behind it, the first one behind the last, as rank r reads
// them.
std::string conflict_of_batches(const std::vector<std::string>& own,
                                const std::vector<std::string>& next);

}  // namespace voxmark
