#include "workloads/images/nifti_header.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <optional>

#include "base/error.h"
#include "workloads/images/file_kind.h"

namespace voxmark {
namespace {

// Byte offsets of the header's fields, as in nifti1.h.
constexpr std::size_t kSizeofHdr = 0;
constexpr std::size_t kDim = 40;
constexpr std::size_t kDatatype = 70;
constexpr std::size_t kBitpix = 72;
constexpr std::size_t kPixdim = 76;
constexpr std::size_t kVoxOffset = 108;
constexpr std::size_t kSclSlope = 112;
constexpr std::size_t kSclInter = 116;
constexpr std::size_t kQformCode = 252;
constexpr std::size_t kSformCode = 254;
constexpr std::size_t kQuaternB = 256;
constexpr std::size_t kQoffsetX = 268;
constexpr std::size_t kSrowX = 280;
constexpr std::size_t kMagic = 344;
constexpr std::size_t kExtension = 348;

constexpr std::int32_t kSizeofNifti1 = 348;
constexpr std::int32_t kSizeofNifti2 = 540;
constexpr int kLargestXformCode = 5;  // NIFTI_XFORM_TEMPLATE_OTHER

class Fields {
 public:
  Fields(std::span<const std::byte> bytes, bool big_endian)
      : bytes_(bytes), swap_(big_endian != (std::endian::native == std::endian::big)) {}

  template <class T>
  T at(std::size_t offset, std::size_t index = 0) const {
    std::array<std::byte, sizeof(T)> raw{};
    std::memcpy(raw.data(), bytes_.data() + offset + index * sizeof(T), sizeof(T));
    if (swap_) {
      std::reverse(raw.begin(), raw.end());
    }
    return std::bit_cast<T>(raw);
  }
  double real(std::size_t offset, std::size_t index = 0) const {
    return static_cast<double>(at<float>(offset, index));
  }

