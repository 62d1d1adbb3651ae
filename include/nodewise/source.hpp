// A source is where a dataset comes from: a file, memory or a function. All sources can be read by rows. Some
// can also say where their bytes lie (in extents); these can be read in pieces of any size. A source knows
// nothing of pages and nodes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/dataset.hpp>
#include <nodewise/error.hpp>
#include <nodewise/export.hpp>
#include <nodewise/names.hpp>
#include <nodewise/stop.hpp>

namespace nodewise {

/// 128 bits that stand for a description (FNV-1a). All zero: no digest.
struct Digest {
  std::array<std::uint64_t, 2> words{};
  bool empty() const noexcept { return words == std::array<std::uint64_t, 2>{}; }
  friend bool operator==(const Digest&, const Digest&) = default;
};

/// Identifies a source by a name and two digests.
struct Identity {
  std::string name;  ///< For people: an absolute path, or a key.
  /// Sources whose `state` is equal are taken to give the same bytes on this machine. For a file, `state` is
  /// made from path, size, modification time, device, inode, format and element type; for memory and
  /// functions, from the caller's key, the shape and the element type. A segment records it.
  Digest state;
  /// Sources whose `content` is equal are taken to be copies of the same data, on any machine. For a file,
  /// `content` is made from the format, the shape, the element type, and the sizes of the file's header and
  /// data, but not from the data itself. For memory and functions, it is the same as `state`.
  Digest content;
  friend bool operator==(const Identity&, const Identity&) = default;
};

/// Whether several threads may read a format at the same time.
enum class Calls : std::uint8_t { any_thread, one_at_a_time };
NODEWISE_PUBLIC std::string_view to_string(Calls calls) noexcept;

/// Where consecutive bytes of a dataset lie: in an open file, or in memory.
struct Extent {
  int file = -1;                      ///< A descriptor that the source owns; -1: in memory.
  const std::byte* memory = nullptr;  ///< The address of the first byte; null: in a file.
  std::uint64_t offset = 0;           ///< The position of the first byte in the file.
  std::uint64_t bytes = 0;
};

/// The interface that each format implements; programs use Source. All members may be called from several
/// threads at the same time, except read() if calls() is one_at_a_time.
class NODEWISE_PUBLIC SourceFormat {
 public:
  virtual ~SourceFormat();
  virtual Shape shape() const = 0;
  virtual DType dtype() const = 0;
  virtual Identity identity() const = 0;
  virtual Calls calls() const { return Calls::any_thread; }
  /// The number of rows that are best read together, such as the rows of a chunk. Each group of such rows
  /// begins at a multiple of this number.
  virtual std::uint64_t granule_rows() const { return 1; }
  /// Writes the rows `rows` to `to`, row-major and in this machine's byte order. Polls `stop`. Throws
  /// Stopped, SystemError or FormatError; messages name the file and the offset. A format that has extents
  /// need not implement read(): Source::read copies from the extents instead. The default throws
  /// InvalidArgument.
  virtual void read(RowRange rows, std::byte* to, const Stop& stop) const;
  /// Appends the extents of `bytes`, in order and without gaps, and returns true. A format that can only be
  /// read by rows always returns false and appends nothing.
  virtual bool extents(ByteRange bytes, std::vector<Extent>& found) const;
  /// Called after elements were copied from extents to `at` (Source::read_bytes does so). It converts them,
  /// in place, to this machine's byte order. `bytes` is their range in the dataset.
  virtual void finish(std::byte* at, ByteRange bytes) const;
};

/// A source of rows, which can be read any number of times. Copies share the format, and so the open file or
/// the function. Thread class: any thread; if calls() is one_at_a_time, reads wait for one another.
class NODEWISE_PUBLIC Source {
 public:
  /// Throws InvalidArgument if `format` is null, or if no dataset can have its shape and type.
  explicit Source(std::shared_ptr<const SourceFormat> format);

