// Keeping a value in a register, where the compiler would load it again for every use.
#pragma once

namespace voxmark::onednn {

// g++ 12 folds a load into each of its uses; a loop bound by loads then loses a quarter of its
// speed (65 instead of 90 GFLOP/s in blocked_weights.cpp, measured).
template <class V>
void keep_in_register(V& value) {
#if defined(__AVX512F__)
  asm("" : "+v"(value));
#elif defined(__x86_64__)
  if constexpr (sizeof(V) <= 32) {  // wider ones are in several
    asm("" : "+x"(value));
  }
#else
  static_cast<void>(value);
#endif
}

}  // namespace voxmark::onednn
