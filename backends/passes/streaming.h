// Results that no cache can keep are written past the caches: a third less traffic for a pass that
// reads one tensor and writes another (a copy of 128 MiB: 8.0 ms against 12.5 on one Zen 3 core).
#pragma once

#include <immintrin.h>

#include <cstdint>

#include "backends/passes/lanes.h"
#include "backends/passes/panels.h"

namespace voxmark::passes {

constexpr std::int64_t kLineBytes = 64;

// Bytes of the last level of cache that one core reaches, as Linux tells them (sysconf adds up all
// caches of a socket on some virtual machines: 256 MiB for 32); 32 MiB where it does not tell.
std::int64_t last_cache_bytes();

// Whether y is larger than the caches and made of whole, aligned lines: half a line streams slowly.
//
// Half lines are fine where the next half follows at once, as in a dense tensor of 16 bf16
// channels.
template <class T>
bool is_worth_streaming(const View<T>& y) {
  const auto is_whole = [](std::int64_t elements) {
    return elements * static_cast<std::int64_t>(sizeof(T)) % kLineBytes == 0;
  };
  return y.shape.elements() * static_cast<std::int64_t>(sizeof(T)) > last_cache_bytes() &&
         reinterpret_cast<std::uintptr_t>(y.data) % kLineBytes == 0 &&
         (is_whole(y.shape.width) ||
          (y.voxel_stride == y.shape.width && y.shape.width == kNativeLanes)) &&
         (is_whole(y.voxel_stride) || y.voxel_stride == y.shape.width) &&
         is_whole(y.panel_stride) && is_whole(y.sample_stride);
}

template <bool Streams, class V, class T>
void put(V lanes, T* to) {
  if constexpr (Streams) {
    stream<V>(lanes, to);
  } else {
    store<V>(lanes, to);
  }
}

// Every thread that put<true>, before others read.
template <bool Streams>
void finish_streaming() {
  if constexpr (Streams) {
    _mm_sfence();
  }
}

}  // namespace voxmark::passes
