// A program that ranks of MPI run together: the collectives give every rank the sums of all, with
// the same bits, whatever the sizes. Exit status 0: they do.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "base/error.h"
#include "benches/ranks/message_collectives.h"
#include "benches/ranks/mpi_library.h"

namespace voxmark {
namespace {

// Of any size and sign: sums of them depend on their order.
template <class T>
T value(int rank, int round, std::size_t index) {
  const double x =
      static_cast<double>((index * 2654435761U + static_cast<std::size_t>(round)) % 1009);
  return static_cast<T>((x - 504) * (rank + 1) / (1 + static_cast<double>(index % 97)));
}

template <class T>
std::vector<T> values_of(int rank, int round, std::size_t size) {
  std::vector<T> values(size);
  for (std::size_t i = 0; i < size; ++i) {
    values[i] = value<T>(rank, round, i);
  }
  return values;
}

template <class T>
bool is_sum_of_all(const std::vector<T>& found, int ranks, int round) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    double sum = 0;
    for (int r = 0; r < ranks; ++r) {
      sum += static_cast<double>(value<T>(r, round, i));
    }
    if (found[i] != static_cast<T>(sum)) {
      return false;
    }
  }
  return true;
}

std::string first_fault(MessageCollectives& collectives) {
  const int rank = collectives.rank(), ranks = collectives.ranks();
  for (int round = 0; round < 30; ++round) {
    std::vector<float> small = values_of<float>(rank, round, static_cast<std::size_t>(round % 5));
    std::vector<double> doubles = values_of<double>(rank, round, 1001);
    std::vector<float> large = values_of<float>(rank, round, 300007);
    collectives.begin_sum(std::span(small));
    collectives.begin_sum(std::span(doubles));
    collectives.begin_sum(std::span(large));
    for (std::size_t size : {std::size_t{1}, std::size_t{3000}}) {  // meanwhile
      const std::vector<double> own = values_of<double>(rank, round, size);
      std::vector<double> all(size * static_cast<std::size_t>(ranks));
      collectives.gather(ExchangeKind::statistics, own, all);
      for (int r = 0; r < ranks; ++r) {
        const std::vector<double> expected = values_of<double>(r, round, size);
        if (!std::equal(expected.begin(), expected.end(),
                        all.begin() + r * static_cast<std::ptrdiff_t>(size))) {
          return fmt::format("gather of {} in round {}", size, round);
        }
      }
    }
    collectives.wait();
    std::vector<double> of_first = values_of<double>(rank, round, 1001);
    collectives.broadcast(std::as_writable_bytes(std::span(of_first)));
    if (of_first != values_of<double>(0, round, 1001)) {
      return fmt::format("broadcast in round {}", round);
    }
    if (!is_sum_of_all(small, ranks, round) || !is_sum_of_all(doubles, ranks, round) ||
        !is_sum_of_all(large, ranks, round)) {
      return fmt::format("sums in round {}", round);
    }
    const ExchangeTimes times = collectives.times();
    collectives.forget_times();
    if (times.waits.size() != 3 || times.messages.size() != 3 ||
        !(times.bytes_sent > 0) != (ranks == 1)) {
      return fmt::format("times of round {}", round);
    }
  }
  return "";
}

int check(int expected) {
  const VoxmarkMpi& mpi = load_mpi_plugin(mpi_plugin_path());
  int rank = 0, ranks = 0;
  if (const char* reason = mpi.start(&rank, &ranks)) {
    fmt::print(stderr, "{}\n", reason);
    return 1;
  }
  std::string fault =
      ranks == expected ? "" : fmt::format("{} ranks, expected {}", ranks, expected);
  if (fault.empty()) {
    MessageCollectives collectives(mpi, rank, ranks);
    fault = first_fault(collectives);
  }
  if (!fault.empty()) {
    fmt::print(stderr, "rank {} with {}: {}\n", rank, mpi.library(), fault);
    mpi.abort(1);
  }
  mpi.finish();
  return 0;
}

}  // namespace
}  // namespace voxmark

int main(int count, char** arguments) {
  try {
    return voxmark::check(count > 1 ? std::atoi(arguments[1]) : 1);
  } catch (const voxmark::Error& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
