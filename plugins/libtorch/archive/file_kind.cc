#include "plugins/libtorch/archive/file_kind.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace planner::libtorch {
namespace {

struct Signature {
  std::string_view bytes;
  std::string_view what;
};

constexpr Signature kSignatures[] = {
    {{"\x7f" "ELF", 4}, "an ELF program or library"},
    {{"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19", 14},
     "a pickle of torch.save's old format: load it in Python and export it with torch.jit.script or torch.jit.trace"},
    {{"\x80\x02", 2}, "a Python pickle"},
    {{"\x80\x03", 2}, "a Python pickle"},
    {{"\x80\x04", 2}, "a Python pickle"},
    {{"\x80\x05", 2}, "a Python pickle"},
    {{"\x89HDF\r\n\x1a\n", 8}, "an HDF5 file"},
    {{"GGUF", 4}, "a GGUF file"},
    {{"\x1f\x8b", 2}, "a gzip file"},
    {{"BZh", 3}, "a bzip2 file"},
    {{"\xfd" "7zXZ", 5}, "an xz file"},
    {{"\x28\xb5\x2f\xfd", 4}, "a zstd file"},
    {{"7z\xbc\xaf", 4}, "a 7z file"},
    {{"%PDF", 4}, "a PDF file"},
    {{"\x89PNG", 4}, "a PNG image"},
    {{"\xff\xd8\xff", 3}, "a JPEG image"},
    {{"\x93NUMPY", 6}, "a NumPy array"},
    {{"SQLite format 3", 15}, "an SQLite database"},
    {{"#!", 2}, "a script"},
    {{"\x08\x03\x12", 3}, "an ONNX model, it seems"},
    {{"\x08\x07\x12", 3}, "an ONNX model, it seems"},
    {{"\x08\x08\x12", 3}, "an ONNX model, it seems"},
};

}  // namespace

std::string DescribeBytes(std::string_view head) {
  if (head.empty()) return "an empty file";
  for (const Signature& signature : kSignatures) {
    if (head.substr(0, signature.bytes.size()) == signature.bytes) return std::string(signature.what);
  }
  if (head.size() > 262 && head.substr(257, 5) == "ustar") return "a tar file";
  // safetensors: the length of a JSON header, then the header.
  if (head.size() > 9 && head[8] == '{' && head[7] == '\0' && head[6] == '\0') return "a safetensors file: it has no code";
  if (std::all_of(head.begin(), head.end(), [](char c) { return c == '\0'; })) return "a file of zeros";
  const bool text = std::all_of(head.begin(), head.end(), [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 || c == '\n' || c == '\r' || c == '\t' || c == '\f';
  });
  return text ? "a text file" : "no zip file, which a TorchScript file is";
}

std::string DescribeMode(mode_t mode) {
  if (S_ISDIR(mode)) return "a directory";
  if (S_ISFIFO(mode)) return "a pipe";
  if (S_ISSOCK(mode)) return "a socket";
  if (S_ISLNK(mode)) return "a symbolic link";
  if (S_ISCHR(mode) || S_ISBLK(mode)) return "a device";
  return "no regular file";
}

std::string DescribeMembers(const std::vector<ZipMember>& members, std::string_view root) {
  if (members.empty()) return "an empty zip file";
  const auto has = [&](std::string_view name) {
    return std::any_of(members.begin(), members.end(), [&](const ZipMember& one) {
      return one.name.size() == root.size() + name.size() && one.name.compare(0, root.size(), root) == 0 &&
             one.name.compare(root.size(), name.size(), name) == 0;
    });
  };
  const auto ends = [&](const char* suffix) {
    return std::any_of(members.begin(), members.end(),
                       [&](const ZipMember& one) { return absl::EndsWith(one.name, suffix); });
  };
  if (has("model.json")) return "a TorchScript file of PyTorch 1.0 to 1.3: export it with a newer one";
  if (has("models/model.json") || has("serialized_exported_program.json") || has("archive_format")) {
    return "a torch.export program: export the model with torch.jit.script or torch.jit.trace";
  }
  if (has(".data/extern_modules")) return "a torch.package: export the model with torch.jit.script or torch.jit.trace";
  if (has("data.pkl")) {
    return "a state dictionary or another object that torch.save wrote: it has no code; export the module with torch.jit.script "
           "or torch.jit.trace";
  }
  if (ends(".npy")) return "a NumPy archive";
  if (ends(".class") || ends("MANIFEST.MF")) return "a Java archive";
  return "a zip file of other things";
}

}  // namespace planner::libtorch
