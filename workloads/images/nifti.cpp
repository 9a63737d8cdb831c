#include "workloads/images/nifti.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/error.h"

namespace voxmark {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{1} << 18U;  // stays in a second-level cache

template <class T>
void decode(std::span<const std::byte> raw, bool swap, std::span<double> values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    std::array<std::byte, sizeof(T)> bytes{};
    std::memcpy(bytes.data(), raw.data() + i * sizeof(T), sizeof(T));
    if (swap) {
      std::reverse(bytes.begin(), bytes.end());
    }
    values[i] = static_cast<double>(std::bit_cast<T>(bytes));
  }
}

void decode(NiftiType type, std::span<const std::byte> raw, bool swap, std::span<double> values) {
  switch (type) {
    case NiftiType::uint8:
      return decode<std::uint8_t>(raw, swap, values);
    case NiftiType::int8:
      return decode<std::int8_t>(raw, swap, values);
    case NiftiType::int16:
      return decode<std::int16_t>(raw, swap, values);
    case NiftiType::uint16:
      return decode<std::uint16_t>(raw, swap, values);
    case NiftiType::int32:
      return decode<std::int32_t>(raw, swap, values);
    case NiftiType::uint32:
      return decode<std::uint32_t>(raw, swap, values);
    case NiftiType::int64:
      return decode<std::int64_t>(raw, swap, values);
    case NiftiType::uint64:
      return decode<std::uint64_t>(raw, swap, values);
    case NiftiType::float32:
      return decode<float>(raw, swap, values);
    case NiftiType::float64:
      return decode<double>(raw, swap, values);
  }
}

// As nibabel: no multiplication by 1 and no addition of 0, which would change the sign of a zero.
// Two statements, so that the compiler may not fuse them into one rounding.
void scale(const NiftiHeader& header, std::span<double> values) {
  if (!header.scaled) {
    return;
  }
  if (header.scl_slope != 1) {
    for (double& value : values) {
      value *= header.scl_slope;
    }
  }
  if (header.scl_inter != 0) {
    for (double& value : values) {
      value += header.scl_inter;
    }
  }
}

}  // namespace

NiftiReader::NiftiReader(const std::string& path) : bytes_(path), buffer_(kNiftiHeaderBytes) {
  const std::size_t found = bytes_.read(buffer_);
  header_ = parse_nifti_header(std::span(buffer_).first(found), path);
  position_ = kNiftiHeaderBytes;
  check_file_size();
  if (header_.has_extensions) {
    read_extensions();
  }
  skip_bytes(header_.vox_offset - position_);
  buffer_.resize(kBlockBytes);
}

void NiftiReader::check_file_size() {
  const std::uint64_t file_bytes = bytes_.file_bytes();
  const std::uint64_t promised = header_.total_bytes();
  if (bytes_.compressed() ? promised / kMaxDeflateRatio > file_bytes : promised > file_bytes) {
    throw_bad_input(
        "nifti: {}: the header promises {} bytes (vox_offset {}, {} of {}), but the "
        "file holds {}{}",
        bytes_.path(), promised, header_.vox_offset, fmt::join(header_.shape, "x"),
        to_string(header_.type), file_bytes,
        bytes_.compressed() ? " of gzip, which cannot unpack to that" : "");
  }
  // As nibabel: padding that a writer left is no voxel. Behind a compressed image finish() refuses
  // it, because it could unpack to anything.
  if (!bytes_.compressed() && promised < file_bytes) {
    header_.warnings.push_back(
        fmt::format("{} bytes follow the voxels: not read", file_bytes - promised));
  }
}

// Extensions fill the space up to vox_offset: esize, ecode, esize - 8 bytes of content. Sizes that
// were not rounded up to 16 are taken as they are, as by nibabel; what is no size behind one of
// them ends the list. The voxels begin at vox_offset, whatever extensions say.
void NiftiReader::read_extensions() {
  constexpr std::uint64_t kUnit = 16;  // the standard's: every esize is a multiple
  constexpr std::int64_t kLeast = 8;   // esize and ecode
  bool rounded = true;
  while (header_.vox_offset - position_ >= kUnit) {
    std::array<std::byte, 4> size_bytes{};
    read_exactly(size_bytes);
    if (header_.big_endian != (std::endian::native == std::endian::big)) {
      std::reverse(size_bytes.begin(), size_bytes.end());
    }
    const std::int64_t size = std::bit_cast<std::int32_t>(size_bytes);
    const auto room =
        static_cast<std::int64_t>(header_.vox_offset - (position_ - size_bytes.size()));
    const bool is_multiple = size % static_cast<std::int64_t>(kUnit) == 0;
    const bool is_size = size >= kLeast && size < room + static_cast<std::int64_t>(kUnit) &&
                         (size <= room || !is_multiple);
    if (!is_size && !rounded) {
      return;
    }
    if (!is_size) {
      throw_bad_input(
          "nifti: {}: extension {}: esize = {}, expected a multiple of 16 up to the {} "
          "bytes before vox_offset",
          bytes_.path(), extension_count_, size, room);
    }
    if (!is_multiple && rounded) {
      rounded = false;
      header_.warnings.push_back(
          fmt::format("extension {}: esize = {}, expected a multiple of 16: read as it is",
                      extension_count_, size));
    }
    skip_bytes(static_cast<std::uint64_t>(std::min(size, room)) - size_bytes.size());
    ++extension_count_;
  }
}