 private:
  std::span<const std::byte> bytes_;
  bool swap_;
};

// The order in which sizeof_hdr reads 348, if there is one.
bool detect_big_endian(std::span<const std::byte> bytes, const std::string& path) {
  const auto little = Fields(bytes, false).at<std::int32_t>(kSizeofHdr);
  const auto big = Fields(bytes, true).at<std::int32_t>(kSizeofHdr);
  if (little == kSizeofNifti1) {
    return false;
  }
  if (big == kSizeofNifti1) {
    return true;
  }
  if (little == kSizeofNifti2 || big == kSizeofNifti2) {
    throw_bad_input(
        "nifti: {}: sizeof_hdr = 540: a NIfTI-2 image (or CIFTI), expected NIfTI-1; nibabel "
        "converts images: nib.save(nib.Nifti1Image.from_image(nib.load(\"old.nii.gz\")), "
        "\"new.nii.gz\")",
        path);
  }
  const std::string kind = file_kind(bytes);
  if (!kind.empty()) {
    throw_bad_input("nifti: {}: not a NIfTI-1 image but {}", path, kind);
  }
  throw_bad_input("nifti: {}: sizeof_hdr = {}, expected 348: not a NIfTI-1 image", path, little);
}

void check_magic(std::span<const std::byte> bytes, const std::string& path) {
  std::array<char, 4> magic{};
  std::memcpy(magic.data(), bytes.data() + kMagic, magic.size());
  const std::string_view found(magic.data(), magic.size());
  if (found == std::string_view("n+1\0", 4)) {
    return;
  }
  if (found == std::string_view("ni1\0", 4)) {
    throw_bad_input(
        "nifti: {}: magic 'ni1': one half of a .hdr/.img pair, expected a single file "
        "(.nii or .nii.gz)",
        path);
  }
  if (found == std::string_view("\0\0\0\0", 4)) {
    throw_bad_input("nifti: {}: no magic: perhaps an Analyze 7.5 header, expected 'n+1' (NIfTI-1)",
                    path);
  }
  std::string shown;
  for (const char c : found) {
    const auto code = static_cast<unsigned char>(c);
    shown += code >= 0x20 && code < 0x7F ? std::string(1, c) : fmt::format("\\x{:02x}", code);
  }
  throw_bad_input("nifti: {}: magic '{}', expected 'n+1' (NIfTI-1)", path, shown);
}

std::vector<std::int64_t> read_shape(const Fields& fields, const std::string& path) {
  const int dimensions = fields.at<std::int16_t>(kDim);
  if (dimensions < 1 || dimensions > 7) {
    throw_bad_input("nifti: {}: dim[0] = {}, expected 1 to 7", path, dimensions);
  }
  std::vector<std::int64_t> shape;
  for (std::size_t axis = 1; axis <= static_cast<std::size_t>(dimensions); ++axis) {
    const int extent = fields.at<std::int16_t>(kDim, axis);
    if (extent < 1) {
      throw_bad_input("nifti: {}: dim[{}] = {}, expected at least 1", path, axis, extent);
    }
    shape.push_back(extent);
  }
  return shape;
}

std::optional<NiftiType> real_type(int datatype) {
  for (const NiftiType type :
       {NiftiType::uint8, NiftiType::int16, NiftiType::int32, NiftiType::float32,
        NiftiType::float64, NiftiType::int8, NiftiType::uint16, NiftiType::uint32, NiftiType::int64,
        NiftiType::uint64}) {
    if (static_cast<int>(type) == datatype) {
      return type;
    }
  }
  return std::nullopt;
}

std::string_view name_of_refused(int datatype) {
  switch (datatype) {
    case 0:
      return "unknown";
    case 1:
      return "binary";
    case 32:
      return "complex64";
    case 128:
      return "RGB24";
    case 1536:
      return "float128";
    case 1792:
      return "complex128";
    case 2048:
      return "complex256";
    case 2304:
      return "RGBA32";
    default:
      return "no NIfTI-1 type";
  }
}

NiftiType read_type(const Fields& fields, const std::string& path, NiftiHeader& header) {
  const int datatype = fields.at<std::int16_t>(kDatatype);
  const std::optional<NiftiType> type = real_type(datatype);
  if (!type) {
    throw_bad_input(
        "nifti: {}: datatype = {} ({}), expected a real scalar: uint8 to uint64, int8 "
        "to int64, float32 or float64",
        path, datatype, name_of_refused(datatype));
  }
  // As nibabel, ITK and FSL: datatype says it all, and writers forget bitpix.
  const int bitpix = fields.at<std::int16_t>(kBitpix);
  if (bitpix != 8 * bytes_per_voxel(*type)) {
    header.warnings.push_back(
        fmt::format("bitpix = {}, expected {} for datatype {} ({}): read by "
                    "datatype",
                    bitpix, 8 * bytes_per_voxel(*type), datatype, to_string(*type)));
  }
  return *type;
}

std::uint64_t read_vox_offset(const Fields& fields, const std::string& path) {
  const double offset = fields.real(kVoxOffset);
  // Every float from 2^53 on is past any file there is; NaN fails the first comparison.
  if (!(offset >= static_cast<double>(kNiftiHeaderBytes)) || offset >= 0x1p53 ||
      offset != std::floor(offset)) {
    throw_bad_input("nifti: {}: vox_offset = {}, expected a whole number from {}", path, offset,
                    kNiftiHeaderBytes);
  }
  return static_cast<std::uint64_t>(offset);
}

void check_sizes(const NiftiHeader& header, const std::string& path) {
  std::int64_t bytes = bytes_per_voxel(header.type);
  for (const std::int64_t extent : header.shape) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) {
      throw_bad_input(
          "nifti: {}: dim: {} of {} overflow 64 bits of size, expected a possible image", path,
          fmt::join(header.shape, "x"), to_string(header.type));
    }
  }
  if (static_cast<std::uint64_t>(bytes) >
      std::numeric_limits<std::int64_t>::max() - header.vox_offset) {
    throw_bad_input("nifti: {}: dim and vox_offset overflow 64 bits of size", path);
  }
}

// As nibabel: a slope that is 0 or not finite means unscaled, whatever the intercept.
void read_scaling(const Fields& fields, const std::string& path, NiftiHeader& header) {
  header.scl_slope = fields.real(kSclSlope);
  header.scl_inter = fields.real(kSclInter);
  if (!std::isfinite(header.scl_slope)) {
    header.warnings.push_back(fmt::format("scl_slope = {}: read as unscaled", header.scl_slope));
    return;
  }
  if (header.scl_slope == 0) {
    return;
  }
  if (!std::isfinite(header.scl_inter)) {
    throw_bad_input("nifti: {}: scl_inter = {} beside scl_slope = {}, expected a finite number",
                    path, header.scl_inter, header.scl_slope);
  }
  header.scaled = true;
}

