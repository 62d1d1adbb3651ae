// DLPack is an interface in memory by which array libraries (NumPy, PyTorch, JAX, TensorFlow, ...) hand
// tensors to one another without copying them. Its structs are declared here, so dlpack.h is not needed; the
// structs are the same, and pointers to them can be cast.
//
//     auto* tensor = nodewise::dlpack::export_versioned(loader.pages(), nodewise::dlpack::array_of(view));
//     ...                           // hand it over; whoever has it last calls tensor->deleter(tensor)
#pragma once

#include <cstdint>
#include <vector>

#include <nodewise/dtype.hpp>
#include <nodewise/export.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/pages.hpp>
#include <nodewise/view.hpp>

namespace nodewise::dlpack {

struct Version {
  std::uint32_t major, minor;
};
/// The version that this library exports. Tensors of other minor versions can be imported, too.
inline constexpr Version version{1, 0};

struct Device {
  std::int32_t type;  ///< Memory of the CPU has type 1. This library exports and imports no other.
  std::int32_t id;
};
inline constexpr Device cpu{1, 0};

/// The codes of DataType that element types of nodewise have.
inline constexpr std::uint8_t code_int = 0, code_uint = 1, code_float = 2, code_bfloat = 4;
struct DataType {
  std::uint8_t code;
  std::uint8_t bits;
  std::uint16_t lanes;  ///< The numbers in an element; 1 for element types of nodewise.
};
NODEWISE_PUBLIC DataType data_type(DType dtype) noexcept;

struct Tensor {
  void* data;
  Device device;
  std::int32_t ndim;
  DataType dtype;
  std::int64_t* shape;
  std::int64_t* strides;  ///< In elements. Null: row-major without gaps.
  std::uint64_t byte_offset;
};

/// The form before version 1.0. It cannot say that its memory is read-only.
struct ManagedTensor {
  Tensor tensor;
  void* context;
  void (*deleter)(ManagedTensor* self);
};

inline constexpr std::uint64_t flag_read_only = 1, flag_copied = 2;
struct VersionedTensor {
  Version version;
  void* context;
  void (*deleter)(VersionedTensor* self);
  std::uint64_t flags;
  Tensor tensor;
};

/// What is exported: an array in memory that a Pages owns.
struct Array {
  const void* data = nullptr;
  DType dtype = DType::f64;
  std::vector<std::int64_t> shape;
  std::vector<std::int64_t> strides = {};  ///< In elements; may be negative. Empty: row-major without gaps.
  bool read_only = false;                  ///< Memory that its Pages may not write is read-only anyway.
  bool copied = false;                     ///< The memory is a copy that the consumer has for itself.
};
/// A batch as an array of rows and columns. Throws InvalidArgument for Layout::tiles, which strides cannot
/// describe.
NODEWISE_PUBLIC Array array_of(const AnyBatchView& view);
NODEWISE_PUBLIC Array array_of(const AnyConstBatchView& view);

/// A tensor that keeps `pages` until its deleter is called. Any thread may call the deleter, at any moment,
/// also while the process ends; it needs no lock of an interpreter. The deleter must be called once. The
/// tensor has strides, no byte offset, and, if it has no elements, null as its data. Throws InvalidArgument
/// if the shape has a negative length or the strides have another number of dimensions, if there are more
/// than 32 dimensions, or if the array does not lie in `pages`. Thread class: any thread.
[[nodiscard]] NODEWISE_PUBLIC VersionedTensor* export_versioned(const Pages& pages, const Array& array);
/// The same in the old form. Also throws InvalidArgument if the memory is read-only.
[[nodiscard]] NODEWISE_PUBLIC ManagedTensor* export_unversioned(const Pages& pages, const Array& array);

/// A loader over the memory of a tensor, where it is; nothing is copied. This function takes over `tensor`:
/// its deleter is called once, by the thread that destroys the last owner of the memory, or by this function
/// if it throws. With flag_read_only, views are read-only. Throws what BatchLoader::adopt throws. Throws
/// InvalidArgument, which says what it found, unless the tensor is a matrix in memory of the CPU, row-major
/// without gaps, of an element type of nodewise, and of major version 1. Also throws it if options.layout is
/// not Layout::rows.
NODEWISE_PUBLIC BatchLoader import_tensor(VersionedTensor* tensor, std::uint64_t batch_size,
                                          const LoaderOptions& options = {});
NODEWISE_PUBLIC BatchLoader import_tensor(ManagedTensor* tensor, std::uint64_t batch_size,
                                          const LoaderOptions& options = {});

}  // namespace nodewise::dlpack
