#include "base/json.h"

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <limits>
#include <memory>
#include <unordered_set>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file_error.h"

namespace voxmark {
namespace {

constexpr std::size_t kMaxQuotedBytes = 200;  // of the user's text in a message of one line

// nlohmann's message without its "[json.exception...] " prefix, cut to a readable length.
std::string readable(const std::string& message) {
  const std::size_t prefix_end = message.find("] ");
  std::string text = prefix_end == std::string::npos ? message : message.substr(prefix_end + 2);
  if (text.size() > kMaxQuotedBytes) {
    text = text.substr(0, kMaxQuotedBytes) + "...";
  }
  return text;
}

// Builds the document while it is parsed, so that depth and duplicate keys are seen before the
// offending value exists.
class DocumentBuilder : public nlohmann::json_sax<Json> {
 public:
  explicit DocumentBuilder(std::string_view name) : name_(name) {}

  Json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    if (!std::isfinite(value)) {
      throw_bad_input("{}: number {} is not finite{}", name_, text, place_text());
    }
    return add(value);
  }
  bool string(string_t& value) override { return add(std::move(value)); }
  bool binary(binary_t&) override { return false; }  // not part of JSON text
  bool start_object(std::size_t) override { return open(Json::object()); }
  bool start_array(std::size_t) override { return open(Json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }

  bool key(string_t& value) override {
    Level& level = levels_.back();
    if (!level.keys.insert(value).second) {
      throw_bad_input("{}: key \"{}\" stands twice in one object", name_,
                      value.substr(0, kMaxQuotedBytes));
    }
    level.key = std::move(value);
    return true;
  }

  bool parse_error(std::size_t byte, const std::string&,
                   const nlohmann::detail::exception& error) override {
    throw_bad_input("{}: byte {}: {}{}", name_, byte, readable(error.what()), place_text());
  }

 private:
  struct Level {
    Json* container;
    std::string key;  // of the member that comes next, in an object
    std::unordered_set<std::string> keys;
  };

  // " (at "key")" of the member that is being read.
  std::string place_text() const {
    const auto level = std::find_if(levels_.rbegin(), levels_.rend(),
                                    [](const Level& open) { return !open.key.empty(); });
    return level == levels_.rend()
               ? ""
               : fmt::format(" (at \"{}\")", level->key.substr(0, kMaxQuotedBytes));
  }

  // Appends to the innermost open container and returns where the value now lives. The address
  // holds while the value is open: its container cannot grow before it is closed.
  Json* place(Json value) {
    if (levels_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    Level& level = levels_.back();
    if (level.container->is_array()) {
      auto& array = level.container->get_ref<Json::array_t&>();
      array.push_back(std::move(value));
      return &array.back();
    }
    // Appended without the search for an equal key, which would be quadratic: key() has done it.
    auto& object = level.container->get_ref<Json::object_t&>();
    object.emplace_back(std::move(level.key), std::move(value));
    return &object.back().second;
  }

  bool add(Json value) {
    place(std::move(value));
    return true;
  }

  bool open(Json empty) {
    if (levels_.size() == kMaxJsonDepth) {
      throw_bad_input("{}: nested deeper than {} levels", name_, kMaxJsonDepth);
    }
    Json* container = place(std::move(empty));
    levels_.push_back({container, {}, {}});
    return true;
  }

  bool close() {
    levels_.pop_back();
    return true;
  }

  std::string_view name_;
  Json root_;
  std::vector<Level> levels_;
};

bool all_finite(const Json& json) {
  if (json.is_number_float()) {
    return std::isfinite(json.get<double>());
  }
  if (json.is_structured()) {
    for (const Json& value : json) {
      if (!all_finite(value)) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace

Json parse_json(std::string_view text, std::string_view name) {
  // The library takes it for the end, and would not look at what follows.
  if (const std::size_t zero = text.find('\0'); zero != std::string_view::npos) {
    throw_bad_input("{}: byte {}: a byte of value 0, which no JSON has", name, zero + 1);
  }
  DocumentBuilder builder(name);
  Json::sax_parse(text, &builder);
  return builder.take();
}

std::string read_text_file(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  if (!file) {
    throw_file_error(path, "cannot be opened", errno);
  }
  std::string text;
  std::vector<char> buffer(std::size_t{1} << 16U);
  for (;;) {
    errno = 0;
    const std::size_t count = std::fread(buffer.data(), 1, buffer.size(), file.get());
    text.append(buffer.data(), count);
    if (count < buffer.size()) {
      break;
    }
  }
  if (std::ferror(file.get()) != 0) {
    throw_file_error(path, "cannot be read", errno);
  }
  return text;
}

namespace {

struct Foreign {
  std::string_view begin;
  std::string_view found;  // and what mends it
};
// How a file begins that is no text of ours.
constexpr Foreign kForeign[] = {{"\xff\xfe", "UTF-16 text; save it as UTF-8"},
                                {"\xfe\xff", "UTF-16 text; save it as UTF-8"},
                                {"\x1f\x8b", "gzip data; unpack it with gunzip"},
                                {"\x28\xb5\x2f\xfd", "zstd data; unpack it with unzstd"}};
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // some editors put it before UTF-8

}  // namespace

Json read_json_file(const std::string& path) {
  const std::string content = read_text_file(path);
  std::string_view text = content;
  if (text.find_first_not_of(" \t\r\n") == std::string_view::npos) {
    throw_bad_input("{}: the file is empty", path);
  }
  for (const Foreign& foreign : kForeign) {
    if (text.starts_with(foreign.begin)) {
      throw_bad_input("{}: expected JSON, found {}", path, foreign.found);
    }
  }
  if (text.starts_with(kByteOrderMark)) {
    text.remove_prefix(kByteOrderMark.size());
  }
  return parse_json(text, path);
}

std::string dump_json(const Json& json, int indent) {
  if (!all_finite(json)) {
    throw_internal("json: a NaN or infinite number cannot be written");
  }
  return json.dump(indent, ' ', false, Json::error_handler_t::replace);
}

Json number_to_json(double number) {
  if (std::isnan(number)) {
    return "NaN";
  }
  if (std::isinf(number)) {
    return number > 0 ? "Infinity" : "-Infinity";
  }
  return number;
}

double number_from_json(const Json& json, std::string_view name) {
  if (json.is_number()) {
    return json.get<double>();
  }
  if (json == "NaN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  if (json == "Infinity") {
    return std::numeric_limits<double>::infinity();
  }
  if (json == "-Infinity") {
    return -std::numeric_limits<double>::infinity();
  }
  throw_bad_input("{}: {}, expected a number, \"NaN\", \"Infinity\" or \"-Infinity\"", name,
                  dump_json(json).substr(0, kMaxQuotedBytes));
}

}  // namespace voxmark
