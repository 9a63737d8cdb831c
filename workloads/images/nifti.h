// Voxels of a NIfTI-1 file, .nii or .nii.gz, scaled as nibabel's get_fdata() scales them.
// Nothing of the voxels is allocated before the header and the file's size agree.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "workloads/images/gzip.h"
#include "workloads/images/nifti_header.h"

namespace voxmark {

// Reads an image front to back, in blocks of the caller's size.
class NiftiReader {
 public:
  // Opens the file and reads its header and extensions. Throws Error (bad_input) on everything that
  // parse_nifti_header() refuses, on bad extension sizes, and on a file too small. Bytes behind the
  // voxels of a file that is not compressed are a warning in the header, and so are extension sizes
  // that are not rounded up to 16.
  explicit NiftiReader(const std::string& path);

  const NiftiHeader& header() const { return header_; }
  bool compressed() const { return bytes_.compressed(); }
  std::int64_t extension_count() const { return extension_count_; }

  // The next values, x fastest, as stored * scl_slope + scl_inter in double. Throws Error
  // (bad_input) when the file is cut short or damaged.
  void read(std::span<double> values);
  void skip(std::int64_t voxels);

  // Skips what is left and asks for one byte more, so that a gzip stream's checksum is checked and
  // a stream that goes on behind the voxels is refused without being unpacked.
  void finish();

 private:
  void read_extensions();
  void check_file_size();
  void read_exactly(std::span<std::byte> bytes);
  void skip_bytes(std::uint64_t count);

  ByteReader bytes_;
  NiftiHeader header_;
  std::int64_t extension_count_ = 0;
  std::uint64_t position_ = 0;  // bytes of the unpacked stream already read
  std::vector<std::byte> buffer_;
};

struct NiftiImage {
  NiftiHeader header;
  std::int64_t channels = 1;  // what was read of the 4th extent
  std::vector<float> values;  // x fastest, then y, z, channel
};

// header.volume_shape(). Throws Error (bad_input) where there is none.
std::vector<std::int64_t> require_volume(const NiftiHeader& header, const std::string& path);

enum class NonFinite { reject, allow };

// Reads a 3D image (one channel) or the first `channels` of a 4D one; 0 means all of them; the
// shape in the header that is returned is its volume_shape(). The rest of the file is still read,
// for its checksum. Throws Error (bad_input) as NiftiReader does, on other numbers of dimensions,
// too few channels, and, by default, voxels that are NaN or infinite in float (with their count).
NiftiImage read_nifti(const std::string& path, std::int64_t channels = 0,
                      NonFinite non_finite = NonFinite::reject);

}  // namespace voxmark
