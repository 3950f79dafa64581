#include "plugins/libtorch/engine/module_loader.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

#include <ATen/ATen.h>
#include <caffe2/serialize/inline_container.h>
#include <caffe2/serialize/read_adapter_interface.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/serialization/import_source.h>
#include <torch/csrc/jit/serialization/storage_context.h>
#include <torch/csrc/jit/serialization/unpickler.h>

#include "plugins/libtorch/engine/interception.h"
#include "plugins/libtorch/engine/rules/class_twins.h"

namespace planner::libtorch {
namespace {

using caffe2::serialize::PyTorchStreamReader;
using torch::jit::CompilationUnit;

constexpr size_t kLargestIntegers = 1 << 20;
constexpr size_t kLargestFloats = 1 << 16;

/// Reads at positions of a descriptor that stays its owner's.
class DescriptorReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit DescriptorReader(int fd) : fd_(fd) {
    struct stat status = {};
    if (fstat(fd, &status) != 0) throw std::runtime_error("the file cannot be read");
    size_ = static_cast<size_t>(status.st_size);
  }

  size_t size() const override { return size_; }

  size_t read(uint64_t position, void* buffer, size_t count, const char*) const override {
    size_t done = 0;
    while (done < count) {
      const ssize_t got = pread(fd_, static_cast<char*>(buffer) + done, count - done, static_cast<off_t>(position + done));
      if (got <= 0) break;
      done += static_cast<size_t>(got);
    }
    return done;
  }

 private:
  int fd_;
  size_t size_ = 0;
};

class MemoryReader final : public caffe2::serialize::ReadAdapterInterface {
 public:
  explicit MemoryReader(std::string bytes) : bytes_(std::move(bytes)) {}
  size_t size() const override { return bytes_.size(); }
  size_t read(uint64_t position, void* buffer, size_t count, const char*) const override {
    if (position >= bytes_.size()) return 0;
    const size_t done = std::min(count, bytes_.size() - static_cast<size_t>(position));
    std::memcpy(buffer, bytes_.data() + position, done);
    return done;
  }

 private:
  std::string bytes_;
};

/// Stands for a record that was not read: the context of its storage's memory.
struct RecordName {
  std::string name;
};

void DeleteRecordName(void* context) { delete static_cast<RecordName*>(context); }

/// The archive's deserializer: torch's own (torch/csrc/jit/serialization/import.cpp has the format), but for weights, whose
/// storages are on the meta device and know only the name of their record.
class Deserializer {
 public:
  Deserializer(std::shared_ptr<caffe2::serialize::ReadAdapterInterface> archive, bool whole_source)
      : whole_source_(whole_source),
        reader_(std::move(archive)),
        unit_(std::make_shared<CompilationUnit>()),
        twins_([this](const std::string& qualifier) { return ReadSource(qualifier); }),
        importer_(
            unit_, &constants_, [this](const std::string& qualifier) { return FindSource(qualifier); }, reader_.version()) {}

  LoadedModule Load() {
    if (reader_.hasRecord("model.json")) throw std::runtime_error("the file is in a format from before PyTorch 1.4");
    const c10::IValue constants = ReadPickle("constants");
    LoadedModule loaded;
    for (const c10::IValue& constant : constants.toTupleRef().elements()) {
      constants_.push_back(constant.isTensor() ? c10::IValue(WithValues(constant.toTensor(), kLargestFloats)) : constant);
      if (!constant.isTensor() || !constant.toTensor().has_storage()) continue;
      const at::Tensor tensor = constants_.back().toTensor();
      loaded.storages.insert(tensor.storage().unsafeGetStorageImpl());
      if (!tensor.is_floating_point() || tensor.dim() == 0) continue;
      loaded.floating_constants += tensor.numel();
      if (tensor.is_meta()) loaded.constant_weights += tensor.numel();
    }
    loaded.module = torch::jit::Module(ReadPickle("data").toObject());
    Finish(loaded.module, loaded);
    return loaded;
  }

 private:
  static std::string PathOf(const std::string& qualifier) {
    std::string path = "code/" + qualifier;
    std::replace(path.begin(), path.end(), '.', '/');
    return path + ".py";
  }

  std::optional<std::string> ReadSource(const std::string& qualifier) {
    const std::string path = PathOf(qualifier);
    if (!reader_.hasRecord(path)) return std::nullopt;
    auto [data, size] = reader_.getRecord(path);
    return std::string(static_cast<const char*>(data.get()), size);
  }

  std::shared_ptr<torch::jit::Source> FindSource(const std::string& qualifier) {
    std::optional<std::string> source = whole_source_ ? ReadSource(qualifier) : twins_.Source(qualifier);
    if (!source.has_value()) return nullptr;
    return std::make_shared<torch::jit::Source>(std::move(*source), PathOf(qualifier), 1);
  }

