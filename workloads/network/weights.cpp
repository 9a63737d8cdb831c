#include "workloads/network/weights.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/error.h"
#include "base/sha256.h"
#include "workloads/network/safetensors.h"
#include "workloads/network/synthetic.h"

namespace voxmark {
namespace {

static_assert(std::endian::native == std::endian::little);  // hashes are of little-endian bytes

bool ends_with(const std::string& text, std::string_view end) {
  return text.size() >= end.size() &&
         std::string_view(text).substr(text.size() - end.size()) == end;
}

std::string shape_text(const Shape& shape) { return fmt::format("[{}]", fmt::join(shape, ", ")); }

std::vector<float> to_float(const std::vector<double>& values) {
  return {values.begin(), values.end()};
}

}  // namespace

Weights initial_weights(const Program& program, std::uint64_t seed) {
  Weights weights;
  std::uint64_t stream = 0;
  for (const TensorInfo& tensor : program.tensors) {
    if (!is_persistent(tensor.role)) {
      continue;
    }
    const std::int64_t count = elements(tensor.shape);
    std::vector<double>& values = weights[tensor.name];
    values.assign(static_cast<std::size_t>(count), 0.0);
    if (tensor.role == TensorRole::optimizer_state) {
      continue;
    }
    if (ends_with(tensor.name, "/kernel")) {
      const Shape& k = tensor.shape;
      const std::vector<float> uniform =
          he_uniform(count, k[0] * k[1] * k[2] * k[3], seed, stream++);
      values.assign(uniform.begin(), uniform.end());
    } else if (ends_with(tensor.name, "/gamma") || ends_with(tensor.name, "/moving_variance")) {
      values.assign(values.size(), 1.0);
    }
  }
  return weights;
}

std::string sha256_hex(const Program& program, const Weights& weights) {
  Sha256 hash;
  for (const TensorInfo& tensor : program.tensors) {
    if (is_persistent(tensor.role) && tensor.role != TensorRole::optimizer_state) {
      const std::vector<float> values = to_float(weights.at(tensor.name));
      hash.update(std::as_bytes(std::span(values)));
    }
  }
  return hash.hex();
}

Weights load_weights(const std::string& path, const Program& program, const std::string& prefix) {
  const SafetensorsFile file(path);
  // Weights alone come without the optimizer's state; part of a state is a damaged file.
  const bool has_state =
      std::any_of(program.tensors.begin(), program.tensors.end(), [&](const TensorInfo& tensor) {
        return tensor.role == TensorRole::optimizer_state && file.contains(prefix + tensor.name);
      });
  Weights weights;
  for (const TensorInfo& tensor : program.tensors) {
    if (!is_persistent(tensor.role)) {
      continue;
    }
    const std::string name = prefix + tensor.name;
    if (tensor.role == TensorRole::optimizer_state && !has_state) {
      weights[tensor.name].assign(static_cast<std::size_t>(elements(tensor.shape)), 0.0);
      continue;
    }
    const Shape& found = file.entry(name).shape;
    if (found != tensor.shape) {
      throw_bad_input("weights {}: {} has shape {}, expected {} for this model", path, name,
                      shape_text(found), shape_text(tensor.shape));
    }
    weights[tensor.name] = file.read_doubles(name);
  }
  return weights;
}

}  // namespace voxmark