int read_xform_code(const Fields& fields, std::size_t field, std::string_view name,
                    NiftiHeader& header) {
  const int code = fields.at<std::int16_t>(field);
  if (code >= 0 && code <= kLargestXformCode) {
    return code;
  }
  header.warnings.push_back(fmt::format("{} = {}: no such code, read as 0", name, code));
  return 0;
}

Affine sform_affine(const Fields& fields) {
  Affine affine{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) {
      affine[row][column] = fields.real(kSrowX, 4 * row + column);
    }
  }
  return affine;
}

// Voxel sizes in mm; zero and negative ones as nibabel mends them.
std::array<double, 3> voxel_sizes(const Fields& fields) {
  std::array<double, 3> sizes{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const double size = fields.real(kPixdim, axis + 1);
    sizes[axis] = size == 0 ? 1 : std::abs(size);
  }
  return sizes;
}

// Rotation by the unit quaternion (a, b, c, d), of which the header stores b, c and d.
// In long double, as nibabel does, because 1 - b^2 - c^2 - d^2 cancels.
Affine qform_affine(const Fields& fields, const std::string& path, NiftiHeader& header) {
  // nibabel's threshold: three times the epsilon of float32, which is what is stored.
  constexpr long double kNearZero = 3.0L * 0x1p-23L;
  // Two decimal digits, and what is worse than that is no rotation that a writer meant.
  constexpr long double kRounding = 0.01L;
  const auto b = static_cast<long double>(fields.at<float>(kQuaternB, 0));
  const auto c = static_cast<long double>(fields.at<float>(kQuaternB, 1));
  const auto d = static_cast<long double>(fields.at<float>(kQuaternB, 2));
  const long double a_squared = 1 - (b * b + c * c + d * d);
  if (!(a_squared > -kRounding)) {
    throw_bad_input(
        "nifti: {}: quatern_b, c, d = {}, {}, {}: longer than 1, expected part of a "
        "unit quaternion",
        path, static_cast<double>(b), static_cast<double>(c), static_cast<double>(d));
  }
  if (!(a_squared > -kNearZero)) {
    header.warnings.push_back(
        fmt::format("quatern_b, c, d = {}, {}, {}: longer than 1 by a rounding, read at length 1",
                    static_cast<double>(b), static_cast<double>(c), static_cast<double>(d)));
  }
  const long double a = a_squared < kNearZero ? 0 : std::sqrt(a_squared);
  const long double s = 2 / (a * a + b * b + c * c + d * d);
  const std::array<std::array<long double, 3>, 3> rotation = {{
      {1 - s * (c * c + d * d), s * (b * c - a * d), s * (b * d + a * c)},
      {s * (b * c + a * d), 1 - s * (b * b + d * d), s * (c * d - a * b)},
      {s * (b * d - a * c), s * (c * d + a * b), 1 - s * (b * b + c * c)},
  }};
  std::array<double, 3> sizes = voxel_sizes(fields);
  const bool left_handed = fields.real(kPixdim) == -1.0;  // qfac; anything else counts as 1
  if (left_handed) {
    sizes[2] = -sizes[2];
  }
  Affine affine{};
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 3; ++column) {
      affine[row][column] =
          static_cast<double>(rotation[row][column] * static_cast<long double>(sizes[column]));
    }
    affine[row][3] = fields.real(kQoffsetX, row);
  }
  return affine;
}

// Neither form: the image's centre is the origin and x runs to the left, as in Analyze.
Affine pixdim_affine(const Fields& fields, const std::vector<std::int64_t>& shape) {
  const std::array<double, 3> sizes = voxel_sizes(fields);
  Affine affine{};
  for (std::size_t axis = 0; axis < 3; ++axis) {
    const bool exists = axis < shape.size();
    const double size = (exists ? sizes[axis] : 1.0) * (axis == 0 ? -1 : 1);
    const double centre = exists ? static_cast<double>(shape[axis] - 1) / 2 : 0.0;
    affine[axis][axis] = size;
    affine[axis][3] = -centre * size;
  }
  return affine;
}

