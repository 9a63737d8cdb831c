#include "tools/voxmark/rank_doctor.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/error.h"
#include "base/number_text.h"
#include "benches/exchange/ask_ranks.h"
#include "results/tables/table.h"

namespace voxmark {
namespace {

constexpr double kPatienceSeconds = 60;
constexpr std::size_t kDigestCharacters = 12;  // as sysinfo shows them

RankDiagnosis spoilt(const std::string& found, const std::string& reason) {
  return {{"ranks", Health::spoils, found, "voxmark run cannot start these ranks", reason}, {}};
}

// "oneDNN 2.6.3 (avx512_core), Eigen 3.4.0"
std::string libraries_text(const Json& libraries) {
  std::vector<std::string> texts;
  for (const Json& own : libraries) {
    std::string isa = own.at("isa");  // a list where a library has several: the widest first
    isa.resize(std::min(isa.size(), isa.find(',')));
    texts.push_back(own.at("name").get<std::string>() + " " + own.at("version").get<std::string>() +
                    (isa.empty() ? "" : " (" + isa + ")"));
  }
  return fmt::format("{}", fmt::join(texts, ", "));
}

// Of each thread: "0, 1"; of no team, where the rank may run.
std::string cpus_text(const Json& rank) {
  if (!rank.contains("thread_cpus")) {
    return fmt::format("{}", fmt::join(rank.at("cpus").get<std::vector<int>>(), ","));
  }
  return fmt::format("{}", fmt::join(rank.at("thread_cpus").get<std::vector<std::string>>(), " "));
}

}  // namespace

RankDiagnosis diagnose_ranks(const RankFlags& flags, int ranks, int threads) {
  const auto settings = rank_settings(flags);
  if (const auto* reason = std::get_if<std::string>(&settings)) {
    return spoilt("none can be started", *reason);
  }
  const auto& found = std::get<RankSettings>(settings);
  threads = threads_of_ranks(found, ranks, threads);
  try {
    check_cpus_for_ranks(flags, ranks, threads);
  } catch (const Error& error) {
    return spoilt("too few CPUs", error.what());
  }
  try {
    Json told = ask_ranks(found, ranks, threads, "facts", kPatienceSeconds);
    const std::string conflict = told.at("conflict");
    told["launcher"] = description(found.launcher);
    const std::string counts =
        fmt::format("{} of {}", counted(ranks, "rank"), counted(threads, "thread"));
    RankDiagnosis diagnosis = conflict.empty()
                                  ? RankDiagnosis{{"ranks", Health::good, counts, "", ""}, {}}
                                  : spoilt(counts, conflict);
    diagnosis.ranks = std::move(told);
    return diagnosis;
  } catch (const Error& error) {
    if (error.code() == ExitCode::bad_input) {
      throw;
    }
    return spoilt("they do not start", error.what());
  }
}

std::string render_ranks(const Json& ranks) {
  if (ranks.empty()) {
    return "";
  }
  Table table{{{"rank", Align::right},
               {"host", Align::left},
               {"CPUs of threads", Align::left},
               {"free memory", Align::right},
               {"build", Align::left},
               {"libraries", Align::left}},
              {}};
  for (const Json& rank : ranks.at("each")) {
    const std::string digest = rank.at("kernels").at("binary_sha256");
    table.rows.push_back({fmt::format("{}", table.rows.size()), rank.at("host"), cpus_text(rank),
                          bytes_text(rank.at("memory").at("bytes").get<std::int64_t>()),
                          digest.substr(0, kDigestCharacters),
                          libraries_text(rank.at("backend_libraries"))});
  }
  return fmt::format("{}; ranks started by {}\n{}", ranks.at("library").get<std::string>(),
                     ranks.at("launcher").get<std::string>(), render_text(table));
}

}  // namespace voxmark
