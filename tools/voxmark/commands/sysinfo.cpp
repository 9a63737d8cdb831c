// voxmark sysinfo: what a measurement on this machine depends on, as a table like the appendix of
// the white paper, or as the JSON that stands in every report.
#include <fmt/format.h>
#include <unistd.h>

#include <memory>

#include "base/number_text.h"
#include "benches/machine/build_info.h"
#include "benches/machine/environment.h"
#include "benches/machine/redact.h"
#include "results/tables/table.h"
#include "tools/voxmark/subcommand.h"

namespace voxmark {
namespace {

struct Options {
  bool json = false;
  bool redact = false;
};

class Appendix {
 public:
  explicit Appendix(const Json& environment) : environment_(environment) {}

  void heading(const std::string& text) { table_.rows.push_back({text, ""}); }
  void row(const std::string& name, const std::string& value) {
    table_.rows.push_back({"  " + name, value});
  }
  // A fact of the environment, or why it is not known.
  void fact(const std::string& name, const char* section, const char* key) {
    row(name, text(section, key));
  }
  std::string text(const char* section, const char* key) const {
    const Json& facts = environment_.at(section);
    if (!facts.contains(key) || facts.at(key).is_null()) {
      const Json reasons = facts.value("reasons", Json::object());
      return "- (" + reasons.value(key, "unknown") + ")";
    }
    return facts.at(key).is_string() ? facts.at(key).get<std::string>() : dump_json(facts.at(key));
  }
  std::string bytes(const char* section, const char* key) const {
    const Json& facts = environment_.at(section);
    return facts.contains(key) && facts.at(key).is_number()
               ? bytes_text(facts.at(key).get<std::int64_t>())
               : text(section, key);
  }
  std::string render() const { return render_text(table_); }