void read_affine(const Fields& fields, const std::string& path, NiftiHeader& header) {
  header.qform_code = read_xform_code(fields, kQformCode, "qform_code", header);
  header.sform_code = read_xform_code(fields, kSformCode, "sform_code", header);
  if (header.sform_code != 0) {
    header.affine_source = "sform";
    header.affine = sform_affine(fields);
  } else if (header.qform_code != 0) {
    header.affine_source = "qform";
    header.affine = qform_affine(fields, path, header);
  } else {
    header.affine_source = "pixdim";
    header.affine = pixdim_affine(fields, header.shape);
  }
  for (const auto& row : header.affine) {
    for (const double element : row) {
      if (!std::isfinite(element)) {
        throw_bad_input("nifti: {}: the affine ({}) holds {}, expected finite numbers", path,
                        header.affine_source, element);
      }
    }
  }
}

}  // namespace

std::string_view to_string(NiftiType type) {
  switch (type) {
    case NiftiType::uint8:
      return "uint8";
    case NiftiType::int16:
      return "int16";
    case NiftiType::int32:
      return "int32";
    case NiftiType::float32:
      return "float32";
    case NiftiType::float64:
      return "float64";
    case NiftiType::int8:
      return "int8";
    case NiftiType::uint16:
      return "uint16";
    case NiftiType::uint32:
      return "uint32";
    case NiftiType::int64:
      return "int64";
    case NiftiType::uint64:
      return "uint64";
  }
  throw_internal("nifti: no such type");
}

std::int64_t bytes_per_voxel(NiftiType type) {
  switch (type) {
    case NiftiType::uint8:
    case NiftiType::int8:
      return 1;
    case NiftiType::int16:
    case NiftiType::uint16:
      return 2;
    case NiftiType::int32:
    case NiftiType::uint32:
    case NiftiType::float32:
      return 4;
    case NiftiType::int64:
    case NiftiType::uint64:
    case NiftiType::float64:
      return 8;
  }
  throw_internal("nifti: no such type");
}

std::int64_t NiftiHeader::voxels() const {
  std::int64_t product = 1;
  for (const std::int64_t extent : shape) {
    product *= extent;
  }
  return product;
}

std::optional<std::vector<std::int64_t>> NiftiHeader::volume_shape() const {
  if (shape.size() == 3 || shape.size() == 4) {
    return shape;
  }
  if (shape.size() < 3) {
    return std::nullopt;
  }
  std::vector<std::int64_t> volume(shape.begin(), shape.begin() + 3);
  std::copy_if(shape.begin() + 3, shape.end(), std::back_inserter(volume),
               [](std::int64_t extent) { return extent > 1; });
  if (volume.size() > 4) {
    return std::nullopt;
  }
  return volume;
}

std::uint64_t NiftiHeader::data_bytes() const {
  return static_cast<std::uint64_t>(voxels() * bytes_per_voxel(type));
}

NiftiHeader parse_nifti_header(std::span<const std::byte> bytes, const std::string& path) {
  if (bytes.size() < kNiftiHeaderBytes) {
    // Say what it is, if enough is there to tell: the header of a pair may be 348 bytes long.
    const std::string kind = file_kind(bytes);
    if (!kind.empty()) {
      throw_bad_input("nifti: {}: not a NIfTI-1 image but {}", path, kind);
    }
    if (bytes.size() >= kExtension) {
      check_magic(bytes, path);
    }
    throw_bad_input("nifti: {}: {} bytes, expected at least {} (a NIfTI-1 header)", path,
                    bytes.size(), kNiftiHeaderBytes);
  }
  NiftiHeader header;
  header.big_endian = detect_big_endian(bytes, path);
  check_magic(bytes, path);
  const Fields fields(bytes, header.big_endian);
  header.shape = read_shape(fields, path);
  header.type = read_type(fields, path, header);
  header.vox_offset = read_vox_offset(fields, path);
  check_sizes(header, path);
  read_scaling(fields, path, header);
  read_affine(fields, path, header);
  header.has_extensions = bytes[kExtension] != std::byte{0};
  return header;
}

}  // namespace voxmark
