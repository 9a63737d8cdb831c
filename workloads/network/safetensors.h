// Tensors in files of the safetensors format: an 8-byte little-endian header length, a JSON header
// (name -> dtype, shape, offsets; texts under "__metadata__"), then raw little-endian values.
// Knows nothing of networks: names and layouts are the caller's.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace voxmark {

// What the header says of one tensor.
struct TensorEntry {
  std::string name;
  std::string dtype;                // F64, F32, I64, I32 or U8
  std::vector<std::int64_t> shape;  // empty: a scalar
  std::int64_t elements = 0;        // product of shape
  std::uint64_t file_offset = 0;    // of the first byte, from the start of the file
};

// An open file whose header has been checked as a whole: every offset lies in the file, tensors
// neither overlap nor leave gaps. Values are read on demand, one tensor at a time, in pieces.
class SafetensorsFile {
 public:
  // Throws Error (bad_input) when the file cannot be read or breaks the format.
  explicit SafetensorsFile(const std::string& path);
  ~SafetensorsFile();
  SafetensorsFile(const SafetensorsFile&) = delete;
  SafetensorsFile& operator=(const SafetensorsFile&) = delete;

  const std::string& path() const { return path_; }
  // The texts under "__metadata__".
  const std::map<std::string, std::string>& metadata() const { return metadata_; }
  // In the order of the file's bytes.
  std::span<const TensorEntry> entries() const { return entries_; }
  bool contains(std::string_view name) const;
  // Throws Error (bad_input) naming file and tensor when there is none of that name.
  const TensorEntry& entry(std::string_view name) const;

  // Values in row-major order, converted from the stored dtype (to float: rounded to nearest).
  // Throws Error (bad_input) when there is no such tensor or the file cannot be read.
  std::vector<double> read_doubles(std::string_view name) const;
  std::vector<float> read_floats(std::string_view name) const;

 private:
  template <class Value>
  std::vector<Value> read(std::string_view name) const;

  std::string path_;
  int descriptor_ = -1;
  std::map<std::string, std::string> metadata_;
  std::vector<TensorEntry> entries_;
};

// A tensor to be written: stored as F32 or F64, as its values are. Does not own them.
struct TensorView {
  std::string name;
  std::vector<std::int64_t> shape;
  std::variant<std::span<const float>, std::span<const double>> values;
};

// Writes a whole file, atomically. Throws Error: bad_input when no file can be created at `path`,
// internal when writing fails, or when a view contradicts itself (shape against values, a name
// given twice).
void write_safetensors(const std::string& path, std::span<const TensorView> tensors,
                       const std::map<std::string, std::string>& metadata = {});

}  // namespace voxmark
