// voxmark train by several ranks: how they are started, and what each of them does beside training.
#pragma once

#include <optional>
#include <string>
#include <variant>

#include "base/json.h"
#include "benches/child/rank_group.h"
#include "benches/child/rank_times.h"
#include "tools/voxmark/rank_options.h"
#include "tools/voxmark/train_flags.h"
#include "tools/voxmark/train_screen.h"

namespace voxmark {

// Adds `voxmark child train`: a rank that voxmark train has started. It is in commands/train.cpp.
void add_train_rank(Command child);

// Of the ranks on one host, how many there are at most; all of them where no launcher is here.
int ranks_of_a_host(const TrainFlags& flags, const std::variant<RankSettings, std::string>& found);

// Starts this command anew as ranks, prints what rank 0 says, hands an interrupt on to it, and
// returns how it ended. Throws Error where a rank dies or hangs, with its name.
ExitCode start_ranks(const TrainFlags& flags, const RankSettings& settings, int threads);

// How many ranks of the group are on this one's host.
int ranks_beside(RankGroup& group);

// What a rank does beside training. Rank 0 has a screen.
class RankObserver : public TrainingObserver {
 public:
  // `facts`: of the ranks, in the report that the screen writes.
  RankObserver(RankGroup& group, const TrainFlags& flags, TrainScreen* screen, Json& facts);

  void warning(const std::string& text) override;
  void forecast(const Forecast& forecast) override;
  void step_begins() override { group_.collectives().forget_times(); }
  void step_ran(double seconds) override;
  void step(int epoch, std::int64_t step, std::int64_t steps, double loss,
            double seconds_left) override;
  void epoch(const TrainingResult& so_far, double seconds_left) override;
  void tested(const TestCase& scored, std::size_t number, std::size_t count) override;
  // Says that this rank is alive, too.
  bool stop() override;
  std::int64_t peak_bytes() override;

  // By all ranks: where each runs, its peak of memory and the times of its steps, to `facts`.
  void gather_facts();
  // The signal by which it was asked to stop.
  int signal() const;

 private:
  bool is_told_to_stop();

  RankGroup& group_;
  const TrainFlags& flags_;
  TrainScreen* screen_;
  Json& facts_;
  RankTimes times_;
  int told_signal_ = 0;  // by the process that started the ranks
};

// What the report says of all ranks but for gather_facts(); null for a process that is alone.
Json facts_of_ranks(const RankGroup& group, const TrainFlags& flags);

}  // namespace voxmark
