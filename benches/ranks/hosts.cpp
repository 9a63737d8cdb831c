#include "benches/ranks/hosts.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <numeric>
#include <sstream>

#include "base/error.h"
#include "base/json.h"

namespace voxmark {
namespace {

constexpr int kMostSlots = 1 << 20;  // far more than a case has ranks, and sums of them stay small

// 0 where it is no number of ranks.
int count_of(std::string_view text) {
  int count = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool is_number = failure == std::errc() && end == text.data() + text.size();
  return is_number ? std::clamp(count, 0, kMostSlots) : 0;
}

// Of a line's words, of which there is at least one. Slots are -1 where they are no number.
Host host_of(const std::vector<std::string>& words) {
  Host host{words.front(), 0};
  const std::size_t colon = host.name.rfind(':');
  // An IPv6 address has colons of its own.
  if (colon != std::string::npos && host.name.find(':') == colon) {
    host.slots = count_of(std::string_view(host.name).substr(colon + 1));
    host.slots = host.slots == 0 ? -1 : host.slots;
    host.name.resize(colon);
  }
  for (auto word = words.begin() + 1; word != words.end(); ++word) {
    constexpr std::string_view kSlots = "slots=";
    const int slots = word->starts_with(kSlots) ? count_of(word->substr(kSlots.size())) : 0;
    const bool is_a_bound = word->starts_with("max_slots=") || word->starts_with("max-slots=");
    if (slots > 0 && host.slots == 0) {
      host.slots = slots;
    } else if (!is_a_bound) {
      host.slots = -1;
    }
  }
  return host;
}

void add(std::vector<Host>& hosts, const Host& host) {
  const auto known = std::ranges::find(hosts, host.name, &Host::name);
  if (known == hosts.end()) {
    hosts.push_back(host);
  } else {
    known->slots = std::min(std::max(known->slots, 1) + std::max(host.slots, 1), kMostSlots);
  }
}

// So many to each that none has two more than another, weighed by `slots`.
std::vector<int> shares(const std::vector<int>& slots, int ranks) {
  const std::int64_t all = std::accumulate(slots.begin(), slots.end(), std::int64_t{0});
  std::vector<int> counts;
  std::int64_t before = 0;
  std::int64_t dealt = 0;
  for (const int own : slots) {
    before += own;
    const std::int64_t share = (ranks * before + all - 1) / all - dealt;
    counts.push_back(static_cast<int>(share));  // the first ones get the one more
    dealt += share;
  }
  return counts;
}

}  // namespace

std::vector<Host> parse_hosts(std::string_view text, std::string_view name) {
  std::istringstream lines{std::string(text)};
  std::vector<Host> hosts;
  int number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    std::istringstream rest(line.substr(0, line.find('#')));
    std::vector<std::string> words;
    for (std::string word; rest >> word;) {
      words.push_back(word);
    }
    if (words.empty()) {
      continue;
    }
    const Host host = host_of(words);
    if (host.slots < 0 || host.name.empty() || host.name.front() == '-' ||
        host.name.find(',') != std::string::npos) {
      throw_bad_input(
          "{}: line {}: {}: expected a host's name, and behind it the ranks that it takes: "
          "\"node1 slots=2\" or \"node1:2\"",
          name, number, fmt::join(words, " "));
    }
    add(hosts, host);
  }
  if (hosts.empty()) {
    throw_bad_input("{}: no host in it, expected a host's name on each line", name);
  }
  return hosts;
}

std::vector<Host> read_hosts(const std::string& path) {
  return parse_hosts(read_text_file(path), path);
}

std::vector<Host> hosts_of_tasks(std::string_view text) {
  std::vector<Host> hosts;
  std::istringstream parts{std::string(text)};
  for (std::string part; std::getline(parts, part, ',');) {
    const std::size_t times = part.find("(x");
    const int slots = count_of(part.substr(0, times));
    int count = 1;
    if (times != std::string::npos) {
      count = part.ends_with(')') ? count_of(part.substr(times + 2, part.size() - times - 3)) : 0;
    }
    if (slots == 0 || count == 0) {
      return {};
    }
    hosts.insert(hosts.end(), static_cast<std::size_t>(count), Host{"", slots});
  }
  return hosts;
}

std::vector<HostRanks> ranks_by_host(const std::vector<Host>& hosts, int ranks,
                                     bool oversubscribe) {
  if (hosts.empty() || ranks < 1) {
    throw_bad_input("{} ranks on {} hosts: expected at least one of each", ranks, hosts.size());
  }
  const bool are_told = std::ranges::any_of(hosts, [](const Host& host) { return host.slots > 0; });
  std::vector<int> slots;
  slots.reserve(hosts.size());
  for (const Host& host : hosts) {
    slots.push_back(std::max(host.slots, 1));
  }
  const std::int64_t all = std::accumulate(slots.begin(), slots.end(), std::int64_t{0});
  std::vector<int> counts;
  if (!are_told || (ranks > all && oversubscribe)) {
    counts = shares(slots, ranks);
  } else if (ranks > all) {
    std::vector<std::string> told;
    for (std::size_t i = 0; i < hosts.size(); ++i) {
      told.push_back(fmt::format("{}: {}", hosts[i].name, slots[i]));
    }
    throw_bad_input(
        "ranks {}: the hosts take {} ({}): write more slots into the file of --hosts, or say fewer "
        "--ranks, or --oversubscribe",
        ranks, all, fmt::join(told, ", "));
  } else {
    int left = ranks;
    for (const int own : slots) {
      counts.push_back(std::min(own, left));
      left -= counts.back();
    }
  }
  std::vector<HostRanks> found;
  for (std::size_t i = 0; i < hosts.size(); ++i) {
    if (counts[i] > 0) {
      found.push_back({hosts[i].name, counts[i]});
    }
  }
  return found;
}

}  // namespace voxmark
