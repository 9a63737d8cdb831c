#include "benches/micro/micro_options.h"

#include <benchmark/benchmark.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <string_view>
#include <thread>
#include <utility>

#include "backends/registry/registry.h"
#include "base/error.h"
#include "base/tell.h"

namespace voxmark {
namespace {

void add_flags(CLI::App& app, MicroOptions& options, std::vector<std::string>& images,
               std::string& precision) {
  app.add_option("--image", images, "extents, 64 or 96x96x64; several with commas")
      ->delimiter(',')
      ->capture_default_str();
  app.add_option("--batch", options.batch, "images per step")->capture_default_str();
  app.add_option("--filters", options.unet.filters, "of the finest level")->capture_default_str();
  app.add_option("--channels", options.unet.input_channels, "of an image")->capture_default_str();
  app.add_option("--classes", options.unet.classes, "besides background")->capture_default_str();
  app.add_option("--threads", options.threads, "of a backend")->capture_default_str();
  app.add_option("--precision", precision, "fp32, fp64 or bf16")->capture_default_str();
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (const std::size_t colon = line.find(": ");
        line.starts_with("model name") && colon != std::string::npos) {
      return line.substr(colon + 2);
    }
  }
  return "unknown";
}

// What decides a time beside the code: two outputs that differ in it are not to be compared.
void add_context(const MicroOptions& options) {
  benchmark::AddCustomContext("cpu_model", cpu_model());
  // Of libraries that are loaded: what is compiled in changes with the build alone.
  std::string isa, names;
  for (const BackendLibrary& library : backend_libraries()) {
    if (!library.file_name.empty()) {
      isa += library.isa + ", ";
      names += (names.empty() ? "" : ", ") + library.name + " " + library.version;
    }
  }
  benchmark::AddCustomContext("isa", isa + "built for " VOXMARK_KERNEL_ARCH);
  benchmark::AddCustomContext("library", names.empty() ? "none" : names);
  benchmark::AddCustomContext("precision", to_string(options.precision));
  for (const auto& [key, value] : {std::pair{"threads", std::int64_t{options.threads}},
                                   {"batch", options.batch},
                                   {"filters", options.unet.filters},
                                   {"channels", options.unet.input_channels},
                                   {"classes", options.unet.classes}}) {
    benchmark::AddCustomContext(key, std::to_string(value));
  }
}

int run(int argc, char** argv, const std::string& description,
        const std::function<void(const MicroOptions&)>& add_benchmarks) {
  MicroOptions options;
  options.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  std::vector<std::string> images = {"64x64x64"};
  std::string precision = to_string(options.precision);
  CLI::App app(description);
  bool no_limits = false;
  add_flags(app, options, images, precision);
  app.add_flag("--no-limits", no_limits, "do not measure the machine's limits first");
  app.allow_extras();  // Google Benchmark's
  app.footer(
      "And the flags of Google Benchmark: --benchmark_list_tests, --benchmark_filter=REGEX,\n"
      "--benchmark_min_time=SECONDS, --benchmark_repetitions=N, --benchmark_format=json, ...");
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    throw_bad_input("{}", error.what());
  }
  options.precision = parse_precision(precision);
  for (const std::string& image : images) {
    options.images.push_back(parse_dims(image));
  }
  if (options.threads < 1) {
    throw_bad_input("--threads {}: expected 1 or more", options.threads);
  }

  std::vector<std::string> rest = app.remaining();
  rest.insert(rest.begin(), argv[0]);
  std::vector<char*> pointers;
  pointers.reserve(rest.size());
  for (std::string& argument : rest) {
    pointers.push_back(argument.data());
  }
  int count = static_cast<int>(pointers.size());
  benchmark::Initialize(&count, pointers.data());
  if (count > 1) {
    throw_bad_input("{}: unknown argument", pointers[1]);
  }
  const bool only_lists = std::any_of(pointers.begin(), pointers.end(), [](const char* argument) {
    return std::string_view(argument).starts_with("--benchmark_list_tests");
  });
  if (!no_limits && !only_lists) {
    options.limits = measure_limits(options.precision, options.threads);
  }
  add_context(options);
  add_benchmarks(options);
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return static_cast<int>(ExitCode::done);
}

}  // namespace

std::vector<const Backend*> timed_backends(const Program& program, const CompileOptions& options) {
  std::vector<const Backend*> timed;
  for (const RegisteredBackend& entry : registered_backends()) {
    if (entry.backend != nullptr && entry.backend->computes() &&
        !entry.backend->unsupported(program, options)) {
      timed.push_back(entry.backend);
    }
  }
  return timed;
}

int run_benchmarks(int argc, char** argv, const std::string& description,
                   const std::function<void(const MicroOptions&)>& add_benchmarks) {
  try {
    return run(argc, argv, description, add_benchmarks);
  } catch (const Error& error) {
    tell(stderr, "{}: {}\n", argv[0], error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    tell(stderr, "{}: {}\n", argv[0], error.what());
    return static_cast<int>(ExitCode::internal);
  }
}

}  // namespace voxmark
