// NumPy's .npy files, read in parallel straight into placed memory.
//
// Format: numpy.lib.format, versions 1.0, 2.0 and 3.0.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include <nodewise/export.hpp>
#include <nodewise/loader.hpp>

namespace nodewise {

struct NpyOptions {
  /// Read the two-byte elements of a file (`<u2`, `|V2`) as bfloat16, which .npy cannot name.
  bool as_bf16 = false;
};

/// An open .npy file, its header read and held against the file's size. Thread class: immutable.
class NODEWISE_PUBLIC NpyFile {
 public:
  /// Throws SystemError (cannot be opened or read), FormatError (not .npy, unknown version, object,
  /// structured, complex or text elements, more than two dimensions, shorter than it says, sizes that lie).
  explicit NpyFile(const std::string& path, const NpyOptions& options = {});
  ~NpyFile();
  NpyFile(NpyFile&&) noexcept;
  NpyFile& operator=(NpyFile&&) noexcept;

  const std::string& path() const noexcept;
  Shape shape() const noexcept;  ///< A 1-D array of n is n × 1.
  DType dtype() const noexcept;  ///< bool is u8.
  bool fortran_order() const noexcept;
  bool swapped() const noexcept;  ///< Its byte order is not this machine's.

  /// Reads the whole array into `loader`, each worker its own part of its own shards, turned to row-major
  /// and to this machine's byte order. Precondition: the same shape and dtype. Throws SystemError,
  /// FormatError (the file shrank), InvalidArgument; the loader's elements are then unspecified.
  void read_into(BatchLoader& loader) const;

  /// Places memory and reads the whole array into it, each piece when its pages have just been made present:
  /// faster than read_into. Throws what the constructors of BatchLoader and what read_into throw.
  BatchLoader load(std::uint64_t batch_size, const LoaderOptions& options = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Opens, places and reads in one call.
NODEWISE_PUBLIC BatchLoader load_npy(const std::string& path, std::uint64_t batch_size,
                                     const LoaderOptions& options = {}, const NpyOptions& npy = {});

}  // namespace nodewise
