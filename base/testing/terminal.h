// A terminal, and what a person would see on it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace voxmark {

// What a person sees of `text`: "\r\033[K" empties a line.
inline std::string shown_on_terminal(const std::string& text) {
  constexpr std::string_view kClear = "\r\033[K";
  std::string screen;
  for (std::size_t at = 0; at < text.size();) {
    if (text.compare(at, kClear.size(), kClear) == 0) {
      screen.erase(screen.rfind('\n') + 1);
      at += kClear.size();
    } else {
      screen += text[at++];
    }
  }
  return screen;
}

// A terminal for a program that asks whether its stream is one.
class Terminal {
 public:
  Terminal() : master_(posix_openpt(O_RDWR | O_NOCTTY)) {
    EXPECT_EQ(grantpt(master_), 0);
    EXPECT_EQ(unlockpt(master_), 0);
    stream_ = std::fopen(ptsname(master_), "w");
  }
  ~Terminal() {
    std::fclose(stream_);
    close(master_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  std::FILE* stream() const { return stream_; }

  // All since the last call; where the next text would go stands "end".
  std::string screen() const {
    std::fputs("end", stream_);
    std::fflush(stream_);
    std::string text;
    std::array<char, 4096> buffer{};
    while (!text.ends_with("end")) {
      const ssize_t bytes = read(master_, buffer.data(), buffer.size());
      if (bytes <= 0) {
        ADD_FAILURE() << "nothing to read";
        break;
      }
      text.append(buffer.data(), static_cast<std::size_t>(bytes));
    }
    for (std::size_t at = 0; (at = text.find("\r\n", at)) != std::string::npos;) {
      text.erase(at, 1);  // the terminal's own
    }
    return shown_on_terminal(text);
  }

 private:
  int master_;
  std::FILE* stream_ = nullptr;
};

}  // namespace voxmark
