#include "training/checkpoint.h"

#include <algorithm>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <fstream>
#include <optional>
#include <vector>

#include "base/error.h"
#include "workloads/network/safetensors.h"

namespace voxmark {
namespace {

constexpr const char* kFormatKey = "format";
constexpr const char* kFormat = "voxmark checkpoint/1, Keras names and layouts";
constexpr const char* kStateKey = "state";

// How long a file of the format is by its own header; nothing where that is not to be read, or is
// none.
std::optional<std::uint64_t> expected_bytes(const std::string& path) {
  constexpr std::uint64_t kLengthBytes = 8;
  constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;  // of the format
  std::ifstream file(path, std::ios::binary);
  std::uint64_t header_bytes = 0;
  if (!file.read(reinterpret_cast<char*>(&header_bytes), kLengthBytes)) {
    return kLengthBytes;
  }
  if (header_bytes > kMaxHeaderBytes) {
    return std::nullopt;
  }
  std::string header(header_bytes, '\0');
  if (!file.read(header.data(), static_cast<std::streamsize>(header_bytes))) {
    return kLengthBytes + header_bytes;
  }
  std::uint64_t end = 0;
  try {
    const Json tensors = parse_json(header, path);
    for (const auto& [name, tensor] : tensors.items()) {
      if (name == "__metadata__") {
        continue;
      }
      end = std::max(end, tensor.at("data_offsets").at(1).get<std::uint64_t>());
    }
  } catch (const std::exception&) {
    return std::nullopt;
  }
  return kLengthBytes + header_bytes + end;
}

// Throws Error (bad_input) where that is what is wrong with a file.
void check_not_cut_short(const std::string& path) {
  std::error_code failure;
  if (!std::filesystem::is_regular_file(path, failure)) {
    return;
  }
  const std::uint64_t bytes = std::filesystem::file_size(path, failure);
  const std::optional<std::uint64_t> expected = failure ? std::nullopt : expected_bytes(path);
  if (expected && bytes < *expected) {
    throw_bad_input("{}: cut short: {} bytes, expected at least {}", path, bytes, *expected);
  }
}

}  // namespace

void save_checkpoint(const std::string& path, const Program& program, Precision precision,
                     const Checkpoint& checkpoint) {
  std::deque<std::vector<float>> floats;  // what the views point into
  std::vector<TensorView> views;
  for (const TensorInfo& tensor : program.tensors) {
    if (!is_persistent(tensor.role)) {
      continue;
    }
    const std::vector<double>& values = checkpoint.weights.at(tensor.name);
    TensorView view{tensor.name, tensor.shape, std::span<const double>(values)};
    if (precision != Precision::fp64) {
      floats.emplace_back(values.begin(), values.end());
      view.values = std::span<const float>(floats.back());
    }
    views.push_back(std::move(view));
  }
  write_safetensors(path, views, {{kFormatKey, kFormat}, {kStateKey, dump_json(checkpoint.state)}});
}

Json read_checkpoint_state(const std::string& path) {
  check_not_cut_short(path);
  const SafetensorsFile file(path);
  const auto format = file.metadata().find(kFormatKey);
  const auto state = file.metadata().find(kStateKey);
  if (format == file.metadata().end() || state == file.metadata().end() ||
      format->second != kFormat) {
    throw_bad_input("{}: not a checkpoint: no \"{}\" in its metadata", path, kFormat);
  }
  return parse_json(state->second, path + ": state");
}

}  // namespace voxmark
