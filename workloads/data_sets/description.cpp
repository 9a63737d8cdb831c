#include "workloads/data_sets/description.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <map>
#include <string_view>
#include <utility>

#include "base/error.h"

namespace voxmark {
namespace {

namespace fs = std::filesystem;

// Formats of this field that are not read, by their files' endings.
constexpr std::array<std::pair<std::string_view, std::string_view>, 14> kOtherFormats = {{
    {".nrrd", "NRRD"},
    {".nhdr", "NRRD"},
    {".mha", "MetaImage"},
    {".mhd", "MetaImage"},
    {".dcm", "DICOM"},
    {".mgz", "FreeSurfer's MGH"},
    {".h5", "HDF5"},
    {".npz", "NumPy"},
    {".npy", "NumPy"},
    {".png", "a picture of two dimensions"},
    {".bmp", "a picture of two dimensions"},
    {".jpg", "a picture of two dimensions"},
    {".tif", "TIFF"},
    {".tiff", "TIFF"},
}};

std::string name_of_control_character(char c) {
  if (c == '\n') {
    return "a line feed";
  }
  if (c == '\r') {
    return "a carriage return";
  }
  if (c == '\t') {
    return "a tab";
  }
  return fmt::format("the control character {:#04x}", static_cast<unsigned>(c));
}

bool climbs(const fs::path& path) {
  return std::find(path.begin(), path.end(), "..") != path.end();
}

// `path` below `root`; nothing where it is elsewhere.
std::optional<std::string> below(const fs::path& root, const fs::path& path) {
  const fs::path relative = path.lexically_relative(root);
  if (relative.empty() || relative == "." || climbs(relative)) {
    return {};
  }
  return relative.string();
}

// An absolute path as one below the folder, by the folder's names or by where it leads; as it was
// when it leads elsewhere.
std::string relative_to_folder(const std::string& written, const Description& description) {
  const fs::path path(written);
  if (!path.is_absolute() || climbs(path)) {
    return written;
  }
  const fs::path normal = path.lexically_normal();
  std::error_code error;
  for (const fs::path& root : {description.root, fs::absolute(description.folder, error)}) {
    if (auto found = below(root.lexically_normal(), normal)) {
      return *found;
    }
  }
  const fs::path real = fs::canonical(path, error);
  return error ? written : below(description.root, real).value_or(written);
}

void check_lexically(const std::string& path, const std::string& written,
                     const std::string& where) {
  const fs::path parsed(path);
  const auto control =
      std::ranges::find_if(path, [](char c) { return static_cast<unsigned char>(c) < 0x20; });
  if (control != path.end()) {
    throw_bad_input("{}: path {} holds {}: rename the file", where, dump_json(written),
                    name_of_control_character(*control));
  }
  const bool has_drive = path.size() > 2 && path[1] == ':' && path[2] == '/' &&
                         std::isalpha(static_cast<unsigned char>(path[0])) != 0;
  if (path.empty() || parsed.is_absolute() || has_drive || climbs(parsed)) {
    throw_bad_input("{}: path {}, expected one inside the folder, without \"..\"", where,
                    dump_json(written));
  }
}

std::optional<std::size_t> parse_label(const std::string& text) {
  std::size_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) {
    return {};
  }
  return value;
}

std::size_t label_value(const Json& value, const std::string& name, const std::string& where) {
  std::optional<std::size_t> found;
  if (value.is_string()) {
    found = parse_label(value.get<std::string>());
  }
  if (value.is_number_integer() && value >= 0) {
    found = value.get<std::size_t>();
  }
  if (!found || *found >= kMaxLabels) {
    throw_bad_input("{}: \"labels\": \"{}\": {}, expected a label value from 0 to {}, or a list",
                    where, name, dump_json(value), kMaxLabels - 1);
  }
  return *found;
}

bool all_numbers_to_names(const Json& labels) {
  return std::ranges::all_of(labels.items(), [](const auto& item) {
    return parse_label(item.key()) && item.value().is_string();
  });
}

// {"background": 0, "whole tumour": [1, 2, 3], "core": [2, 3]}, or {"0": "background", "4": "core"}
class LabelsByName {
 public:
  LabelsByName(const Json& labels, const std::string& where) : where_(where) {
    const bool by_number = all_numbers_to_names(labels);
    for (const auto& item : labels.items()) {
      if (by_number) {
        names_[label_value(item.key(), item.value().get<std::string>(), where)].push_back(
            item.value().get<std::string>());
        continue;
      }
      if (item.key() == "ignore" && !item.value().is_array()) {
        ignore_ = label_value(item.value(), item.key(), where);
        continue;
      }
      add(item.key(), item.value());
    }
  }

  void put_into(DataSet& dataset) const {
    if (names_.empty()) {
      throw_bad_input("{}: \"labels\": expected a name beside \"ignore\"", where_);
    }
    const std::size_t named = names_.rbegin()->first + 1;
    if (ignore_ && *ignore_ != named) {
      throw_bad_input(
          "{}: \"labels\": \"ignore\" is {}, expected {}, the value after the last label", where_,
          *ignore_, named);
    }
    std::vector<std::size_t> gaps;
    for (std::size_t value = 0; value < named; ++value) {
      const auto found = names_.find(value);
      if (found == names_.end()) {
        gaps.push_back(value);
      }
      dataset.labels.push_back(found == names_.end()
                                   ? (value == 0 ? "background" : fmt::format("unnamed {}", value))
                                   : fmt::format("{}", fmt::join(found->second, " + ")));
    }
    if (!gaps.empty()) {
      dataset.notes.push_back(fmt::format(
          "labels: {} has no name for {}: each value from 0 to {} is a class; a class without "
          "voxels learns nothing",
          where_, fmt::join(gaps, ", "), named - 1));
    }
    if (!regions_.empty()) {
      dataset.notes.push_back(fmt::format(
          "labels: regions overlap ({}); each label value is a class of its own here, 1 to {}",
          fmt::join(regions_, "; "), named - 1));
    }
    if (!ignore_) {
      return;
    }
    dataset.ignored_label = static_cast<std::uint8_t>(*ignore_);
    dataset.notes.push_back(fmt::format(
        "labels: \"ignore\" ({}) is read as background: no loss here leaves voxels out", *ignore_));
  }

