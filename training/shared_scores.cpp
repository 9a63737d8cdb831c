#include "training/shared_scores.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include "backends/ranks/rank_talk.h"
#include "training/host_memory.h"
#include "training/prediction/surface_dice.h"
#include "training/read_ahead.h"

namespace voxmark {
namespace {

constexpr double kNothing = std::numeric_limits<double>::quiet_NaN();  // of what need not be there

// Writes what the reader below reads, in the same order.
class Writer {
 public:
  void operator()(double value) { values_.push_back(value); }
  void operator()(std::int64_t value) { values_.push_back(static_cast<double>(value)); }
  void operator()(const std::optional<double>& value) {
    values_.push_back(value.value_or(kNothing));
  }
  template <class T>
  void operator()(const std::vector<T>& list) {
    values_.push_back(static_cast<double>(list.size()));
    for (const T& value : list) {
      (*this)(value);
    }
  }
  std::vector<double> values() && { return std::move(values_); }

 private:
  std::vector<double> values_;
};

class Reader {
 public:
  explicit Reader(std::span<const double> values) : values_(values) {}
  void operator()(double& value) { value = next(); }
  void operator()(std::int64_t& value) { value = static_cast<std::int64_t>(next()); }
  void operator()(std::optional<double>& value) {
    const double found = next();
    value = std::isnan(found) ? std::nullopt : std::optional(found);
  }
  template <class T>
  void operator()(std::vector<T>& list) {
    list.resize(static_cast<std::size_t>(next()));
    for (T& value : list) {
      (*this)(value);
    }
  }

 private:
  double next() {
    const double value = values_.front();
    values_ = values_.subspan(1);
    return value;
  }
  std::span<const double> values_;
};

// `Case`: TestCase, const or not.
template <class Case, class Visit>
void visit_members(Case& scored, Visit& visit) {
  visit(scored.dims.d);
  visit(scored.dims.h);
  visit(scored.dims.w);
  for (auto& spacing : scored.spacing) {
    visit(spacing);
  }
  auto& scores = scored.scores;
  visit(scores.loss);
  visit(scores.accuracy);
  visit(scores.soft_dice);
  visit(scores.hard_dice);
  visit(scores.whole_dice);
  visit(scores.surface_dice);
  visit(scores.whole_surface_dice);
}

constexpr std::array kSums = {
    &ClassSums::prediction_target, &ClassSums::prediction, &ClassSums::target,
    &ClassSums::target_hard,       &ClassSums::hard,       &ClassSums::correct};

TestCase score_case(const TrainingOptions& options, const SubjectSource& part, std::size_t index,
                    const Subject& subject, Surfaces surfaces, Predictor& predictor) {
  const std::vector<float> prediction = predictor.predict(subject);
  const std::int64_t channels = predictor.channels();
  TestCase scored;
  scored.dims = subject.dims;
  scored.scores = scores_of(prediction, channels, subject.dims, subject.labels);
  if (surfaces == Surfaces::yes) {
    scored.spacing = spacing_of(part.affine(index));
    add_surface_dice(scored.scores, subject.labels, hard_labels(prediction, channels, subject.dims),
                     channels, subject.dims, {scored.spacing, options.surface_tolerance});
  }
  return scored;
}

}  // namespace

double score_cases(const TrainingOptions& options, const SubjectSource& part, Surfaces surfaces,
                   Predictor& predictor, TrainingObserver& observer,
                   const std::function<void(const TestCase&)>& visit) {
  Collectives* const all = options.collectives;
  const auto ranks = static_cast<std::size_t>(options.ranks);
  const auto rank = static_cast<std::size_t>(rank_of(all));
  const std::size_t own_cases = cases_of_rank(part.count, rank_of(all), options.ranks);
  ReadAhead<Subject> subjects(
      [&](std::uint64_t index) {
        return part.load(static_cast<std::size_t>(index) * ranks + rank,
                         options.network.input_channels);
      },
      0, own_cases, options.readers, images_ahead(options), options.begin_reader);
  double waited = 0;
  const std::size_t rounds = cases_of_rank(part.count, 0, options.ranks);
  for (std::size_t i = 0; i < rounds && !any_rank(all, observer.stop()); ++i) {
    std::optional<TestCase> own;
    if (i < own_cases) {
      const auto start = std::chrono::steady_clock::now();
      const Subject subject = subjects.next();
      waited += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
      own = score_case(options, part, i * ranks + rank, subject, surfaces, predictor);
    }
    std::size_t index = i * ranks;
    for (std::optional<TestCase>& of_rank : cases_of_all(all, own)) {
      if (of_rank) {
        of_rank->name = part.case_name(index++);
        visit(*of_rank);
      }
    }
  }
  return waited;
}

std::size_t cases_of_rank(std::size_t count, int rank, int ranks) {
  const auto first = static_cast<std::size_t>(rank);
  return count > first ? (count - first - 1) / static_cast<std::size_t>(ranks) + 1 : 0;
}

std::vector<std::optional<TestCase>> cases_of_all(Collectives* ranks,
                                                  const std::optional<TestCase>& own) {
  Writer writer;
  if (own) {
    visit_members(*own, writer);
  }
  std::vector<std::optional<TestCase>> found;
  for (const std::vector<double>& values : values_of_each(ranks, std::move(writer).values())) {
    std::optional<TestCase>& of_rank = found.emplace_back();
    if (!values.empty()) {
      Reader reader(values);
      visit_members(of_rank.emplace(), reader);
    }
  }
  return found;
}

std::vector<ClassSums> sums_of_all(Collectives* ranks, std::span<const ClassSums> own) {
  std::vector<double> values;
  values.reserve(own.size() * kSums.size());
  for (const ClassSums& sums : own) {
    for (const auto member : kSums) {
      values.push_back(sums.*member);
    }
  }
  std::vector<ClassSums> all;
  for (const std::vector<double>& of_rank : values_of_each(ranks, values)) {
    for (std::size_t i = 0; i < of_rank.size(); i += kSums.size()) {
      ClassSums& sums = all.emplace_back();
      for (std::size_t k = 0; k < kSums.size(); ++k) {
        sums.*kSums[k] = of_rank[i + k];
      }
    }
  }
  return all;
}

std::vector<int> ranks_without_numbers(std::span<const ClassSums> sums, int ranks) {
  std::vector<int> found;
  const std::size_t each = sums.size() / static_cast<std::size_t>(ranks);
  for (int rank = 0; rank < ranks; ++rank) {
    const auto own = sums.subspan(static_cast<std::size_t>(rank) * each, each);
    const bool has_none = std::ranges::any_of(own, [](const ClassSums& of_image) {
      return std::ranges::any_of(
          kSums, [&](const auto member) { return !std::isfinite(of_image.*member); });
    });
    if (has_none) {
      found.push_back(rank);
    }
  }
  return found;
}

}  // namespace voxmark
