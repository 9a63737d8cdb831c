#include "backends/ranks/rank_talk.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstring>
#include <new>
#include <optional>
#include <utility>

namespace voxmark {
namespace {

std::vector<double> gathered(Collectives& ranks, std::span<const double> own) {
  std::vector<double> all(own.size() * static_cast<std::size_t>(ranks.ranks()));
  ranks.gather(ExchangeKind::loss, own, all);
  return all;
}

std::vector<double> one_of_each(Collectives* ranks, double own) {
  return ranks == nullptr ? std::vector<double>{own} : gathered(*ranks, std::array{own});
}

// As doubles, each of which carries eight characters; first how many there are.
std::vector<double> packed(const std::string& text) {
  std::vector<double> values(1 + (text.size() + sizeof(double) - 1) / sizeof(double));
  values.front() = static_cast<double>(text.size());
  std::memcpy(values.data() + 1, text.data(), text.size());
  return values;
}

std::string unpacked(std::span<const double> values) {
  std::string text(static_cast<std::size_t>(values.front()), ' ');
  std::memcpy(text.data(), values.data() + 1, text.size());
  return text;
}

struct Failure {
  ExitCode code = ExitCode::internal;
  std::string message;
};

std::optional<Failure> failure_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    return Failure{error.code(), error.what()};
  } catch (const std::bad_alloc&) {
    return Failure{ExitCode::cannot_here, "out of memory"};
  } catch (const std::exception& error) {
    return Failure{ExitCode::internal, error.what()};
  }
  return std::nullopt;
}

}  // namespace

bool is_first(const Collectives* ranks) { return rank_of(ranks) == 0; }
int rank_of(const Collectives* ranks) { return ranks == nullptr ? 0 : ranks->rank(); }

std::vector<std::vector<double>> values_of_each(Collectives* ranks, std::span<const double> own) {
  if (ranks == nullptr) {
    return {{own.begin(), own.end()}};
  }
  const std::vector<double> sizes = one_of_each(ranks, static_cast<double>(own.size()));
  std::vector<double> padded(own.begin(), own.end());
  padded.resize(static_cast<std::size_t>(std::ranges::max(sizes)));
  const std::vector<double> all = gathered(*ranks, padded);
  std::vector<std::vector<double>> each;
  each.reserve(sizes.size());
  for (std::size_t r = 0; r < sizes.size(); ++r) {
    const auto begin = all.begin() + static_cast<std::ptrdiff_t>(r * padded.size());
    each.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(sizes[r]));
  }
  return each;
}

std::vector<std::string> texts_of_each(Collectives* ranks, const std::string& own) {
  std::vector<std::string> texts;
  for (const std::vector<double>& values : values_of_each(ranks, packed(own))) {
    texts.push_back(unpacked(values));
  }
  return texts;
}

bool any_rank(Collectives* ranks, bool own) { return most_of_ranks(ranks, own ? 1 : 0) > 0; }

double least_of_ranks(Collectives* ranks, double own) {
  return std::ranges::min(one_of_each(ranks, own));
}

double most_of_ranks(Collectives* ranks, double own) {
  return std::ranges::max(one_of_each(ranks, own));
}

std::string text_of_first(Collectives* ranks, std::string text) {
  double size = static_cast<double>(text.size());
  values_of_first(ranks, {&size, 1});
  text.resize(static_cast<std::size_t>(size));
  if (ranks != nullptr) {
    ranks->broadcast(std::as_writable_bytes(std::span(text)));
  }
  return text;
}

void values_of_first(Collectives* ranks, std::span<double> values) {
  if (ranks != nullptr) {
    ranks->broadcast(std::as_writable_bytes(values));
  }
}

void expect_equal(Collectives* ranks, const std::string& what, const std::string& own) {
  const std::vector<std::string> all = texts_of_each(ranks, own);
  const auto other =
      std::ranges::find_if(all, [&](const std::string& text) { return text != all.front(); });
  if (other != all.end()) {
    throw AgreedError(ExitCode::bad_input,
                      fmt::format("ranks: rank {} has another {} than rank 0: {} and {}",
                                  other - all.begin(), what, *other, all.front()));
  }
}

void together(Collectives* ranks, const std::function<void()>& action) {
  if (ranks == nullptr) {
    return action();
  }
  const std::optional<Failure> own = failure_of(action);
  if (!any_rank(ranks, own.has_value())) {
    return;
  }
  const std::vector<double> codes =
      one_of_each(ranks, own ? static_cast<double>(static_cast<int>(own->code)) : 0);
  const std::vector<std::string> messages = texts_of_each(ranks, own ? own->message : "");
  const auto first = std::ranges::find_if(codes, [](double code) { return code != 0; });
  const auto rank = static_cast<std::size_t>(first - codes.begin());
  throw AgreedError(static_cast<ExitCode>(static_cast<int>(*first)),
                    rank == 0 ? messages[0] : fmt::format("rank {}: {}", rank, messages[rank]));
}

}  // namespace voxmark
