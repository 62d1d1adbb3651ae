#include <array>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <nodewise/dlpack.hpp>
#include <nodewise/error.hpp>

#include "base/text.hpp"

namespace nodewise::dlpack {
namespace {

constexpr std::string_view remedy = "; copy the tensor instead";

std::string name_of(const Device& device) {
  static constexpr std::array<std::string_view, 19> names{"",        "CPU",
                                                          "CUDA",    "CUDA host memory",
                                                          "OpenCL",  "",
                                                          "",        "Vulkan",
                                                          "Metal",   "VPI",
                                                          "ROCm",    "ROCm host memory",
                                                          "ExtDev",  "CUDA managed memory",
                                                          "oneAPI",  "WebGPU",
                                                          "Hexagon", "MAIA",
                                                          "Trainium"};
  const auto type = static_cast<std::size_t>(device.type);
  if (device.type < 0 || type >= names.size() || names[type].empty())
    return base::text("of type ", device.type);
  return base::text(names[type], ":", device.id);
}

std::string name_of(const DataType& type) {
  static constexpr std::array<std::string_view, 7> names{"int",    "uint",    "float", "opaque handle",
                                                         "bfloat", "complex", "bool"};
  const std::string code = type.code < names.size() ? std::string(names[type.code])
                                                    : base::text("code ", unsigned{type.code}, " with ");
  return base::text(code, unsigned{type.bits}, type.lanes == 1 ? "" : base::text(" x ", type.lanes));
}

DType dtype_of_type(const DataType& type) {
  for (const DType dtype : all_dtypes) {
    const DataType known = data_type(dtype);
    if (known.code == type.code && known.bits == type.bits && known.lanes == type.lanes) return dtype;
  }
  throw InvalidArgument(base::text("DLPack import: nodewise has no element type ", name_of(type)));
}

// The rows must follow one another. A stride along which there is only one element does not matter.
void check_rows(const Tensor& tensor) {
  const std::int64_t rows = tensor.shape[0], cols = tensor.shape[1];
  if (tensor.strides == nullptr || rows == 0 || cols == 0) return;
  if ((cols > 1 && tensor.strides[1] != 1) || (rows > 1 && tensor.strides[0] != cols))
    throw InvalidArgument(base::text("DLPack import: a matrix of ", rows, " x ", cols, " with the strides ",
                                     tensor.strides[0], " and ", tensor.strides[1],
                                     " is not row-major without gaps", remedy));
}

Dataset dataset_of(const Tensor& tensor, std::uint64_t batch_size) {
  if (tensor.device.type != cpu.type)
    throw InvalidArgument(base::text("DLPack import: the tensor lies on the device ", name_of(tensor.device),
                                     "; it must lie in memory of the CPU", remedy));
  if (tensor.ndim != 2 || tensor.shape == nullptr)
    throw InvalidArgument(base::text("DLPack import: the tensor has ", tensor.ndim,
                                     " dimensions; a dataset has 2, rows and columns"));
  const DType dtype = dtype_of_type(tensor.dtype);
  if (tensor.shape[0] < 0 || tensor.shape[1] < 0)
    throw InvalidArgument(base::text("DLPack import: the shape ", tensor.shape[0], " x ", tensor.shape[1],
                                     " has a negative length"));
  check_rows(tensor);
  const Shape shape{static_cast<std::uint64_t>(tensor.shape[0]), static_cast<std::uint64_t>(tensor.shape[1])};
  return {shape, dtype, batch_size};
}

void check(const ManagedTensor&) {}
void check(const VersionedTensor& tensor) {
  if (tensor.version.major != version.major)
    throw InvalidArgument(base::text("DLPack import: the tensor has version ", tensor.version.major, ".",
                                     tensor.version.minor, "; this library can read version 1"));
}
bool is_read_only(const ManagedTensor&) {
  return false;
}
bool is_read_only(const VersionedTensor& tensor) {
  return (tensor.flags & flag_read_only) != 0;
}

template <class Managed>
BatchLoader imported(Managed* managed, std::uint64_t batch_size, const LoaderOptions& options) {
  if (managed == nullptr) throw InvalidArgument("DLPack import: the tensor is null");
  // Whatever happens from here on, the last copy of `owner` calls the deleter.
  auto owner = std::shared_ptr<Managed>(managed, [](Managed* tensor) {
    if (tensor->deleter != nullptr) tensor->deleter(tensor);
  });
  check(*managed);
  if (options.layout != Layout::rows)
    throw InvalidArgument(base::text("DLPack import: a tensor is arranged by rows, and the options say ",
                                     to_string(options.layout)));
  const Tensor& tensor = managed->tensor;
  const Dataset dataset = dataset_of(tensor, batch_size);
  if (dataset.total_bytes() == 0) return BatchLoader(dataset, options);  // nothing to be kept
  if (tensor.data == nullptr)
    throw InvalidArgument(
        base::text("DLPack import: the data of ", dataset.total_bytes(), " bytes is at a null pointer"));
  auto* data = static_cast<std::byte*>(tensor.data) + tensor.byte_offset;
  const bool read_only = is_read_only(*managed);
  const auto release = [kept = std::move(owner)](auto*) mutable { kept.reset(); };
  if (read_only)
    return BatchLoader::adopt(static_cast<const void*>(data), dataset, options,
                              std::function<void(const void*)>(release));
  return BatchLoader::adopt(static_cast<void*>(data), dataset, options, std::function<void(void*)>(release));
}

}  // namespace

BatchLoader import_tensor(VersionedTensor* tensor, std::uint64_t batch_size, const LoaderOptions& options) {
  return imported(tensor, batch_size, options);
}
BatchLoader import_tensor(ManagedTensor* tensor, std::uint64_t batch_size, const LoaderOptions& options) {
  return imported(tensor, batch_size, options);
}

}  // namespace nodewise::dlpack
