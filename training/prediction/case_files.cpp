#include "training/prediction/case_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string_view>

namespace voxmark {
namespace {

// A name has at most 255 bytes on most file systems; "_prediction.nii.gz" and what writes a file
// under another name first need some.
constexpr std::size_t kMostBytes = 200;

// How many bytes the folders take that all cases lie in, with the last "/".
std::size_t common_folders(const std::vector<std::string>& sorted) {
  const std::string& first = sorted.front();
  const std::string& last = sorted.back();  // what these two share, all do
  const auto differ = std::mismatch(first.begin(), first.end(), last.begin(), last.end()).first;
  const auto shared = static_cast<std::size_t>(differ - first.begin());
  const std::size_t slash = std::string_view(first).substr(0, shared).rfind('/');
  return slash == std::string_view::npos ? 0 : slash + 1;
}

bool is_plain(char character) {
  constexpr std::string_view kTaken = " /\\:*?\"<>|";  // by shells and file systems
  return static_cast<unsigned char>(character) >= 0x20 && kTaken.find(character) == kTaken.npos;
}

std::string base_of(std::string_view name) {
  for (const std::string_view ending : {".gz", ".nii"}) {
    if (name.ends_with(ending)) {
      name.remove_suffix(ending.size());
    }
  }
  if (name.size() > kMostBytes) {
    name.remove_prefix(name.size() - kMostBytes);
    while ((static_cast<unsigned char>(name.front()) & 0xC0U) == 0x80U) {
      name.remove_prefix(1);  // not in the middle of a character of UTF-8
    }
  }
  std::string base(name);
  std::ranges::replace_if(base, [](char character) { return !is_plain(character); }, '_');
  return base;
}

std::string folded(std::string text) {
  std::ranges::transform(text, text.begin(), [](char character) {
    return character >= 'A' && character <= 'Z' ? static_cast<char>(character - 'A' + 'a')
                                                : character;
  });
  return text;
}

}  // namespace

std::map<std::string, std::string> file_names(std::vector<std::string> cases) {
  std::map<std::string, std::string> files;
  if (cases.empty()) {
    return files;
  }
  std::ranges::sort(cases);
  const std::size_t common = common_folders(cases);
  std::set<std::string> taken;  // those of all, so that a number makes none of them a second time
  for (const std::string& name : cases) {
    taken.insert(folded(base_of(name.substr(common))));
  }
  std::set<std::string> given;
  for (const std::string& name : cases) {
    const std::string base = base_of(name.substr(common));
    std::string file = base;
    for (int number = 2;
         given.contains(folded(file)) || (number > 2 && taken.contains(folded(file))); ++number) {
      file = fmt::format("{}_{}", base, number);
    }
    given.insert(folded(file));
    files.emplace(name, std::move(file));
  }
  return files;
}

std::map<std::string, std::string> case_files(const SubjectParts& parts) {
  std::vector<std::string> cases;
  for (const SubjectSource* part : {&parts.training, &parts.validation, &parts.test}) {
    for (std::size_t i = 0; i < part->count; ++i) {
      cases.push_back(part->case_name(i));
    }
  }
  return file_names(std::move(cases));
}

}  // namespace voxmark
