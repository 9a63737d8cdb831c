#include "workloads/images/file_kind.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/error.h"

namespace voxmark {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::size_t offset;
  std::string_view bytes;
  const char* kind;
};

// Behind `offset` bytes that may be anything.
constexpr std::array<Signature, 29> kSignatures = {{
    {257, "ustar"sv, "a tar archive: tar xf unpacks it"},
    {128, "DICM"sv, "DICOM: dcm2niix converts a series to NIfTI"},
    {0, "version https://git-lfs"sv,
     "a Git LFS pointer, not the file itself: git lfs pull fetches it"},
    {0, "/annex/objects/"sv, "a git-annex pointer, not the file itself: git annex get fetches it"},
    {0, "PK\x03\x04"sv, "a zip archive: unzip unpacks it"},
    {0, "PK\x05\x06"sv, "an empty zip archive"},
    {0, "\x1F\x8B"sv, "gzip within gzip: gunzip unpacks it once"},
    {0, "BZh"sv, "bzip2: bunzip2 unpacks it"},
    {0,
     "\xFD"
     "7zXZ\0"sv,
     "xz: unxz unpacks it"},
    {0, "\x28\xB5\x2F\xFD"sv, "zstd: unzstd unpacks it"},
    {0, "\x04\x22\x4D\x18"sv, "lz4: unlz4 unpacks it"},
    {0, "7z\xBC\xAF\x27\x1C"sv, "a 7z archive: 7z x unpacks it"},
    {0, "Rar!\x1A"sv, "a rar archive: unrar x unpacks it"},
    {0, "NRRD000"sv, "NRRD: convert it to NIfTI, for instance by SimpleITK"},
    {0, "\x89HDF\r\n\x1A\n"sv, "HDF5, perhaps MINC 2: mnc2nii or nibabel converts it to NIfTI"},
    {0, "CDF\x01"sv, "NetCDF, perhaps MINC 1: mnc2nii or nibabel converts it to NIfTI"},
    {0, "CDF\x02"sv, "NetCDF, perhaps MINC 1: mnc2nii or nibabel converts it to NIfTI"},
    {0, "\x00\x00\x00\x01"sv,
     "perhaps FreeSurfer's MGH (.mgh, .mgz): mri_convert converts it to NIfTI"},
    {0, "\x93NUMPY"sv, "a NumPy array: it has no affine; nibabel writes it as NIfTI with one"},
    {0, "MATLAB 5.0"sv, "a MATLAB file: convert it to NIfTI"},
    {0, "\x80\x02"sv, "a Python pickle: convert it to NIfTI where it comes from"},
    {0, "\x80\x04"sv, "a Python pickle: convert it to NIfTI where it comes from"},
    {0, "\x00\x05\x16\x07"sv, "macOS's notes on a file (AppleDouble, \"._\"), not the file itself"},
    {0, "\x89PNG"sv, "a PNG picture"},
    {0, "\xFF\xD8\xFF"sv, "a JPEG picture"},
    {0, "GIF8"sv, "a GIF picture"},
    {0, "II*\0"sv, "a TIFF picture: convert it to NIfTI"},
    {0, "MM\0*"sv, "a TIFF picture: convert it to NIfTI"},
    {0, "%PDF"sv, "a PDF document"},
}};

// The characters of UTF-8, or of UTF-16 as far as they are ASCII; without a byte order mark and
// the blanks in front.
std::string text_of(std::string_view bytes) {
  if (bytes.starts_with("\xEF\xBB\xBF")) {
    bytes.remove_prefix(3);
  }
  std::string text(bytes);
  if (bytes.starts_with("\xFF\xFE") || bytes.starts_with("\xFE\xFF")) {
    text.erase(0, 2);
    std::erase(text, '\0');
  }
  text.erase(0, text.find_first_not_of(" \t\r\n"));
  return text;
}

bool is_text(const std::string& text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    const auto code = static_cast<unsigned char>(c);
    return code == '\t' || code == '\r' || code == '\n' || (code >= 0x20 && code != 0x7F);
  });
}

std::string text_kind(const std::string& text, bool plain_text) {
  std::string small = text;
  std::transform(small.begin(), small.end(), small.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (small.starts_with("<!doctype html") || small.find("<html") != std::string::npos) {
    return "a web page (HTML), perhaps one that says why the download failed: download it again";
  }
  if (small.starts_with("<?xml") || small.starts_with("<error")) {
    return "XML, perhaps what a server says in place of the download: download it again";
  }
  if (text.find(".git/annex/objects/") != std::string::npos) {
    return "the text of a link into git-annex, not the file itself: git annex get fetches it";
  }
  if (text.find("ObjectType =") != std::string::npos || text.find("NDims =") != std::string::npos) {
    return "MetaImage (.mha, .mhd): convert it to NIfTI, for instance by SimpleITK";
  }
  if (!plain_text || !is_text(text)) {
    return "";
  }
  constexpr std::size_t kShown = 60;
  const std::string line = text.substr(0, std::min(text.find_first_of("\r\n"), kShown));
  return fmt::format("text (\"{}\"{}), perhaps what a server says in place of the download", line,
                     line.size() < text.size() ? "..." : "");
}

}  // namespace

std::string file_kind(std::span<const std::byte> first, bool plain_text) {
  const std::string_view bytes(reinterpret_cast<const char*>(first.data()), first.size());
  if (bytes.empty()) {
    return "an empty file";
  }
  for (const Signature& signature : kSignatures) {
    if (bytes.size() > signature.offset &&
        bytes.substr(signature.offset).starts_with(signature.bytes)) {
      return signature.kind;
    }
  }
  if (std::all_of(bytes.begin(), bytes.end(), [](char c) { return c == '\0'; })) {
    return "nothing but zeros where the header should be, perhaps a download that was cut short";
  }
  return text_kind(text_of(bytes), plain_text);
}

}  // namespace voxmark
