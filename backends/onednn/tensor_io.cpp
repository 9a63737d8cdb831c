#include "backends/onednn/tensor_io.h"

#include <algorithm>
#include <cassert>

#include "backends/onednn/convolution.h"
#include "backends/onednn/kernels/primitives.h"

namespace voxmark::onednn {
namespace {

void reorder(const dnnl::engine& engine, const Primitives::Argument& from,
             const Primitives::Argument& to) {
  Primitives list(engine);
  list.add(dnnl::reorder(dnnl::reorder::primitive_desc(engine, from.desc, engine, to.desc)),
           {from, to});
  list.execute();
}

// Calls visit(element of (N, D, H, W, C), element of the view).
template <class T, class Visit>
void for_each_element(const passes::View<T>& view, std::int64_t channels, int threads,
                      Visit visit) {
  const std::int64_t voxels = view.shape.voxels();
#pragma omp parallel for schedule(static) num_threads(threads)
  for (std::int64_t i = 0; i < view.shape.n * voxels; ++i) {
    const std::int64_t n = i / voxels, v = i % voxels;
    for (std::int64_t c = 0; c < channels; ++c) {
      visit(i * channels + c,
            view.panel(n, c / view.shape.width) + v * view.voxel_stride + c % view.shape.width);
    }
  }
}

}  // namespace

void write_parameter(const Context& context, TensorId id, std::span<const double> values,
                     float* memory) {
  assert(static_cast<std::int64_t>(values.size()) == elements(context.program.tensor(id).shape));
  const auto format = context.parameters.find(id);
  if (format == context.parameters.end()) {
    std::transform(values.begin(), values.end(), memory,
                   [](double x) { return static_cast<float>(x); });
    return;
  }
  std::vector<float> plain(values.begin(), values.end());
  reorder(context.engine,
          {DNNL_ARG_FROM, program_kernel_desc(context.program.tensor(id).shape), plain.data()},
          {DNNL_ARG_TO, format->second, memory});
}

void read_tensor(const Context& context, const Memory& memory, TensorId id,
                 std::span<double> values) {
  const TensorInfo& tensor = context.program.tensor(id);
  assert(static_cast<std::int64_t>(values.size()) == elements(tensor.shape));
  if (tensor.role == TensorRole::reduction) {
    std::copy_n(memory.reduction(id), values.size(), values.begin());
    return;
  }
  if (context.formats[id].shape.n > 0) {
    with_storage(context.formats[id], [&]<class T>() {
      for_each_element(memory.in<T>(id), tensor.shape.back(), context.threads,
                       [&](std::int64_t i, const T* x) {
                         values[static_cast<std::size_t>(i)] = static_cast<double>(*x);
                       });
    });
    return;
  }
  const auto format = context.parameters.find(id);
  if (format == context.parameters.end()) {
    std::copy_n(memory.data(id), values.size(), values.begin());
    return;
  }
  std::vector<float> plain(values.size());
  reorder(context.engine, {DNNL_ARG_FROM, format->second, memory.data(id)},
          {DNNL_ARG_TO, program_kernel_desc(tensor.shape), plain.data()});
  std::copy(plain.begin(), plain.end(), values.begin());
}

void write_image(const Context& context, TensorId id, const std::vector<float>& values,
                 const Memory& memory) {
  const Shape& shape = context.program.tensor(id).shape;
  assert(static_cast<std::int64_t>(values.size()) == elements(shape));
  with_storage(context.formats[id], [&]<class T>() {
    for_each_element(memory.out<T>(id), shape.back(), context.threads, [&](std::int64_t i, T* x) {
      *x = static_cast<T>(values[static_cast<std::size_t>(i)]);
    });
  });
}

}  // namespace voxmark::onednn
