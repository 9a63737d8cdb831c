// SHA-256's state has to go from rank to rank, which OpenSSL's newer interface keeps to itself.
#define OPENSSL_SUPPRESS_DEPRECATED
#include "benches/child/rank_batch.h"

#include <fmt/format.h>
#include <openssl/sha.h>

#include <array>
#include <cstring>

#include "base/sha256.h"
#include "benches/protocol/case_work.h"

namespace voxmark {
namespace {

// Each rank goes on where the one before it stopped: first over all inputs, then over all targets.
std::string sha256_of_all(const Batch& own, RankGroup& group) {
  SHA256_CTX state{};
  SHA256_Init(&state);
  for (const std::vector<float>* values : {&own.input, &own.target}) {
    for (int rank = 0; rank < group.ranks(); ++rank) {
      std::string told;
      if (rank == group.rank()) {
        SHA256_Update(&state, values->data(), values->size() * sizeof(float));
        told.assign(reinterpret_cast<const char*>(&state), sizeof state);
      }
      told = texts_of_each(&group.collectives(), told).at(static_cast<std::size_t>(rank));
      std::memcpy(&state, told.data(), sizeof state);
    }
  }
  std::array<unsigned char, SHA256_DIGEST_LENGTH> digest{};
  SHA256_Final(digest.data(), &state);
  std::string hex;
  for (const unsigned char byte : digest) {
    hex += fmt::format("{:02x}", byte);
  }
  return hex;
}

}  // namespace

std::string conflict_of_batches(const std::vector<std::string>& own,
                                const std::vector<std::string>& next) {
  for (std::size_t rank = 0; rank < own.size(); ++rank) {
    const std::size_t other = (rank + 1) % own.size();
    if (next[rank] != own[other]) {
      return fmt::format(
          "ranks {} and {} read different data, as the images of rank {}: SHA-256 {} and {}", rank,
          other, other, next[rank], own[other]);
    }
  }
  return "";
}

RankBatch batch_of_rank(const CaseSpec& spec, RankGroup& group) {
  // First, so that its memory is free again before this rank's own is taken.
  const std::string next = sha256_hex(images_of_rank(spec, (group.rank() + 1) % group.ranks()));
  RankBatch batch{images_of_rank(spec, group.rank()), ""};
  const std::string conflict =
      conflict_of_batches(texts_of_each(&group.collectives(), sha256_hex(batch.own)),
                          texts_of_each(&group.collectives(), next));
  if (!conflict.empty()) {
    throw AgreedError(ExitCode::bad_input, "ranks: " + conflict);
  }
  batch.sha256 = sha256_of_all(batch.own, group);
  return batch;
}

}  // namespace voxmark
