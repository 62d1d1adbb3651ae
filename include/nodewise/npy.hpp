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
#include <nodewise/segment.hpp>

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
  /// The file as it was before anything of it was read, for SegmentOptions::source.
  const SegmentSource& source() const noexcept;
  Shape shape() const noexcept;  ///< A 1-D array of n is n × 1.
  DType dtype() const noexcept;  ///< bool is u8.
  bool fortran_order() const noexcept;
  bool swapped() const noexcept;  ///< Its byte order is not this machine's.

  /// Reads the whole array into `loader`, each worker its own part of its own shards, turned to row-major
  /// and to this machine's byte order. Precondition: the same shape and dtype. Throws SystemError,
  /// FormatError (the file shrank), InvalidArgument; the loader's elements are then unspecified.
  void read_into(BatchLoader& loader) const;

  /// Places memory and reads the whole array into it, each piece when its pages have just been made present:
  /// faster than read_into. A segment records source(), unless its options name another. Throws what the
  /// constructors of BatchLoader and what read_into throw.
  BatchLoader load(std::uint64_t batch_size, const LoaderOptions& options = {}) const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

/// Opens, places and reads in one call.
NODEWISE_PUBLIC BatchLoader load_npy(const std::string& path, std::uint64_t batch_size,
                                     const LoaderOptions& options = {}, const NpyOptions& npy = {});

struct SharedNpyOptions {
  /// Of who opens what another process loaded; who loads may write in any case.
  Access access = Access::read_only;
  /// The segment stays when the last process that has it ends, so that the next run maps it at once.
  bool keep = false;
  LoaderOptions loader = {};  ///< Its segment is replaced.
  NpyOptions npy = {};
};

/// One copy for all processes of this machine: the segment `name`, if it holds this file as it is now (by
/// path, size, time of change, device and inode), else the file is loaded into it. Of processes that call
/// this together exactly one loads; the others wait, and one of them takes over if it dies. What the segment
/// held of an older state of the file stays with those who have it. Throws what load_npy and
/// BatchLoader::open throw, and InvalidArgument where the segment holds another file or batches of another
/// size.
NODEWISE_PUBLIC BatchLoader open_or_create(const std::string& path, const std::string& name,
                                           std::uint64_t batch_size, const SharedNpyOptions& options = {});

}  // namespace nodewise
