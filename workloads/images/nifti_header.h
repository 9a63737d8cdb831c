// What a NIfTI-1 header says: shape, type, scaling, affine, and where the voxels begin.
// Knows nothing of files; the voxels are nifti.h's.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace voxmark {

// The real scalar types, by their NIfTI-1 datatype codes.
enum class NiftiType : std::int16_t {
  uint8 = 2,
  int16 = 4,
  int32 = 8,
  float32 = 16,
  float64 = 64,
  int8 = 256,
  uint16 = 512,
  uint32 = 768,
  int64 = 1024,
  uint64 = 1280,
};

std::string_view to_string(NiftiType type);  // numpy's name: "uint8"
std::int64_t bytes_per_voxel(NiftiType type);

// The upper three rows of voxel index (x, y, z, 1) -> millimetres.
using Affine = std::array<std::array<double, 4>, 3>;

struct NiftiHeader {
  bool big_endian = false;
  std::vector<std::int64_t> shape;  // 1 to 7 extents, x first (x varies fastest in the file)
  NiftiType type = NiftiType::uint8;
  double scl_slope = 0;  // as stored; may be 0, NaN or infinite
  double scl_inter = 0;
  bool scaled = false;  // value = stored * scl_slope + scl_inter; otherwise value = stored
  std::uint64_t vox_offset = 0;
  bool has_extensions = false;
  int qform_code = 0;
  int sform_code = 0;
  std::string affine_source;  // "sform", "qform" or "pixdim", chosen as nibabel does
  Affine affine{};
  std::vector<std::string> warnings;  // what was read differently from what the header says

  std::int64_t voxels() const;  // product of shape
  // The shape as x, y, z or x, y, z, channels: of more axes, those of extent 1 behind z are
  // dropped, of which ITK writes x, y, z, 1, channels. Nothing where that does not lead to a
  // volume.
  std::optional<std::vector<std::int64_t>> volume_shape() const;
  std::uint64_t data_bytes() const;
  std::uint64_t total_bytes() const { return vox_offset + data_bytes(); }
};

constexpr std::size_t kNiftiHeaderBytes = 352;  // header and the four bytes that flag extensions

// Reads the first kNiftiHeaderBytes of a single-file NIfTI-1 image. `bytes` may be shorter, if the
// file is. Throws Error (bad_input), naming `path` and the field, on everything that is not a
// NIfTI-1 single file of real scalars, with what it is instead, and on every size that is wrong or
// overflows.
NiftiHeader parse_nifti_header(std::span<const std::byte> bytes, const std::string& path);

}  // namespace voxmark
