#include "benches/redact.h"

#include <string_view>

namespace voxmark {
namespace {

constexpr std::string_view kRedacted = "redacted";

bool ends_word(char c) { return std::string_view(" \t\n'\"=,:;()<>").find(c) != std::string::npos; }

// Every whole word `host`: a host named "a" must not eat the letter.
std::string without_host(const std::string& text, const std::string& host) {
  if (host.empty()) {
    return text;
  }
  const auto is_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  };
  std::string result;
  std::size_t begin = 0;
  while (true) {
    const std::size_t found = text.find(host, begin);
    if (found == std::string::npos) {
      return result + text.substr(begin);
    }
    const std::size_t end = found + host.size();
    const bool whole =
        (found == 0 || !is_name(text[found - 1])) && (end == text.size() || !is_name(text[end]));
    result += text.substr(begin, found - begin);
    result += whole ? std::string(kRedacted) : host;
    begin = end;
  }
}

// A path begins at the beginning of a word or of a compiler's -I, with a slash, "./" or "../";
// "GB/s" and "and/or" are none.
bool begins_path(std::string_view text, std::size_t at) {
  const std::string_view before = text.substr(0, at), rest = text.substr(at);
  const bool at_begin = before.empty() || ends_word(before.back()) || before.ends_with("-I");
  return at_begin && (rest.starts_with('/') || rest.starts_with("./") || rest.starts_with("../"));
}

}  // namespace

std::string redact_paths(const std::string& text) {
  std::string result;
  std::size_t i = 0;
  while (i < text.size()) {
    if (!begins_path(text, i)) {
      result += text[i++];
      continue;
    }
    std::size_t end = i;
    while (end < text.size() && !ends_word(text[end])) {
      ++end;
    }
    std::string path = text.substr(i, end - i);
    while (path.size() > 1 && path.back() == '/') {
      path.pop_back();
    }
    const bool is_home = path.starts_with("/home/") && path.rfind('/') == 5;  // a user's name
    result += is_home ? kRedacted : std::string_view(path).substr(path.rfind('/') + 1);
    i = end;
  }
  return result;
}

Json redacted(const Json& document, const std::string& host) {
  if (document.is_string()) {
    return without_host(redact_paths(document.get<std::string>()), host);
  }
  if (document.is_array()) {
    Json result = Json::array();
    for (const Json& part : document) {
      result.push_back(redacted(part, host));
    }
    return result;
  }
  if (!document.is_object()) {
    return document;
  }
  Json result = Json::object();
  for (const auto& item : document.items()) {
    result[item.key()] = item.key() == "host" && item.value().is_string()
                             ? Json(kRedacted)
                             : redacted(item.value(), host);
  }
  return result;
}

}  // namespace voxmark