 private:
  const Json& environment_;
  Table table_{{{"", Align::left}, {"", Align::left}}, {}};
};

// The ISA's letters that decide which kernels run, out of a hundred flags. `told`: the flags, or
// why they are not known.
std::string vector_isa(const Json& environment, const std::string& told) {
  if (!environment.at("cpu").at("flags").is_string()) {
    return told;
  }
  const std::string flags = " " + told + " ";
  std::string found;
  for (const char* name : {"avx2", "fma", "avx_vnni", "avx512f", "avx512_vnni", "avx512_bf16",
                           "avx512_fp16", "amx_tile", "amx_bf16"}) {
    if (flags.find(" " + std::string(name) + " ") != std::string::npos) {
      found += (found.empty() ? "" : " ") + std::string(name);
    }
  }
  return found.empty() ? "- (none of AVX2, AVX-512, AMX)" : found;
}

void add_topology(const Json& environment, Appendix& table) {
  const Json& shape = environment.at("cpu").at("topology");
  if (shape.is_null()) {
    return table.fact("sockets, cores, threads", "cpu", "topology");
  }
  table.row("sockets, cores, hardware threads",
            fmt::format("{}, {}, {}", shape.at("packages").get<int>(), shape.at("cores").get<int>(),
                        shape.at("hardware_threads").get<int>()));
  int number = 0;
  for (const Json& node : shape.at("numa_nodes")) {
    table.row(fmt::format("NUMA node {}", number++),
              fmt::format("{}, CPUs {}", bytes_text(node.at("bytes").get<std::int64_t>()),
                          node.at("cpus").get<std::string>()));
  }
  for (const Json& cache : shape.at("caches")) {
    table.row(fmt::format("cache L{} {}", cache.at("level").get<int>(),
                          cache.at("kind").get<std::string>()),
              fmt::format("{} x {}, {} hardware threads each", cache.at("count").get<int>(),
                          bytes_text(cache.at("bytes").get<std::int64_t>()),
                          cache.at("hardware_threads_each").get<int>()));
  }
}

void add_dimms(const Json& environment, Appendix& table) {
  const Json& modules = environment.at("memory").at("dimms");
  if (!modules.is_array()) {
    return table.fact("modules", "memory", "dimms");
  }
  std::map<std::string, int> counts;
  for (const Json& one : modules) {
    ++counts[fmt::format("{} {} at {} MT/s", bytes_text(one.at("bytes").get<std::int64_t>()),
                         one.at("type").get<std::string>(),
                         one.at("mega_transfers_per_second").get<int>())];
  }
  for (const auto& [module, count] : counts) {
    table.row("modules", fmt::format("{} x {}", count, module));
  }
}

std::string appendix(const Json& environment, const Json& program) {
  Appendix table(environment);
  table.heading("Processor");
  table.fact("model", "cpu", "model_name");
  table.row("family, model, stepping", table.text("cpu", "cpu_family") + ", " +
                                           table.text("cpu", "model") + ", " +
                                           table.text("cpu", "stepping"));
  table.fact("microcode", "cpu", "microcode");
  table.row("vector instructions", vector_isa(environment, table.text("cpu", "flags")));
  add_topology(environment, table);
  table.fact("SMT (hyper-threading)", "cpu", "smt");
  table.fact("no_turbo", "cpu", "no_turbo");
  table.fact("boost", "cpu", "boost");
  table.fact("governor", "cpu", "governor");
  table.fact("frequency driver", "cpu", "frequency_driver");
  table.fact("highest frequency, kHz", "cpu", "max_frequency_khz");
  table.fact("frequency just now, MHz", "cpu", "mhz");
  table.fact("CPUs of this process", "cpu", "allowed_list");
  table.heading("Memory");
  table.row("size", table.bytes("memory", "total_bytes"));
  add_dimms(environment, table);
  table.row("available", table.bytes("memory", "available_bytes") + " (" +
                             table.text("memory", "available_source") + ")");
  table.fact("cgroup's limit, bytes", "memory", "cgroup_limit");
  table.fact("malloc's mmap threshold", "memory", "malloc_mmap_threshold");
  table.fact("transparent huge pages", "memory", "transparent_hugepages");
  table.fact("NUMA balancing", "memory", "numa_balancing");
  table.fact("swappiness", "memory", "swappiness");
  table.heading("System");
  for (const char* name : {"host", "product", "kernel", "hypervisor", "clock_source", "cpu_quota",
                           "cgroup_cpus", "perf_event_paranoid", "load_average"}) {
    std::string title = name;
    std::replace(title.begin(), title.end(), '_', ' ');
    table.fact(title, "system", name);
  }
  for (const auto& item : environment.at("cpu").at("vulnerabilities").items()) {
    table.row("mitigation " + item.key(), item.value().get<std::string>());
  }
  table.heading("Settings");
  if (environment.at("variables").empty()) {
    table.row("OMP_*, KMP_*, ONEDNN_*, ...", "none is set");
  }
  for (const auto& item : environment.at("variables").items()) {
    table.row(item.key(), item.value().get<std::string>());
  }
  table.heading("Software");
  table.row(
      "voxmark",
      program.at("version").get<std::string>() + ", commit " +
          (program.at("commit").is_null() ? "unknown" : program.at("commit").get<std::string>()) +
          (program.at("dirty") == true ? " and changes" : ""));
  table.fact("compiler", "build", "compiler");
  table.fact("flags", "build", "flags");
  table.fact("kernels built for", "build", "kernel_architecture");
  for (const Json& library : environment.at("libraries")) {
    table.row("library", library.at("path").get<std::string>() + " " +
                             library.at("version").get<std::string>() + " " +
                             library.at("sha256").get<std::string>().substr(0, 12));
  }
  return table.render();
}

ExitCode sysinfo(const Options& options) {
  Json facts = {{"voxmark", program_facts(binary_sha256())}, {"environment", probe_environment()}};
  if (options.redact) {
    facts = redacted(facts, facts.at("environment").at("system").at("host").get<std::string>());
  }
  if (options.json) {
    fmt::print("{}\n", dump_json(facts));
  } else {
    fmt::print("{}", appendix(facts.at("environment"), facts.at("voxmark")));
  }
  return ExitCode::done;
}

}  // namespace

void add_sysinfo(Command program) {
  auto options = std::make_shared<Options>();
  Command command = program.add_command(
      "sysinfo",
      "Describes this machine and this build: all that a measurement depends on.\n"
      "Example: voxmark sysinfo --redact");
  command.add_flag("--json", options->json, "one line of JSON, as reports have it");
  command.add_flag("--redact", options->redact, "without host name and folders");
  command.set_action([options] { return sysinfo(*options); });
}

}  // namespace voxmark
