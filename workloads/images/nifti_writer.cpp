#include "workloads/images/nifti_writer.h"

#include <fmt/ranges.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/atomic_file.h"
#include "base/error.h"

namespace voxmark {
namespace {

// The header below is laid out in memory order.
static_assert(std::endian::native == std::endian::little, "the writer swaps no bytes");

constexpr std::int64_t kMaxExtent = 32767;  // dim is int16
constexpr char kMillimetres = 2;            // NIFTI_UNITS_MM
constexpr std::int16_t kAligned = 2;        // NIFTI_XFORM_ALIGNED_ANAT

using HeaderBytes = std::array<std::byte, kNiftiHeaderBytes>;

template <class T>
void put(HeaderBytes& header, std::size_t offset, T value) {
  std::memcpy(header.data() + offset, &value, sizeof value);
}

HeaderBytes make_header(const NiftiGrid& grid, NiftiType type) {
  HeaderBytes header{};
  put(header, 0, std::int32_t{348});
  put(header, 40, static_cast<std::int16_t>(grid.shape.size()));
  put(header, 76, 1.0F);  // qfac
  for (std::size_t axis = 0; axis < 7; ++axis) {
    const std::int64_t extent = axis < grid.shape.size() ? grid.shape[axis] : 1;
    put(header, 42 + 2 * axis, static_cast<std::int16_t>(extent));
    double size = 1;
    if (axis < 3) {  // the length of the affine's column
      size = std::hypot(grid.affine[0][axis], grid.affine[1][axis], grid.affine[2][axis]);
    }
    put(header, 80 + 4 * axis, static_cast<float>(size));
  }
  put(header, 70, static_cast<std::int16_t>(type));
  put(header, 72, static_cast<std::int16_t>(8 * bytes_per_voxel(type)));
  put(header, 108, static_cast<float>(kNiftiHeaderBytes));  // vox_offset
  put(header, 112, 1.0F);                                   // scl_slope; scl_inter is 0
  put(header, 123, kMillimetres);
  put(header, 254, kAligned);  // sform_code; qform_code is 0
  for (std::size_t row = 0; row < 3; ++row) {
    for (std::size_t column = 0; column < 4; ++column) {
      put(header, 280 + 16 * row + 4 * column, static_cast<float>(grid.affine[row][column]));
    }
  }
  std::memcpy(header.data() + 344, "n+1", 4);
  return header;
}

constexpr int kLevel = 1;  // a phantom's noise does not compress further, only slower

// Compresses what is written, as one member of a gzip file, into an atomic one.
class GzipWriter {
 public:
  explicit GzipWriter(AtomicFile& file) : file_(file), block_(std::size_t{1} << 18U) {
    constexpr int kGzip = 16 + MAX_WBITS;
    constexpr int kMemory = 8;
    if (deflateInit2(&stream_, kLevel, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
      throw_internal("zlib: {}", stream_.msg == nullptr ? "cannot start" : stream_.msg);
    }
  }
  ~GzipWriter() { deflateEnd(&stream_); }
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  void write(std::span<const std::byte> bytes) {
    constexpr std::size_t kPiece = std::size_t{1} << 24U;  // zlib counts in unsigned int
    for (std::size_t done = 0; done < bytes.size(); done += kPiece) {
      const auto piece = bytes.subspan(done, std::min(kPiece, bytes.size() - done));
      std::vector<Bytef> input(piece.size());  // zlib takes no pointer to const
      std::memcpy(input.data(), piece.data(), piece.size());
      stream_.next_in = input.data();
      stream_.avail_in = static_cast<uInt>(input.size());
      drain(Z_NO_FLUSH);
    }
  }
  void finish() { drain(Z_FINISH); }

 private:
  void drain(int flush) {
    do {
      stream_.next_out = block_.data();
      stream_.avail_out = static_cast<uInt>(block_.size());
      deflate(&stream_, flush);
      file_.write(std::as_bytes(std::span(block_)).first(block_.size() - stream_.avail_out));
    } while (stream_.avail_out == 0);
  }

  AtomicFile& file_;
  std::vector<Bytef> block_;
  z_stream stream_{};
};

void write_image(const std::string& path, const NiftiGrid& grid, NiftiType type,
                 std::span<const std::byte> voxels) {
  std::uint64_t bytes = static_cast<std::uint64_t>(bytes_per_voxel(type));
  for (const std::int64_t extent : grid.shape) {
    if (extent < 1 || extent > kMaxExtent) {
      throw_internal("nifti: {}: extent {}", path, extent);
    }
    bytes *= static_cast<std::uint64_t>(extent);
  }
  if (grid.shape.empty() || grid.shape.size() > 7 || bytes != voxels.size()) {
    throw_internal("nifti: {}: {} bytes of {} for a grid of {}", path, voxels.size(),
                   to_string(type), fmt::join(grid.shape, "x"));
  }
  AtomicFile file(path);
  const HeaderBytes header = make_header(grid, type);
  if (path.ends_with(".gz")) {
    GzipWriter gzip(file);
    gzip.write(header);
    gzip.write(voxels);
    gzip.finish();
  } else {
    file.write(header);
    file.write(voxels);
  }
  file.commit();
}

}  // namespace

void write_nifti(const std::string& path, const NiftiGrid& grid, std::span<const float> values) {
  write_image(path, grid, NiftiType::float32, std::as_bytes(values));
}

void write_nifti(const std::string& path, const NiftiGrid& grid,
                 std::span<const std::int16_t> values) {
  write_image(path, grid, NiftiType::int16, std::as_bytes(values));
}

void write_nifti(const std::string& path, const NiftiGrid& grid,
                 std::span<const std::uint8_t> values) {
  write_image(path, grid, NiftiType::uint8, std::as_bytes(values));
}

}  // namespace voxmark
