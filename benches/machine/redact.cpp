#include "benches/machine/redact.h"

#include <algorithm>
#include <array>
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

// Of one that ends with its name; a home folder's is its user's.
std::string file_name(std::string path) {
  while (path.size() > 1 && path.back() == '/') {
    path.pop_back();
  }
  const bool is_home = path.starts_with("/home/") && path.rfind('/') == 5;
  return is_home ? std::string(kRedacted) : path.substr(path.rfind('/') + 1);
}

bool holds_path(std::string_view key) {
  constexpr std::array<std::string_view, 4> kKeys = {"suite", "rerun_of", "data", "path"};
  return std::ranges::find(kKeys, key) != kKeys.end();
}

// `is_path`: each text is one path, running text else.
Json redacted(const Json& document, const std::string& host, bool is_path) {
  if (document.is_string()) {
    const auto text = document.get<std::string>();
    if (!is_path) {
      return without_host(redact_paths(text), host);
    }
    const std::string name = file_name(text);
    return name.empty() && !text.empty() ? std::string(kRedacted) : without_host(name, host);
  }
  if (document.is_array()) {
    Json result = Json::array();
    for (const Json& part : document) {
      result.push_back(redacted(part, host, is_path));
    }
    return result;
  }
  if (!document.is_object()) {
    return document;
  }
  Json result = Json::object();
  for (const auto& item : document.items()) {
    if (item.key() == "host" && item.value().is_string()) {
      result[item.key()] = kRedacted;
    } else if (item.key() == "hosts" && item.value().is_array()) {
      result[item.key()] = Json(item.value().size(), Json(kRedacted));
    } else {
      result[item.key()] = redacted(item.value(), host, holds_path(item.key()));
    }
  }
  return result;
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
    result += file_name(text.substr(i, end - i));
    i = end;
  }
  return result;
}

Json redacted(const Json& document, const std::string& host) {
  return redacted(document, host, false);
}

}  // namespace voxmark
