// A list of primitives with their arguments, executed without allocating.
#pragma once

#include <dnnl.hpp>
#include <utility>
#include <vector>

#include "base/error.h"

namespace voxmark::onednn {

class Primitives {
 public:
  explicit Primitives(const dnnl::engine& engine) : engine_(engine), stream_(engine) {}

  struct Argument {
    int index = 0;  // DNNL_ARG_...
    dnnl::memory::desc desc;
    void* data = nullptr;
  };

  void add(const dnnl::primitive& primitive, const std::vector<Argument>& arguments) {
    Bound bound{primitive, {}, {}};
    for (const Argument& argument : arguments) {
      bound.memories.emplace_back(argument.desc, engine_, argument.data);
      bound.arguments.push_back({argument.index, bound.memories.back().get()});
    }
    list_.push_back(std::move(bound));
  }

  void execute() {
    for (const Bound& bound : list_) {
      // The C function: the C++ one copies the arguments into a new array each time.
      const dnnl_status_t status =
          dnnl_primitive_execute(bound.primitive.get(), stream_.get(),
                                 static_cast<int>(bound.arguments.size()), bound.arguments.data());
      if (status != dnnl_success) {
        throw_internal("onednn: dnnl_primitive_execute: status {}, expected 0",
                       static_cast<int>(status));
      }
    }
    stream_.wait();
  }

 private:
  struct Bound {
    dnnl::primitive primitive;
    std::vector<dnnl::memory> memories;
    std::vector<dnnl_exec_arg_t> arguments;
  };
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<Bound> list_;
};

}  // namespace voxmark::onednn
