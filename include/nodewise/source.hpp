// Where a dataset comes from: a file, memory, a function. A source is read by rows, or says where its bytes
// lie so that others can read them; it knows neither pages nor nodes.
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

/// 128 bits made from a description (FNV-1a). All zero: there is none.
struct Digest {
  std::array<std::uint64_t, 2> words{};
  bool empty() const noexcept { return words == std::array<std::uint64_t, 2>{}; }
  friend bool operator==(const Digest&, const Digest&) = default;
};

/// The name of a source, and digests by which it is recognised.
struct Identity {
  std::string name;  ///< For people: an absolute path, a key.
  /// If it is equal, the source is taken to give the same bytes on this machine. For a file it covers path,
  /// size, modification time, device, inode, format and element type. A segment records it.
  Digest state;
  /// Equal wherever a copy of the same data lies. For a file it covers format, shape, element type and the
  /// sizes of its parts, not the data itself; for memory and functions the caller's key, shape and element
  /// type.
  Digest content;
  friend bool operator==(const Identity&, const Identity&) = default;
};

/// Whether a format may be read by several threads at once.
enum class Calls : std::uint8_t { any_thread, one_at_a_time };
NODEWISE_PUBLIC std::string_view to_string(Calls calls) noexcept;

/// Where consecutive bytes of a dataset lie: in an open file, or in memory.
struct Extent {
  int file = -1;                      ///< A descriptor that is the source's; -1: in memory.
  const std::byte* memory = nullptr;  ///< Of the first byte; null: in a file.
  std::uint64_t offset = 0;           ///< In the file, of the first byte.
  std::uint64_t bytes = 0;
};

/// The interface that each format implements; programs use Source. All members are const and are called from
/// several threads at once, except read() where calls() is one_at_a_time.
class NODEWISE_PUBLIC SourceFormat {
 public:
  virtual ~SourceFormat();
  virtual Shape shape() const = 0;
  virtual DType dtype() const = 0;
  virtual Identity identity() const = 0;
  virtual Calls calls() const { return Calls::any_thread; }
  /// Rows are read most cheaply in groups of this number that begin at a multiple of it: a chunk's rows, or a
  /// file's.
  virtual std::uint64_t granule_rows() const { return 1; }
  /// Writes `rows` to `to`: whole rows, row-major, in this machine's byte order. Polls `stop`. Throws
  /// Stopped, SystemError or FormatError, naming file and offset. The default throws InvalidArgument: it is
  /// enough for a format with extents(), because Source::read then uses those.
  virtual void read(RowRange rows, std::byte* to, const Stop& stop) const;
  /// Appends the extents of `bytes`, in order and without gaps. Returns false and appends nothing if only
  /// read() can give the data. The answer is the same for all ranges of a source.
  virtual bool extents(ByteRange bytes, std::vector<Extent>& found) const;
  /// Converts, in place, elements at `at` that were copied from extents to this machine's byte order. `bytes`
  /// are whole elements.
  virtual void finish(std::byte* at, ByteRange bytes) const;
};

/// A source of rows that can be read again and again. Copies share its format, and with it the open file or
/// the function. Thread class: any thread; where the format says one_at_a_time, reads wait for one another.
class NODEWISE_PUBLIC Source {
 public:
  /// Throws InvalidArgument where there is no format, or its shape and type are no dataset.
  explicit Source(std::shared_ptr<const SourceFormat> format);

  Shape shape() const noexcept;
  DType dtype() const noexcept;
  const Identity& identity() const noexcept;
  Calls calls() const noexcept;
  std::uint64_t granule_rows() const noexcept;
  /// The source as a dataset in batches of `batch_size`. Throws InvalidArgument for batches of 0 samples.
  Dataset dataset(std::uint64_t batch_size) const { return {shape(), dtype(), batch_size}; }

  /// Writes `rows` to `to`, row-major and in this machine's byte order. Precondition: there is room for them
  /// at `to`. Throws OutOfRange, Stopped, SystemError or FormatError (naming file and offset), and whatever a
  /// caller's function throws; what is at `to` is then unspecified.
  void read(RowRange rows, std::byte* to, const Stop& stop = {}) const;
  /// Whether extents() gives where the bytes lie, so that pieces other than whole rows can be read.
  bool has_extents() const noexcept;
  /// As SourceFormat::extents. Throws OutOfRange.
  bool extents(ByteRange bytes, std::vector<Extent>& found) const;
  /// As SourceFormat::finish.
  void finish(std::byte* at, ByteRange bytes) const;
  /// Reads `bytes`, whole elements, by their extents. Throws InvalidArgument if the source has no extents,
  /// and as read().
  void read_bytes(ByteRange bytes, std::byte* to, const Stop& stop = {}) const;

 private:
  struct State;
  std::shared_ptr<State> state_;
};

struct MemorySourceOptions {
  /// Names the data for open_or_create; must change whenever the data change. Empty: the data have no
  /// identity.
  std::string key;
};

/// Rows at `data`, row-major. Precondition: they are readable and unchanged while the source is used; they
/// stay the caller's. Throws InvalidArgument where `data` is null and there are bytes, or as Dataset.
NODEWISE_PUBLIC Source memory_source(const void* data, Shape shape, DType dtype,
                                     const MemorySourceOptions& options = {});

/// The same, of a span of elements in rows of `features`. Throws InvalidArgument where they are no whole
/// rows.
template <Element T>
Source memory_source(std::span<const T> data, std::uint64_t features,
                     const MemorySourceOptions& options = {}) {
  if (features == 0 || data.size() % features != 0)
    throw InvalidArgument("memory_source: " + std::to_string(data.size()) + " elements are no rows of " +
                          std::to_string(features));
  return memory_source(data.data(), {data.size() / features, features}, dtype_of<T>, options);
}

struct FunctionSourceOptions {
  /// As MemorySourceOptions::key, for the data that the function gives.
  std::string key;
  Calls calls = Calls::one_at_a_time;
  std::uint64_t granule_rows = 1;  ///< As SourceFormat::granule_rows; at least 1.
};

/// Rows that `fill` writes: `rows` of them to `to`, row-major. It must write the same rows each time, in
/// whatever order they are asked for. Each call asks for some MiB. What it throws ends the load.
NODEWISE_PUBLIC Source function_source(Shape shape, DType dtype,
                                       std::function<void(RowRange rows, std::byte* to)> fill,
                                       const FunctionSourceOptions& options = {});

struct SourceOptions {
  /// Read the elements as this type, where the file's format cannot name it: bf16 in a .npy file. Unset: as
  /// the file says.
  std::optional<DType> dtype;
};

/// The file at `path`, in whichever format it is: the one that knows its first bytes or its name. Throws
/// SystemError (it cannot be opened or read), FormatError (no format recognises it, or its contents do not
/// match its header), InvalidArgument (its elements cannot be read as the type that is asked for).
NODEWISE_PUBLIC Source open_source(const std::string& path, const SourceOptions& options = {});

}  // namespace nodewise