 private:
  void add(const std::string& name, const Json& value) {
    if (!value.is_array()) {
      names_[label_value(value, name, where_)].push_back(name);
      return;
    }
    std::vector<std::size_t> members;
    for (const Json& member : value) {
      members.push_back(label_value(member, name, where_));
      names_[members.back()].push_back(name);
    }
    if (members.empty()) {
      throw_bad_input("{}: \"labels\": \"{}\": an empty list, expected label values", where_, name);
    }
    if (members.size() > 1) {
      regions_.push_back(fmt::format("{}: {}", name, fmt::join(members, ", ")));
    }
  }

  const std::string& where_;
  std::map<std::size_t, std::vector<std::string>> names_;
  std::vector<std::string> regions_;
  std::optional<std::size_t> ignore_;
};

}  // namespace

const Json& member(const Json& object, const char* key, Json::value_t type, const char* type_name,
                   const std::string& where) {
  if (!object.is_object()) {
    throw_bad_input("{}: expected an object, found {}", where, object.type_name());
  }
  const auto found = object.find(key);
  if (found == object.end()) {
    throw_bad_input("{}: \"{}\" is missing", where, key);
  }
  if (found->type() != type) {
    throw_bad_input("{}: \"{}\": expected {}, found {}", where, key, type_name, found->type_name());
  }
  return *found;
}

std::vector<std::string> names_by_number(const Json& map, const char* key,
                                         const std::string& where) {
  if (!map.is_object() && !map.is_array()) {
    throw_bad_input("{}: \"{}\": expected an object, found {}", where, key, map.type_name());
  }
  if (map.empty() || map.size() > kMaxLabels) {
    throw_bad_input("{}: \"{}\" has {} entries, expected 1 to {}", where, key, map.size(),
                    kMaxLabels);
  }
  std::vector<std::string> names(map.size());
  for (std::size_t number = 0; number < map.size(); ++number) {
    const Json* found = nullptr;
    if (map.is_array()) {
      found = &map[number];
    } else {
      auto at = map.find(std::to_string(number));
      if (at == map.end()) {
        at = map.find(fmt::format("{:04}", number));
      }
      if (at != map.end()) {
        found = &*at;
      }
    }
    if (found == nullptr || !found->is_string()) {
      throw_bad_input(
          "{}: \"{}\": expected a name for each of \"0\" to \"{}\", found none for "
          "\"{}\"",
          where, key, map.size() - 1, number);
    }
    names[number] = found->get<std::string>();
  }
  return names;
}

void read_label_names(const Json& labels, const std::string& where, DataSet& dataset) {
  if (!labels.is_object() || labels.empty()) {
    dataset.labels = names_by_number(labels, "labels", where);
  } else {
    LabelsByName(labels, where).put_into(dataset);
  }
}

std::string inside_path(const std::string& written, const Description& description,
                        const std::string& where) {
  std::string path = relative_to_folder(written, description);
  check_lexically(path, written, where);
  if (path.find('\\') == std::string::npos) {
    return path;
  }
  std::string with_slashes = path;
  std::ranges::replace(with_slashes, '\\', '/');
  std::error_code error;
  if (fs::exists(fs::symlink_status(description.root / path, error))) {
    return path;
  }
  check_lexically(with_slashes, written, where);
  return with_slashes;
}

void check_ending(const std::string& path, const std::string& where) {
  for (const auto& [ending, format] : kOtherFormats) {
    if (path.ends_with(ending)) {
      throw_bad_input(
          "{}: {} is {}, expected NIfTI (.nii or .nii.gz): convert the images and labels, with "
          "SimpleITK, nibabel or dcm2niix",
          where, dump_json(path), format);
    }
  }
}

void note_unlabelled(std::size_t images, const std::string& place, DataSet& dataset) {
  if (images == 0) {
    return;
  }
  dataset.notes.push_back(fmt::format("{}: {} {} without labels, not read", place, images,
                                      images == 1 ? "image" : "images"));
}

void CaseList::attempt(const std::function<void()>& add_one) {
  try {
    add_one();
  } catch (const Error& error) {
    if (error.code() != ExitCode::bad_input) {
      throw;
    }
    add_fault(error.what());
  }
}

void CaseList::add(DataCase one, const std::string& where) {
  const auto check = [&](const std::string& file, bool is_label) {
    check_ending(file, where);
    faults_.check(file);
    // Listed twice, a case could be trained on and tested on. Labels of the same contents are one
    // file in stores that name files by their contents.
    std::error_code error;
    const fs::path name = (description_.root / file).lexically_normal();
    const fs::path real = fs::canonical(name, error);
    if (!seen_.insert(is_label || real.empty() ? name : real).second) {
      faults_.add(fmt::format("{}: \"{}\" is listed twice", where, file));
    }
  };
  for (const std::string& image : one.images) {
    check(image, false);
  }
  check(one.label, true);
  dataset_.cases.push_back(std::move(one));
}

}  // namespace voxmark
