#include "workloads/network/safetensors.h"

#include <fcntl.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <set>
#include <utility>

#include "base/atomic_file.h"
#include "base/error.h"
#include "base/file_error.h"
#include "base/json.h"

namespace voxmark {
namespace {

static_assert(std::endian::native == std::endian::little,
              "values are copied as they lie in memory");

constexpr std::uint64_t kLengthBytes = 8;
// The limit of the format's own reader: a header beyond it is an attack or not a header.
constexpr std::uint64_t kMaxHeaderBytes = 100'000'000;
constexpr std::size_t kPieceBytes = std::size_t{1} << 20U;

// Bytes of one value; nothing for a dtype that is not read here.
std::optional<std::uint64_t> value_bytes(std::string_view dtype) {
  if (dtype == "F64" || dtype == "I64") {
    return 8;
  }
  if (dtype == "F32" || dtype == "I32") {
    return 4;
  }
  if (dtype == "U8") {
    return 1;
  }
  return std::nullopt;
}

// Fills `bytes` from a position of the file; the caller knows that the file reaches that far.
void read_fully(int descriptor, std::span<std::byte> bytes, std::uint64_t offset,
                const std::string& path) {
  while (!bytes.empty()) {
    const ssize_t count =
        ::pread(descriptor, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      throw_file_error(path, "cannot be read", errno);
    }
    if (count == 0) {
      throw_bad_input("{}: became shorter while it was read", path);
    }
    bytes = bytes.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
}

// Product of a shape, or nothing when it overflows 63 bits.
std::optional<std::int64_t> product(std::span<const std::int64_t> shape) {
  std::int64_t result = 1;
  for (const std::int64_t extent : shape) {
    if (__builtin_mul_overflow(result, extent, &result)) {
      return std::nullopt;
    }
  }
  return result;
}

struct ByteRange {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// A value of the header that must be a non-negative integer below 2^63.
std::int64_t extent_of(const Json& value, const std::string& where) {
  if (!value.is_number_unsigned() ||
      value.get<std::uint64_t>() > std::numeric_limits<std::int64_t>::max()) {
    throw_bad_input("{}: {}, expected a non-negative integer", where, dump_json(value));
  }
  return value.get<std::int64_t>();
}

struct RangedEntry {
  ByteRange range;
  TensorEntry entry;
};

// Checks one entry of the header by itself. `data_bytes` is what follows the header in the file.
RangedEntry parse_entry(const std::string& name, const Json& json, std::uint64_t data_bytes,
                        const std::string& path) {
  const std::string where = fmt::format("{}: tensor \"{}\"", path, name);
  if (!json.is_object() || json.size() != 3 || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets")) {
    throw_bad_input("{}: expected exactly dtype, shape and data_offsets", where);
  }
  TensorEntry entry;
  entry.name = name;
  if (!json["dtype"].is_string()) {
    throw_bad_input("{}: dtype is not a text", where);
  }
  entry.dtype = json["dtype"].get<std::string>();
  const auto bytes_each = value_bytes(entry.dtype);
  if (!bytes_each) {
    throw_bad_input("{}: dtype {}, expected F64, F32, I64, I32 or U8", where, entry.dtype);
  }
  if (!json["shape"].is_array()) {
    throw_bad_input("{}: shape is not an array", where);
  }
  for (const Json& extent : json["shape"]) {
    entry.shape.push_back(extent_of(extent, where + ": shape"));
  }
  const auto elements = product(entry.shape);
  std::uint64_t expected_bytes = 0;
  if (!elements ||
      __builtin_mul_overflow(static_cast<std::uint64_t>(*elements), *bytes_each, &expected_bytes)) {
    throw_bad_input("{}: shape {} overflows 64 bits", where, dump_json(json["shape"]));
  }
  entry.elements = *elements;
  const Json& offsets = json["data_offsets"];
  if (!offsets.is_array() || offsets.size() != 2) {
    throw_bad_input("{}: data_offsets {}, expected [begin, end]", where, dump_json(offsets));
  }
  const ByteRange range{
      static_cast<std::uint64_t>(extent_of(offsets[0], where + ": data_offsets")),
      static_cast<std::uint64_t>(extent_of(offsets[1], where + ": data_offsets"))};
  if (range.begin > range.end || range.end > data_bytes) {
    throw_bad_input("{}: data_offsets [{}, {}] in a file with {} bytes of data", where, range.begin,
                    range.end, data_bytes);
  }
  if (range.end - range.begin != expected_bytes) {
    throw_bad_input("{}: {} bytes, expected {} for {} {}", where, range.end - range.begin,
                    expected_bytes, entry.dtype, dump_json(json["shape"]));
  }
  return {range, std::move(entry)};
}

// Checks that the tensors cover the data exactly, without overlap or gap.
std::vector<TensorEntry> in_file_order(std::vector<RangedEntry> tensors, std::uint64_t data_bytes,
                                       const std::string& path) {
  std::ranges::stable_sort(tensors, {}, [](const RangedEntry& tensor) {
    return std::pair(tensor.range.begin, tensor.range.end);
  });
  std::vector<TensorEntry> entries;
  std::uint64_t expected_begin = 0;
  for (RangedEntry& tensor : tensors) {
    if (tensor.range.begin != expected_begin) {
      throw_bad_input("{}: tensor \"{}\" begins at byte {}, expected {}: tensors {}", path,
                      tensor.entry.name, tensor.range.begin, expected_begin,
                      tensor.range.begin < expected_begin ? "overlap" : "leave a gap");
    }
    expected_begin = tensor.range.end;
    entries.push_back(std::move(tensor.entry));
  }
  if (expected_begin != data_bytes) {
    throw_bad_input("{}: {} bytes of data, expected {} by its header", path, data_bytes,
                    expected_begin);
  }
  return entries;
}

std::map<std::string, std::string> parse_metadata(const Json& json, const std::string& path) {
  if (!json.is_object()) {
    throw_bad_input("{}: __metadata__ is not an object", path);
  }
  std::map<std::string, std::string> metadata;
  for (const auto& [key, value] : json.items()) {
    if (!value.is_string()) {
      throw_bad_input("{}: __metadata__ \"{}\" is not a text", path, key);
    }
    metadata[key] = value.get<std::string>();
  }
  return metadata;
}

template <class Stored, class Value>
void convert(std::span<const std::byte> bytes, Value* values) {
  for (std::size_t i = 0; i < bytes.size() / sizeof(Stored); ++i) {
    Stored stored;
    std::memcpy(&stored, bytes.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = static_cast<Value>(stored);
  }
}

template <class Value>
void convert_from(std::string_view dtype, std::span<const std::byte> bytes, Value* values) {
  if (dtype == "F64") {
    return convert<double>(bytes, values);
  }
  if (dtype == "F32") {
    return convert<float>(bytes, values);
  }
  if (dtype == "I64") {
    return convert<std::int64_t>(bytes, values);
  }
  if (dtype == "I32") {
    return convert<std::int32_t>(bytes, values);
  }
  return convert<std::uint8_t>(bytes, values);
}

}  // namespace

SafetensorsFile::SafetensorsFile(const std::string& path) : path_(path) {
  // Without O_NONBLOCK, opening a pipe would wait for a writer.
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (descriptor < 0) {
    throw_file_error(path, "cannot be opened", errno);
  }
  // From here on the destructor does not run when a check throws.
  struct Closer {
    int descriptor;
    ~Closer() {
      if (descriptor >= 0) {
        ::close(descriptor);
      }
    }
  } closer{descriptor};

  struct stat status{};
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
    throw_bad_input("{}: not a regular file", path);
  }
  const auto file_bytes = static_cast<std::uint64_t>(status.st_size);
  if (file_bytes < kLengthBytes) {
    throw_bad_input("{}: {} bytes, expected at least {} (safetensors)", path, file_bytes,
                    kLengthBytes);
  }
  std::uint64_t header_bytes = 0;
  read_fully(descriptor, std::as_writable_bytes(std::span(&header_bytes, 1)), 0, path);
  if (header_bytes > kMaxHeaderBytes || header_bytes > file_bytes - kLengthBytes) {
    throw_bad_input("{}: header length {}, expected at most {} (safetensors)", path, header_bytes,
                    std::min(kMaxHeaderBytes, file_bytes - kLengthBytes));
  }
  std::string header(header_bytes, '\0');
  read_fully(descriptor, std::as_writable_bytes(std::span(header)), kLengthBytes, path);
  const Json json = parse_json(header, path + ": header");
  if (!json.is_object()) {
    throw_bad_input("{}: header is not a JSON object", path);
  }

  const std::uint64_t data_begin = kLengthBytes + header_bytes;
  const std::uint64_t data_bytes = file_bytes - data_begin;
  std::vector<RangedEntry> tensors;
  for (const auto& [name, value] : json.items()) {
    if (name == "__metadata__") {
      metadata_ = parse_metadata(value, path);
      continue;
    }
    tensors.push_back(parse_entry(name, value, data_bytes, path));
    tensors.back().entry.file_offset = data_begin + tensors.back().range.begin;
  }
  entries_ = in_file_order(std::move(tensors), data_bytes, path);
  descriptor_ = std::exchange(closer.descriptor, -1);
}

SafetensorsFile::~SafetensorsFile() { ::close(descriptor_); }

bool SafetensorsFile::contains(std::string_view name) const {
  return std::ranges::any_of(entries_, [&](const TensorEntry& e) { return e.name == name; });
}

const TensorEntry& SafetensorsFile::entry(std::string_view name) const {
  const auto found =
      std::ranges::find_if(entries_, [&](const TensorEntry& e) { return e.name == name; });
  if (found == entries_.end()) {
    throw_bad_input("{}: no tensor \"{}\"", path_, name);
  }
  return *found;
}

template <class Value>
std::vector<Value> SafetensorsFile::read(std::string_view name) const {
  const TensorEntry& tensor = entry(name);
  const std::size_t bytes_each = value_bytes(tensor.dtype).value();
  std::vector<Value> values(static_cast<std::size_t>(tensor.elements));
  std::vector<std::byte> piece(std::min(kPieceBytes, values.size() * bytes_each));
  const std::size_t values_per_piece = kPieceBytes / bytes_each;
  for (std::size_t done = 0; done < values.size(); done += values_per_piece) {
    const std::size_t count = std::min(values_per_piece, values.size() - done);
    const auto bytes = std::span(piece).first(count * bytes_each);
    read_fully(descriptor_, bytes, tensor.file_offset + done * bytes_each, path_);
    convert_from(tensor.dtype, bytes, values.data() + done);
  }
  return values;
}

std::vector<double> SafetensorsFile::read_doubles(std::string_view name) const {
  return read<double>(name);
}

std::vector<float> SafetensorsFile::read_floats(std::string_view name) const {
  return read<float>(name);
}

void write_safetensors(const std::string& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const auto bytes_of = [](const TensorView& tensor) {
    return std::visit([](auto values) { return std::as_bytes(values); }, tensor.values);
  };
  Json header = Json::object();
  if (!metadata.empty()) {
    header["__metadata__"] = metadata;
  }
  std::set<std::string_view> names = {"__metadata__"};
  std::uint64_t offset = 0;
  for (const TensorView& tensor : tensors) {
    const bool is_float = std::holds_alternative<std::span<const float>>(tensor.values);
    const std::uint64_t bytes = bytes_of(tensor).size();
    const auto elements = product(tensor.shape);
    if (!elements || *elements < 0 ||
        static_cast<std::uint64_t>(*elements) * (is_float ? 4 : 8) != bytes) {
      throw_internal("{}: tensor \"{}\" of shape [{}] has {} bytes", path, tensor.name,
                     fmt::join(tensor.shape, ", "), bytes);
    }
    if (!names.insert(tensor.name).second) {
      throw_internal("{}: tensor name \"{}\" is given twice or reserved", path, tensor.name);
    }
    // push_back, because operator[] would search all keys.
    header.get_ref<Json::object_t&>().emplace_back(
        tensor.name, Json{{"dtype", is_float ? "F32" : "F64"},
                          {"shape", tensor.shape},
                          {"data_offsets", {offset, offset + bytes}}});
    offset += bytes;
  }
  std::string text = dump_json(header);
  text.append((8 - text.size() % 8) % 8, ' ');  // the format pads with spaces, so that data align

  AtomicFile file(path);
  const std::uint64_t header_bytes = text.size();
  file.write(std::as_bytes(std::span(&header_bytes, 1)));
  file.write(text);
  for (const TensorView& tensor : tensors) {
    file.write(bytes_of(tensor));
  }
  file.commit();
}

}  // namespace voxmark
