#include "training/exported_batches.h"

#include <span>
#include <system_error>
#include <vector>

#include "base/error.h"
#include "workloads/network/safetensors.h"

namespace voxmark {

std::string batches_folder(const std::string& folder) {
  return (std::filesystem::path(folder) / "batches").string();
}

void make_batches_folder(const std::filesystem::path& folder) {
  std::error_code made;
  std::filesystem::create_directories(folder, made);
  if (made) {
    throw_bad_input("{}: cannot be made: {}", folder.string(), made.message());
  }
  std::vector<std::filesystem::path> found;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step_") && name.ends_with(".safetensors")) {
      found.push_back(entry.path());
    }
  }
  for (const std::filesystem::path& path : found) {
    std::error_code error;
    std::filesystem::remove(path, error);
    if (error) {
      throw_bad_input("{}: cannot be removed: {}", path.string(), error.message());
    }
  }
}

void write_batch(const std::string& path, const Batch& batch) {
  const auto shape = [&](std::int64_t channels) {
    return std::vector<std::int64_t>{batch.images, batch.dims.d, batch.dims.h, batch.dims.w,
                                     channels};
  };
  const std::vector<TensorView> views = {
      {"input", shape(batch.input_channels), std::span<const float>(batch.input)},
      {"target", shape(batch.output_channels), std::span<const float>(batch.target)}};
  write_safetensors(path, views, {});
}

}  // namespace voxmark