  c10::intrusive_ptr<c10::ivalue::Object> MakeObject(const at::StrongTypePtr& type, c10::IValue input) {
    const auto cls = type.type_->expect<at::ClassType>();
    const size_t count = cls->numAttributes();
    auto object = c10::ivalue::Object::create(type, count);
    if (cls->findMethod("__getstate__") != nullptr && cls->findMethod("__setstate__") != nullptr) {
      cls->getMethod("__setstate__")({object, std::move(input)});
      return object;
    }
    const auto attributes = std::move(input).toGenericDict();
    for (size_t i = 0; i < count; ++i) object->setSlot(i, attributes.at(cls->getAttributeName(i)));
    return object;
  }

  c10::IValue ReadPickle(const std::string& archive) {
    auto [data, size] = reader_.getRecord(archive + ".pkl");
    const char* bytes = static_cast<const char*>(data.get());
    size_t position = 0;
    const size_t end = size;
    auto read = [bytes, end, &position](char* buffer, size_t wanted) -> size_t {
      if (position >= end) return 0;
      const size_t count = std::min(wanted, end - position);
      std::memcpy(buffer, bytes + position, count);
      position += count;
      return count;
    };
    auto resolve = [this](const c10::QualifiedName& name) {
      const c10::QualifiedName first = whole_source_ ? name : c10::QualifiedName(twins_.First(name.qualifiedName()));
      return c10::StrongTypePtr(unit_, importer_.loadType(first));
    };
    auto make = [this](const at::StrongTypePtr& type, c10::IValue input) { return MakeObject(type, std::move(input)); };
    auto record = [archive](const std::string& name) {
      return at::DataPtr(nullptr, new RecordName{archive + "/" + name}, &DeleteRecordName, c10::Device(c10::kMeta));
    };
    torch::jit::Unpickler unpickler(read, resolve, make, record, c10::nullopt, /*use_storage_device=*/true,
                                    torch::jit::Unpickler::defaultTypeParser,
                                    // Tensors that share a record share their storage: tied parameters stay tied.
                                    std::make_shared<torch::jit::DeserializationStorageContext>());
    unpickler.set_version(reader_.version());
    return unpickler.parse_ivalue();
  }

  /// The tensor with its values on the CPU, where shapes may depend on them and they are few.
  at::Tensor WithValues(const at::Tensor& tensor, size_t largest_floats) {
    if (!tensor.defined() || !tensor.is_meta() || !tensor.has_storage() || tensor.requires_grad()) return tensor;
    const at::DataPtr& pointer = tensor.storage().data_ptr();
    if (pointer.get_deleter() != &DeleteRecordName || pointer.get_context() == nullptr) return tensor;
    const bool integral = at::isIntegralType(tensor.scalar_type(), /*includeBool=*/true);
    const size_t bytes = tensor.storage().nbytes();
    if (bytes > (integral ? kLargestIntegers : largest_floats)) return tensor;
    auto [data, size] = reader_.getRecord(static_cast<const RecordName*>(pointer.get_context())->name);
    if (size < bytes) throw std::runtime_error("a tensor's record is shorter than the tensor");
    at::Storage storage(at::Storage::use_byte_size_t(), size, std::move(data), /*allocator=*/nullptr, /*resizable=*/false);
    at::Tensor valued = at::empty({0}, tensor.options().device(c10::kCPU));
    valued.set_(storage, tensor.storage_offset(), tensor.sizes(), tensor.strides());
    return valued;
  }

  /// Gives buffers their values, and notes storages.
  void Finish(const torch::jit::Module& module, LoadedModule& loaded) {
    const auto& object = module._ivalue();
    if (!visited_.insert(object.get()).second) return;
    const auto type = object->type();
    for (size_t i = 0; i < type->numAttributes(); ++i) {
      const c10::IValue slot = object->getSlot(i);
      if (slot.isTensor()) {
        at::Tensor tensor = slot.toTensor();
        if (!type->is_parameter(i)) {
          tensor = WithValues(tensor, sizeof(double));
          object->setSlot(i, tensor);
        }
        if (tensor.defined() && tensor.has_storage()) loaded.storages.insert(tensor.storage().unsafeGetStorageImpl());
      } else if (slot.isModule()) {
        Finish(slot.toModule(), loaded);
      }
    }
  }

  bool whole_source_;
  PyTorchStreamReader reader_;
  std::shared_ptr<CompilationUnit> unit_;
  std::vector<c10::IValue> constants_;
  ClassTwins twins_;
  torch::jit::SourceImporter importer_;
  std::unordered_set<const void*> visited_;
};

LoadedModule Load(const std::shared_ptr<caffe2::serialize::ReadAdapterInterface>& archive) {
  torch::jit::GraphOptimizerEnabledGuard unoptimized(false);
  LoadScope scope;
  // Functions keep pointing into the deserializer's constants: it lives as long as the process.
  auto* deserializer = new Deserializer(archive, /*whole_source=*/false);
  try {
    return deserializer->Load();
  } catch (const std::exception&) {
    // Perhaps for want of a constant; else this fails alike, with the text that the file's whole source gives.
    auto* again = new Deserializer(archive, /*whole_source=*/true);
    return again->Load();
  }
}

}  // namespace

LoadedModule LoadModule(int fd) { return Load(std::make_shared<DescriptorReader>(fd)); }

LoadedModule LoadModule(std::string archive) { return Load(std::make_shared<MemoryReader>(std::move(archive))); }

}  // namespace planner::libtorch
