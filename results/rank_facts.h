// What a report says of ranks beside their cases: how fast they reach each other (its "limits" have
// "ranks", a list of RankLimits) and what a model predicts of a step (a record's "details" have
// "rank_model"). results/report.schema.json describes each; units are in the names.
#pragma once

#include "results/members.h"

namespace voxmark {

// How long messages of so many bytes take between ranks (benches/limits/rank_limits.h): of many
// calls, in seconds.
struct MessageLimit {
  std::optional<std::int64_t> bytes;
  std::optional<std::int64_t> calls;
  std::optional<double> seconds;  // the median
  std::optional<double> seconds_minimum;
  std::optional<double> seconds_mean;
  std::optional<double> seconds_maximum;
  std::optional<double> cpu_seconds;       // of each rank's process
  std::optional<double> bytes_per_second;  // that each rank sends

  static constexpr auto members() {
    using Own = MessageLimit;
    return std::tuple{Member{"bytes", &Own::bytes},
                      Member{"calls", &Own::calls},
                      Member{"seconds", &Own::seconds},
                      Member{"seconds_minimum", &Own::seconds_minimum},
                      Member{"seconds_mean", &Own::seconds_mean},
                      Member{"seconds_maximum", &Own::seconds_maximum},
                      Member{"cpu_seconds", &Own::cpu_seconds},
                      Member{"bytes_per_second", &Own::bytes_per_second}};
  }
};

// Between so many ranks, on the hosts and by the launcher of a run.
struct RankLimits {
  std::optional<std::int64_t> ranks;
  std::optional<std::int64_t> threads;  // of each
  std::optional<std::string> launcher;
  std::optional<std::string> library;                // of MPI
  std::optional<std::vector<std::string>> hosts;     // by rank
  std::optional<bool> has_spare_cpus;                // each rank has more CPUs than threads
  std::optional<std::vector<MessageLimit>> gathers;  // doubles of each rank to all
  std::optional<MessageLimit> gather_behind_sum;     // one while gradients are on the wire
  std::optional<std::vector<MessageLimit>> sums;     // floats, as gradients are summed
  std::optional<std::string> reason;                 // why they were not measured

  static constexpr auto members() {
    using Own = RankLimits;
    return std::tuple{
        Member{"ranks", &Own::ranks},       Member{"threads", &Own::threads},
        Member{"launcher", &Own::launcher}, Member{"library", &Own::library},
        Member{"hosts", &Own::hosts},       Member{"has_spare_cpus", &Own::has_spare_cpus},
        Member{"gathers", &Own::gathers},   Member{"gather_behind_sum", &Own::gather_behind_sum},
        Member{"sums", &Own::sums},         Member{"reason", &Own::reason}};
  }
};

// The step of several ranks by a model (benches/run/rank_model.h), to stand beside what was
// measured.
struct RankModel {
  std::optional<double> seconds;  // the sum of the four that follow
  std::optional<double> computing_seconds;
  std::optional<double> statistics_seconds;  // exposed, as the next two
  std::optional<double> loss_seconds;
  std::optional<double> gradients_seconds;
  std::optional<double> hidden_seconds;  // of gradients, behind computing
  std::optional<std::string> reason;     // why there is none

  static constexpr auto members() {
    return std::tuple{Member{"seconds", &RankModel::seconds, kNullWithReason},
                      Member{"computing_seconds", &RankModel::computing_seconds},
                      Member{"statistics_seconds", &RankModel::statistics_seconds},
                      Member{"loss_seconds", &RankModel::loss_seconds},
                      Member{"gradients_seconds", &RankModel::gradients_seconds},
                      Member{"hidden_seconds", &RankModel::hidden_seconds},
                      Member{"reason", &RankModel::reason}};
  }
};

}  // namespace voxmark
