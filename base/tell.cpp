#include "base/tell.h"

namespace voxmark {

void tell_text(std::FILE* stream, std::string_view text) noexcept {
  [[maybe_unused]] const std::size_t written = std::fwrite(text.data(), 1, text.size(), stream);
}

}  // namespace voxmark
