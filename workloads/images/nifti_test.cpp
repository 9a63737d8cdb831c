// Bad files, each made from a good one by one change, and what the reader says of them.
#include "workloads/images/nifti.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>

#include "base/error.h"
#include "workloads/images/nifti_writer.h"
#include "workloads/images/test_files.h"

namespace voxmark {
namespace {

// 4 x 3 x 2 voxels of int16 0, 1, 2, ... as the writer writes them.
std::string good_image() {
  const TemporaryFolder folder;
  const std::string path = folder.path("good.nii");
  std::vector<std::int16_t> values(24);
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<std::int16_t>(i);
  }
  write_nifti(path, {{4, 3, 2}, {{{2, 0, 0, -4}, {0, 3, 0, 5}, {0, 0, 4, 6}}}},
              std::span<const std::int16_t>(values));
  return read_bytes(path);
}

template <class T>
std::string with(std::string image, std::size_t offset, T value) {
  return image.replace(offset, sizeof value, reinterpret_cast<const char*>(&value), sizeof value);
}

// What the reader says of a file with these bytes; empty when it accepts them.
std::string refusal(const std::string& bytes, const std::string& name = "bad.nii") {
  const TemporaryFolder folder;
  write_bytes(folder.path(name), bytes);
  return refusal_of([&] { read_nifti(folder.path(name)); });
}

std::string gzip(const std::string& bytes) {
  z_stream stream{};
  EXPECT_EQ(deflateInit2(&stream, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
  std::string packed(deflateBound(&stream, bytes.size()) + 64, '\0');
  std::string input = bytes;
  stream.next_in = reinterpret_cast<Bytef*>(input.data());
  stream.avail_in = static_cast<uInt>(input.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  EXPECT_EQ(deflate(&stream, Z_FINISH), Z_STREAM_END);
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return packed;
}

// A gzip stream as small as can be for so many zeros behind `start`.
std::string bomb(const std::string& start, std::size_t zeros) {
  return gzip(start + std::string(zeros, '\0'));
}

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(NiftiReader, ReadsTheGoodImageThatTheOthersAreMadeFrom) {
  const TemporaryFolder folder;
  for (const auto& [name, bytes] :
       {std::pair("a.nii", good_image()), std::pair("a.nii.gz", gzip(good_image()))}) {
    write_bytes(folder.path(name), bytes);
    const NiftiImage image = read_nifti(folder.path(name));
    EXPECT_EQ(image.header.shape, (std::vector<std::int64_t>{4, 3, 2}));
    EXPECT_EQ(image.header.type, NiftiType::int16);
    EXPECT_EQ(image.header.affine[1], (std::array<double, 4>{0, 3, 0, 5}));
    ASSERT_EQ(image.values.size(), 24U);
    for (std::size_t i = 0; i < 24; ++i) {
      EXPECT_EQ(image.values[i], static_cast<float>(i));
    }
  }
}

struct BadFile {
  const char* what;
  std::function<std::string()> bytes;
  const char* said;  // part of the one line
};

const std::vector<BadFile>& bad_headers() {
  static const std::vector<BadFile> files = {
      {"empty", [] { return std::string(); }, "an empty file"},
      {"short", [] { return good_image().substr(0, 200); }, "200 bytes, expected at least 352"},
      {"sizeof_hdr", [] { return with<std::int32_t>(good_image(), 0, 347); }, "sizeof_hdr = 347"},
      {"NIfTI-2", [] { return with<std::int32_t>(good_image(), 0, 540); },
       "Nifti1Image.from_image"},
      {"magic", [] { return with<char>(good_image(), 345, '-'); }, "magic 'n-1\\x00'"},
      {"pair", [] { return with<char>(good_image(), 345, 'i'); }, ".hdr/.img pair"},
      {"Analyze", [] { return with<std::int32_t>(good_image(), 344, 0); }, "Analyze"},
      {"no dimension", [] { return with<std::int16_t>(good_image(), 40, 0); }, "dim[0] = 0"},
      {"8 dimensions", [] { return with<std::int16_t>(good_image(), 40, 8); }, "dim[0] = 8"},
      {"-1 dimensions", [] { return with<std::int16_t>(good_image(), 40, -1); }, "dim[0] = -1"},
      {"extent 0", [] { return with<std::int16_t>(good_image(), 44, 0); }, "dim[2] = 0"},
      {"extent -3", [] { return with<std::int16_t>(good_image(), 46, -3); }, "dim[3] = -3"},
      {"product overflow",
       [] {
         std::string image = with<std::int16_t>(good_image(), 40, 7);
         for (std::size_t axis = 1; axis <= 7; ++axis) {
           image = with<std::int16_t>(image, 40 + 2 * axis, 32767);
         }
         return image;
       },
       "overflow 64 bits"},
      {"complex", [] { return with<std::int16_t>(good_image(), 70, 32); }, "complex64"},
      {"complex128", [] { return with<std::int16_t>(good_image(), 70, 1792); }, "complex128"},
      {"RGB", [] { return with<std::int16_t>(good_image(), 70, 128); }, "RGB24"},
      {"RGBA", [] { return with<std::int16_t>(good_image(), 70, 2304); }, "RGBA32"},
      {"float128", [] { return with<std::int16_t>(good_image(), 70, 1536); }, "float128"},
      {"binary", [] { return with<std::int16_t>(good_image(), 70, 1); }, "binary"},
      {"no type", [] { return with<std::int16_t>(good_image(), 70, 77); }, "datatype = 77"},
      {"vox_offset NaN", [] { return with(good_image(), 108, kNan); }, "vox_offset = nan"},
      {"vox_offset infinite", [] { return with(good_image(), 108, kInfinity); },
       "vox_offset = inf"},
      {"vox_offset < 0", [] { return with(good_image(), 108, -352.0F); }, "vox_offset = -352"},
      {"vox_offset 0", [] { return with(good_image(), 108, 0.0F); }, "vox_offset = 0"},
      {"vox_offset 351", [] { return with(good_image(), 108, 351.0F); }, "vox_offset = 351"},
      {"vox_offset 352.5", [] { return with(good_image(), 108, 352.5F); }, "vox_offset = 352.5"},
      {"vox_offset huge", [] { return with(good_image(), 108, 1e30F); }, "vox_offset = 1"},
      {"vox_offset large", [] { return with(good_image(), 108, 0x1p52F); }, "the header promises"},
      {"vox_offset past", [] { return with(good_image(), 108, 368.0F); },
       "the header promises 416"},
      {"one voxel more", [] { return with<std::int16_t>(good_image(), 42, 5); }, "promises 412"},
      {"the largest", [] { return with<std::int16_t>(good_image(), 42, 32767); }, "promises"},
      {"cut by a byte", [] { return good_image().substr(0, 399); }, "holds 399"},
      {"inter", [] { return with(with(good_image(), 112, 2.0F), 116, kNan); }, "scl_inter = nan"},
      {"affine", [] { return with(good_image(), 284, kInfinity); }, "affine (sform) holds inf"},
      {"quaternion",
       [] { return with(with<std::array<std::int16_t, 2>>(good_image(), 252, {1, 0}), 256, 1.1F); },
       "quatern_b"},
  };
  return files;
}

TEST(NiftiReader, RefusesEveryBadHeaderNamingFileAndField) {
  for (const BadFile& bad : bad_headers()) {
    const std::string said = refusal(bad.bytes());
    EXPECT_NE(said.find(bad.said), std::string::npos) << bad.what << ": '" << said << "'";
    EXPECT_NE(said.find("bad.nii"), std::string::npos) << bad.what << ": '" << said << "'";
    EXPECT_EQ(said.find('\n'), std::string::npos) << bad.what;
  }
}

// The same, compressed: only the file's size is not known beforehand.
TEST(NiftiReader, RefusesEveryBadHeaderInGzip) {
  for (const BadFile& bad : bad_headers()) {
    EXPECT_NE(refusal(gzip(bad.bytes()), "bad.nii.gz"), "") << bad.what;
  }
}

// Every value of every byte of the header: refused, or read as something that can be.
TEST(NiftiHeader, NoChangedByteEscapesTheChecks) {
  const std::string good = good_image().substr(0, kNiftiHeaderBytes);
  std::size_t refused = 0;
  for (std::size_t byte = 0; byte < good.size(); ++byte) {
    for (int value = 0; value < 256; ++value) {
      const std::string changed = with<char>(good, byte, static_cast<char>(value));
      NiftiHeader header;
      const std::string said = refusal_of(
          [&] { header = parse_nifti_header(std::as_bytes(std::span(changed)), "changed"); });
      if (!said.empty()) {
        ++refused;
        continue;
      }
      ASSERT_TRUE(header.shape.size() >= 1 && header.shape.size() <= 7) << byte << ": " << value;
      ASSERT_GE(header.vox_offset, kNiftiHeaderBytes) << byte << ": " << value;
      ASSERT_GE(header.voxels(), 1) << byte << ": " << value;
      ASSERT_GT(header.total_bytes(), header.vox_offset) << byte << ": " << value;
    }
  }
  // Of sizeof_hdr and magic, 8 bytes, only one value each is right.
  EXPECT_GT(refused, std::size_t{8 * 255});
}

// Extents of 2^15 in four dimensions promise 2^61 bytes: nothing may be allocated for them.
TEST(NiftiReader, RefusesAHugePromiseBeforeAllocatingIt) {
  std::string image = with<std::int16_t>(good_image(), 40, 4);
  for (std::size_t axis = 1; axis <= 4; ++axis) {
    image = with<std::int16_t>(image, 40 + 2 * axis, 32767);
  }
  EXPECT_NE(refusal(image).find("the header promises"), std::string::npos);
  EXPECT_NE(refusal(gzip(image), "a.nii.gz").find("cannot unpack to that"), std::string::npos);
}

std::string with_extension(std::int32_t esize) {
  std::string image = with(good_image(), 108, 384.0F);
  image.insert(352, std::string(32, '\0'));
  image[348] = 1;
  return with<std::int32_t>(image, 352, esize);
}

TEST(NiftiReader, SkipsAnExtension) {
  const TemporaryFolder folder;
  write_bytes(folder.path("a.nii"), with_extension(32));
  NiftiReader reader(folder.path("a.nii"));
  EXPECT_EQ(reader.extension_count(), 1);
  std::vector<double> values(24);
  reader.read(values);
  reader.finish();
  EXPECT_EQ(values[23], 23.0);
}

TEST(NiftiReader, RefusesBadExtensionSizes) {
  for (const std::int32_t esize : {0, -16, 7, 48, 1 << 30, std::numeric_limits<std::int32_t>::max(),
                                   std::numeric_limits<std::int32_t>::min()}) {
    const std::string said = refusal(with_extension(esize));
    EXPECT_NE(said.find("esize = " + std::to_string(esize)), std::string::npos) << said;
  }
}

TEST(NiftiReader, ReadsExtensionSizesThatWereNotRoundedUpWithAWarning) {
  const TemporaryFolder folder;
  for (const std::int32_t esize : {8, 17, 24, 31, 33, 47}) {
    write_bytes(folder.path("a.nii"), with_extension(esize));
    const NiftiImage image = read_nifti(folder.path("a.nii"));
    EXPECT_EQ(image.values[23], 23.0F);
    ASSERT_EQ(image.header.warnings.size(), 1U) << esize;
    EXPECT_EQ(
        image.header.warnings[0],
        fmt::format("extension 0: esize = {}, expected a multiple of 16: read as it is", esize));
  }
}

TEST(NiftiReader, ReadsByDatatypeWhereBitpixContradictsItWithAWarning) {
  const TemporaryFolder folder;
  for (const int bitpix : {0, 8, 32, -1}) {
    write_bytes(folder.path("a.nii"),
                with<std::int16_t>(good_image(), 72, static_cast<std::int16_t>(bitpix)));
    const NiftiImage image = read_nifti(folder.path("a.nii"));
    EXPECT_EQ(image.values[23], 23.0F);
    EXPECT_EQ(image.header.warnings,
              std::vector<std::string>{fmt::format(
                  "bitpix = {}, expected 16 for datatype 4 (int16): read by datatype", bitpix)});
  }
}

TEST(NiftiReader, ReadsAQuaternionThatIsLongerThanOneByARoundingWithAWarning) {
  const TemporaryFolder folder;
  const auto turned = [](float b) {
    return with(with(with<std::array<std::int16_t, 2>>(good_image(), 252, {1, 0}), 256, b), 260, b);
  };
  write_bytes(folder.path("a.nii"), turned(0.7072F));  // 90 degrees, in four digits
  const NiftiHeader header = read_nifti(folder.path("a.nii")).header;
  ASSERT_EQ(header.warnings.size(), 1U);
  EXPECT_NE(header.warnings[0].find("longer than 1 by a rounding"), std::string::npos);
  // Half a turn about the diagonal of x and y, as of the exact quaternion.
  EXPECT_NEAR(header.affine[0][1], 3, 1e-6);
  EXPECT_NEAR(header.affine[1][0], 2, 1e-6);
  EXPECT_NEAR(header.affine[2][2], -4, 1e-6);
  EXPECT_NE(refusal(turned(0.72F)).find("longer than 1"), std::string::npos);
}

std::string with_shape(const std::vector<std::int16_t>& dims) {
  std::string image = good_image();
  for (std::size_t i = 0; i < dims.size(); ++i) {
    image = with(image, 40 + 2 * i, dims[i]);
  }
  return image;
}

TEST(NiftiReader, DropsAxesOfExtentOneBehindTheThird) {
  using Shape = std::vector<std::int64_t>;
  const TemporaryFolder folder;
  const auto shape_of = [&](const std::vector<std::int16_t>& dims) {
    write_bytes(folder.path("a.nii"), with_shape(dims));
    const NiftiImage image = read_nifti(folder.path("a.nii"));
    EXPECT_EQ(image.values.size(), 24U);
    EXPECT_EQ(image.values[23], 23.0F);
    EXPECT_EQ(image.channels, image.header.shape.size() == 4 ? image.header.shape[3] : 1);
    return image.header.shape;
  };
  EXPECT_EQ(shape_of({5, 4, 3, 1, 1, 2}), (Shape{4, 3, 1, 2}));  // ITK: x, y, z, 1, channels
  EXPECT_EQ(shape_of({7, 4, 3, 1, 2, 1, 1, 1}), (Shape{4, 3, 1, 2}));
  EXPECT_EQ(shape_of({7, 4, 3, 2, 1, 1, 1, 1}), (Shape{4, 3, 2}));
  EXPECT_EQ(shape_of({4, 4, 3, 2, 1}), (Shape{4, 3, 2, 1}));
  EXPECT_EQ(shape_of({6, 1, 1, 12, 1, 1, 2}), (Shape{1, 1, 12, 2}));
  EXPECT_NE(refusal(with_shape({5, 2, 3, 1, 2, 2})).find("shape 2x3x1x2x2, expected 3 dimensions"),
            std::string::npos);
  EXPECT_NE(refusal(with_shape({2, 8, 3})).find("shape 8x3, expected 3 dimensions"),
            std::string::npos);
}

TEST(NiftiReader, ReadsSlopeAndIntercept) {
  const TemporaryFolder folder;
  write_bytes(folder.path("a.nii"), with(with(good_image(), 112, 0.5F), 116, -3.0F));
  EXPECT_EQ(read_nifti(folder.path("a.nii")).values[23], 23 * 0.5F - 3.0F);
}

TEST(NiftiReader, ReadsAZeroSlopeAsUnscaled) {
  const TemporaryFolder folder;
  write_bytes(folder.path("a.nii"), with(with(good_image(), 112, 0.0F), 116, 7.0F));
  const NiftiImage image = read_nifti(folder.path("a.nii"));
  EXPECT_EQ(image.values[23], 23.0F);
  EXPECT_TRUE(image.header.warnings.empty());
}

TEST(NiftiReader, ReadsASlopeThatIsNotFiniteAsUnscaledWithAWarning) {
  const TemporaryFolder folder;
  for (const float slope : {kNan, kInfinity, -kInfinity}) {
    write_bytes(folder.path("a.nii"), with(with(good_image(), 112, slope), 116, kNan));
    const NiftiImage image = read_nifti(folder.path("a.nii"));
    EXPECT_EQ(image.values[23], 23.0F);
    ASSERT_EQ(image.header.warnings.size(), 1U);
    EXPECT_NE(image.header.warnings[0].find("scl_slope"), std::string::npos);
  }
}

TEST(NiftiReader, ReadsPastNothingThatFollowsTheVoxelsAndWarns) {
  const TemporaryFolder folder;
  write_bytes(folder.path("a.nii"), good_image() + "padding");
  const NiftiImage image = read_nifti(folder.path("a.nii"));
  EXPECT_EQ(image.values.size(), 24U);
  EXPECT_EQ(image.values[23], 23.0F);
  ASSERT_EQ(image.header.warnings.size(), 1U);
  EXPECT_EQ(image.header.warnings[0], "7 bytes follow the voxels: not read");
  EXPECT_NE(refusal(gzip(good_image() + "padding"), "bad.nii.gz").find("more than the"),
            std::string::npos);
}

TEST(NiftiReader, CountsVoxelsThatAreNotFiniteAndRefusesThemByDefault) {
  const TemporaryFolder folder;
  const std::string path = folder.path("a.nii.gz");
  const std::vector<float> values = {1, kNan, 3, -kInfinity, kInfinity, 6};
  write_nifti(path, {{3, 2, 1}, {}}, std::span<const float>(values));
  const std::string said = refusal_of([&] { read_nifti(path); });
  EXPECT_NE(said.find("3 of 6 voxels are NaN or infinite"), std::string::npos) << said;
  EXPECT_TRUE(std::isnan(read_nifti(path, 0, NonFinite::allow).values[1]));
}

TEST(NiftiReader, ReadsTheChannelsAskedFor) {
  const TemporaryFolder folder;
  const std::string path = folder.path("a.nii.gz");
  const std::vector<float> values = {1, 2, 3, 4, 5, 6};
  write_nifti(path, {{2, 1, 1, 3}, {}}, std::span<const float>(values));
  EXPECT_EQ(read_nifti(path, 2).values, (std::vector<float>{1, 2, 3, 4}));
  EXPECT_EQ(read_nifti(path).values, values);
  EXPECT_NE(refusal_of([&] { read_nifti(path, 4); }).find("3 channels, expected at least 4"),
            std::string::npos);
}

TEST(NiftiReader, RefusesFoldersFifosAndDevicesWithoutWaiting) {
  const TemporaryFolder folder;
  ASSERT_EQ(mkfifo(folder.path("fifo.nii").c_str(), 0600), 0);
  EXPECT_NE(refusal_of([&] { read_nifti(folder.path("fifo.nii")); }).find("found a FIFO"),
            std::string::npos);
  EXPECT_NE(refusal_of([&] { read_nifti(folder.path("")); }).find("found a directory"),
            std::string::npos);
  EXPECT_NE(refusal_of([&] { read_nifti("/dev/zero"); }).find("device"), std::string::npos);
  EXPECT_NE(refusal_of([&] { read_nifti(folder.path("none.nii")); }).find("No such file"),
            std::string::npos);
}

TEST(Gzip, RefusesAStreamCutShortAnywhere) {
  const std::string packed = gzip(good_image());
  for (std::size_t cut = 1; cut < packed.size() - 2; ++cut) {
    const std::string said = refusal(packed.substr(0, packed.size() - cut), "a.nii.gz");
    EXPECT_NE(said.find("cut short"), std::string::npos) << cut << " bytes cut: '" << said << "'";
  }
}

TEST(Gzip, RefusesAWrongChecksumAndAWrongLength) {
  const std::string packed = gzip(good_image());
  for (std::size_t back = 1; back <= 8; ++back) {
    std::string bad = packed;
    bad[bad.size() - back] = static_cast<char>(bad[bad.size() - back] ^ 1);
    const std::string said = refusal(bad, "a.nii.gz");
    const char* expected = back <= 4 ? "incorrect length check" : "incorrect data check";
    EXPECT_NE(said.find(expected), std::string::npos) << back << ": '" << said << "'";
  }
}

// Gzip's own header is not under its checksum: there a flipped bit may be harmless, never wrong.
TEST(Gzip, NoFlippedBitChangesTheVoxelsUnnoticed) {
  const TemporaryFolder folder;
  const std::string path = folder.path("a.nii.gz");
  const std::string packed = gzip(good_image());
  write_bytes(path, packed);
  const std::vector<float> expected = read_nifti(path).values;
  std::size_t refused = 0;
  for (std::size_t bit = 0; bit < 8 * packed.size(); ++bit) {
    std::string bad = packed;
    bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
    write_bytes(path, bad);
    std::vector<float> values = expected;
    const std::string said = refusal_of([&] { values = read_nifti(path).values; });
    EXPECT_EQ(values, expected) << "bit " << bit;
    refused += said.empty() ? 0U : 1U;
  }
  // Some flips only make deflate copy the same zeros from elsewhere.
  EXPECT_GT(refused, 8 * (packed.size() - 10) * 95 / 100);
}

TEST(Gzip, RefusesBytesBehindTheStream) {
  EXPECT_NE(refusal(gzip(good_image()) + "x", "a.nii.gz").find("follow the end of the stream"),
            std::string::npos);
  EXPECT_NE(refusal(gzip(good_image()) + std::string(16, '\0') + "x", "a.nii.gz")
                .find("follow the end of the stream"),
            std::string::npos);
  EXPECT_NE(refusal(gzip(good_image()) + gzip("x"), "a.nii.gz").find("more than the 400 bytes"),
            std::string::npos);
}

TEST(Gzip, ReadsPastZerosBehindTheStream) {
  const TemporaryFolder folder;
  const std::string image = good_image();
  for (const std::size_t zeros : {1U, 512U, 300000U}) {  // the last: more than is read at once
    const std::string padding(zeros, '\0');
    write_bytes(folder.path("a.nii.gz"), gzip(image) + padding);
    EXPECT_EQ(read_nifti(folder.path("a.nii.gz")).values[23], 23.0F) << zeros;
    write_bytes(folder.path("a.nii.gz"),
                gzip(image.substr(0, 370)) + padding + gzip(image.substr(370)) + padding);
    EXPECT_EQ(read_nifti(folder.path("a.nii.gz")).values[23], 23.0F) << zeros;
  }
}

// RFC 1952, 2.2: a file may consist of several members; parallel compressors write such files.
TEST(Gzip, ReadsAFileOfSeveralMembers) {
  const TemporaryFolder folder;
  const std::string image = good_image();
  write_bytes(folder.path("a.nii.gz"), gzip(image.substr(0, 370)) + gzip(image.substr(370)));
  EXPECT_EQ(read_nifti(folder.path("a.nii.gz")).values[23], 23.0F);
}

// 64 MiB behind 48 bytes of voxels: the reader must stop at the first byte too many, which the
// time shows badly, but the position of the file shows well.
TEST(Gzip, StopsUnpackingABombAtTheFirstByteTooMany) {
  const TemporaryFolder folder;
  const std::string path = folder.path("bomb.nii.gz");
  write_bytes(path, bomb(good_image(), std::size_t{64} << 20U));
  EXPECT_NE(refusal_of([&] { read_nifti(path); }).find("more than the 400 bytes"),
            std::string::npos);

  // Damage behind the first few blocks is not reached, so it is not what the reader complains of.
  std::string damaged = read_bytes(path);
  ASSERT_GT(damaged.size(), std::size_t{60000});
  for (std::size_t i = 2000; i < damaged.size(); ++i) {
    damaged[i] = static_cast<char>(0xFF);
  }
  write_bytes(path, damaged);
  EXPECT_NE(refusal_of([&] { read_nifti(path); }).find("more than the 400 bytes"),
            std::string::npos);
}

template <class T>
void expect_written_values_read_back(const std::vector<T>& values, NiftiType type) {
  const TemporaryFolder folder;
  for (const char* name : {"a.nii", "a.nii.gz"}) {
    write_nifti(folder.path(name), {{3, 1, 2}, {}}, std::span<const T>(values));
    const NiftiImage image = read_nifti(folder.path(name));
    EXPECT_EQ(image.header.type, type);
    EXPECT_EQ(image.values, std::vector<float>(values.begin(), values.end()));
  }
}

TEST(NiftiWriter, WritesWhatReadsBack) {
  expect_written_values_read_back<float>({-1.5F, 0.0F, 3.25F, 1e30F, -1e-30F, 7.0F},
                                         NiftiType::float32);
  expect_written_values_read_back<std::int16_t>({-32768, 32767, 0, 1, -1, 300}, NiftiType::int16);
  expect_written_values_read_back<std::uint8_t>({0, 1, 2, 3, 254, 255}, NiftiType::uint8);
}

TEST(NiftiWriter, SameValuesGiveTheSameBytes) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3, 4};
  for (const char* name : {"a.nii.gz", "b.nii.gz"}) {
    write_nifti(folder.path(name), {{4}, {}}, std::span<const float>(values));
  }
  EXPECT_EQ(read_bytes(folder.path("a.nii.gz")), read_bytes(folder.path("b.nii.gz")));
}

TEST(NiftiWriter, SaysWhatCannotBeWritten) {
  const std::vector<float> values = {1, 2, 3, 4};
  const auto write = [&](const std::string& path) {
    return refusal_of([&] { write_nifti(path, {{4}, {}}, std::span<const float>(values)); });
  };
  EXPECT_NE(write("/nonexistent/a.nii.gz").find("No such file"), std::string::npos);
  if (std::filesystem::exists("/dev/full")) {
    const TemporaryFolder folder;
    for (const char* name : {"a.nii", "a.nii.gz"}) {
      std::filesystem::remove(folder.path(name));
      std::filesystem::create_symlink("/dev/full", folder.path(name));
      try {
        write_nifti(folder.path(name), {{4}, {}}, std::span<const float>(values));
        ADD_FAILURE() << "wrote to a full disk";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::internal);
        EXPECT_NE(std::string(error.what()).find("No space left"), std::string::npos);
      }
    }
  }
}

TEST(NiftiWriter, LeavesNothingBesideTheFile) {
  const TemporaryFolder folder;
  const std::vector<float> values = {1, 2, 3, 4};
  write_nifti(folder.path("a.nii.gz"), {{4}, {}}, std::span<const float>(values));
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder.path(""))) {
    files += entry.is_regular_file() ? 1 : 0;
  }
  EXPECT_EQ(files, 1);
}

}  // namespace
}  // namespace voxmark