  Shape shape() const noexcept;
  DType dtype() const noexcept;
  const Identity& identity() const noexcept;
  Calls calls() const noexcept;
  std::uint64_t granule_rows() const noexcept;
  /// The dataset that the source gives, with batches of `batch_size` samples. Throws InvalidArgument if
  /// `batch_size` is 0.
  Dataset dataset(std::uint64_t batch_size) const { return {shape(), dtype(), batch_size}; }

  /// Writes the rows `rows` to `to`, row-major and in this machine's byte order. Precondition: there is room
  /// for the rows at `to`. Throws OutOfRange, Stopped, SystemError or FormatError (messages name the file and
  /// the offset), and what a caller's function throws. After an exception, the content of `to` is
  /// unspecified.
  void read(RowRange rows, std::byte* to, const Stop& stop = {}) const;
  /// Whether extents() says where the bytes lie. Then pieces can be read that are not whole rows.
  bool has_extents() const noexcept;
  /// As SourceFormat::extents. Throws OutOfRange.
  bool extents(ByteRange bytes, std::vector<Extent>& found) const;
  /// As SourceFormat::finish.
  void finish(std::byte* at, ByteRange bytes) const;
  /// Reads the range `bytes`, which contains whole elements, from its extents. Throws InvalidArgument if the
  /// source has no extents; otherwise as read().
  void read_bytes(ByteRange bytes, std::byte* to, const Stop& stop = {}) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

struct MemorySourceOptions {
  /// A name for the data, which open_or_create (load.hpp) needs. Change it whenever the data changes. Empty:
  /// the data has no identity.
  std::string key;
};

/// Rows that lie at `data`, row-major. Preconditions: the rows stay readable and unchanged while the source
/// is used. The memory stays the caller's. Throws InvalidArgument if `data` is null although there are rows.
/// Also throws what Dataset throws.
NODEWISE_PUBLIC Source memory_source(const void* data, Shape shape, DType dtype,
                                     const MemorySourceOptions& options = {});

/// The elements of a span, in rows of `features` elements. Throws InvalidArgument if the span does not
/// consist of whole rows.
template <Element T>
Source memory_source(std::span<const T> data, std::uint64_t features,
                     const MemorySourceOptions& options = {}) {
  if (features == 0 || data.size() % features != 0)
    throw InvalidArgument("memory_source: " + std::to_string(data.size()) +
                          " elements are not whole rows of " + std::to_string(features));
  return memory_source(data.data(), {data.size() / features, features}, dtype_of<T>, options);
}

struct FunctionSourceOptions {
  /// As MemorySourceOptions::key, for the data that the function gives.
  std::string key;
  Calls calls = Calls::one_at_a_time;
  std::uint64_t granule_rows = 1;  ///< As SourceFormat::granule_rows; at least 1.
};

/// Rows that a function writes: `fill(rows, to)` writes the rows `rows` to `to`, row-major. It must write the
/// same data every time, and must accept rows in any order. Each call asks for some MiB. An exception that
/// `fill` throws ends the load. Throws InvalidArgument if `fill` is empty. Also throws what Dataset throws.
NODEWISE_PUBLIC Source function_source(Shape shape, DType dtype,
                                       std::function<void(RowRange rows, std::byte* to)> fill,
                                       const FunctionSourceOptions& options = {});

struct SourceOptions {
  /// Set this to bf16 to read the two-byte elements ('u2' or 'V2') of a .npy file as bf16, which .npy cannot
  /// name. Any other value must equal the type that the file states. Unset: the type that the file states.
  std::optional<DType> dtype;
};

/// Opens a file. Its format is recognised by its first bytes or its name. Throws SystemError (the file cannot
/// be opened or read), FormatError (the format is unknown, the content does not match the header, or elements
/// that are to be read as bf16 are not 'u2' or 'V2') and InvalidArgument (another type was requested than the
/// file states).
NODEWISE_PUBLIC Source open_source(const std::string& path, const SourceOptions& options = {});

}  // namespace nodewise