void NiftiReader::read_exactly(std::span<std::byte> bytes) {
  const std::size_t found = bytes_.read(bytes);
  position_ += found;
  if (found < bytes.size()) {
    throw_bad_input("nifti: {}: cut short after {} bytes, expected {} by its header", bytes_.path(),
                    position_, header_.total_bytes());
  }
}

void NiftiReader::skip_bytes(std::uint64_t count) {
  std::vector<std::byte> block(std::min<std::uint64_t>(count, kBlockBytes));
  while (count > 0) {
    const std::uint64_t step = std::min<std::uint64_t>(count, block.size());
    read_exactly(std::span(block).first(step));
    count -= step;
  }
}

void NiftiReader::read(std::span<double> values) {
  const bool swap = header_.big_endian != (std::endian::native == std::endian::big);
  const auto voxel_bytes = static_cast<std::size_t>(bytes_per_voxel(header_.type));
  while (!values.empty()) {
    const std::size_t count = std::min(values.size(), buffer_.size() / voxel_bytes);
    const std::span<std::byte> raw = std::span(buffer_).first(count * voxel_bytes);
    read_exactly(raw);
    decode(header_.type, raw, swap, values.first(count));
    scale(header_, values.first(count));
    values = values.subspan(count);
  }
}

void NiftiReader::skip(std::int64_t voxels) {
  skip_bytes(static_cast<std::uint64_t>(voxels * bytes_per_voxel(header_.type)));
}

void NiftiReader::finish() {
  skip_bytes(header_.total_bytes() - position_);
  std::array<std::byte, 1> one_more{};
  if (bytes_.compressed() && bytes_.read(one_more) != 0) {
    throw_bad_input("nifti: {}: more than the {} bytes that its header promises", bytes_.path(),
                    header_.total_bytes());
  }
}

std::vector<std::int64_t> require_volume(const NiftiHeader& header, const std::string& path) {
  std::optional<std::vector<std::int64_t>> shape = header.volume_shape();
  if (!shape) {
    throw_bad_input("nifti: {}: shape {}, expected 3 dimensions, or 4 with the channels last", path,
                    fmt::join(header.shape, "x"));
  }
  return *std::move(shape);
}

NiftiImage read_nifti(const std::string& path, std::int64_t channels, NonFinite non_finite) {
  NiftiReader reader(path);
  const NiftiHeader& header = reader.header();
  const std::vector<std::int64_t> shape = require_volume(header, path);
  const std::int64_t available = shape.size() == 4 ? shape[3] : 1;
  if (channels > available) {
    throw_bad_input("nifti: {}: {} channels, expected at least {}", path, available, channels);
  }
  NiftiImage image{header, channels == 0 ? available : channels, {}};
  image.header.shape = shape;
  image.values.resize(static_cast<std::size_t>(header.voxels() / available * image.channels));

  std::vector<double> block(kBlockBytes / sizeof(double));
  std::int64_t bad = 0;
  for (std::size_t done = 0; done < image.values.size();) {
    const std::size_t count = std::min(block.size(), image.values.size() - done);
    reader.read(std::span(block).first(count));
    for (std::size_t i = 0; i < count; ++i) {
      const auto value = static_cast<float>(block[i]);
      bad += std::isfinite(value) ? 0 : 1;
      image.values[done + i] = value;
    }
    done += count;
  }
  reader.finish();
  if (bad > 0 && non_finite == NonFinite::reject) {
    throw_bad_input("nifti: {}: {} of {} voxels are NaN or infinite, expected none", path, bad,
                    image.values.size());
  }
  return image;
}

}  // namespace voxmark
