// nodewise generate: a .npy for trying, the same bytes for the same flags.
#include <fmt/core.h>
#include <unistd.h>

#include <atomic>
#include <bit>
#include <cstring>
#include <filesystem>
#include <memory>

#include <nodewise/sizes.hpp>

#include "command.hpp"
#include "parts/flags.hpp"
#include "parts/interrupt.hpp"
#include "parts/output_file.hpp"
#include "parts/parse.hpp"
#include "parts/progress.hpp"
#include "parts/terminal.hpp"

namespace nodewise::tools {
namespace {

struct Options {
  std::string file;
  std::optional<std::uint64_t> samples;
  std::optional<std::uint64_t> bytes;
  std::optional<std::uint64_t> features;
  std::optional<DType> dtype;
  std::optional<std::uint64_t> seed;
  bool force = false;
};

// A 64-bit mix of the position, so that an element depends on the seed and its place alone. The constants
// are those of SplitMix64: https://prng.di.unimi.it/splitmix64.c
std::uint64_t random_bits(std::uint64_t seed, std::uint64_t position) {
  std::uint64_t bits = seed + (position + 1) * 0x9e3779b97f4a7c15;
  bits = (bits ^ (bits >> 30)) * 0xbf58476d1ce4e5b9;
  bits = (bits ^ (bits >> 27)) * 0x94d049bb133111eb;
  return bits ^ (bits >> 31);
}

template <class T>
void put(std::byte*& at, T value) {
  std::memcpy(at, &value, sizeof value);
  at += sizeof value;
}

// Floats are even over [0, 1), integers over 0 to 100: values that a reader can judge by their means.
void put_element(std::byte*& at, DType dtype, std::uint64_t bits) {
  const double fraction = static_cast<double>(bits >> 11) * 0x1p-53;
  const auto whole = static_cast<std::uint8_t>(bits % 101);
  switch (dtype) {
    case DType::f64:
      return put(at, fraction);
    case DType::f32:
      return put(at, static_cast<float>(bits >> 40) * 0x1p-24F);
    case DType::f16:
      return put(at, float16(static_cast<float>(bits >> 53) * 0x1p-11F));
    case DType::bf16:
      return put(at, bfloat16(static_cast<float>(bits >> 56) * 0x1p-8F));
    case DType::i64:
    case DType::u64:
      return put(at, std::uint64_t{whole});
    case DType::i32:
    case DType::u32:
      return put(at, std::uint32_t{whole});
    case DType::i16:
    case DType::u16:
      return put(at, std::uint16_t{whole});
    case DType::i8:
    case DType::u8:
      return put(at, whole);
  }
}

std::string descr_of(DType dtype) {
  if (dtype == DType::bf16) return "<u2";  // .npy has no name for it
  const auto bytes = dtype_bytes(dtype);
  const char order = bytes == 1 ? '|' : std::endian::native == std::endian::little ? '<' : '>';
  return fmt::format("{}{}{}", order, dtype_name(dtype).front(), bytes);
}

// Version 1.0: magic, version, a two-byte length, a dictionary padded with spaces to a multiple of 64.
std::string npy_header(Shape shape, DType dtype) {
  std::string text = fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': ({}, {}), }}",
                                 descr_of(dtype), shape.samples, shape.features);
  constexpr std::size_t preamble = 10;
  constexpr std::size_t unit = 64;
  text.append((unit - (preamble + text.size() + 1) % unit) % unit, ' ');
  text += '\n';
  const auto length = static_cast<std::uint16_t>(text.size());
  const char bytes[] = {static_cast<char>(length & 0xff), static_cast<char>(length >> 8)};
  return std::string("\x93NUMPY\x01\x00", 8) + std::string(bytes, 2) + text;
}

void write_elements(OutputFile& file, std::uint64_t elements, DType dtype, std::uint64_t seed) {
  constexpr std::uint64_t elements_per_write = 1U << 17;
  std::vector<std::byte> block(std::min(elements, elements_per_write) * dtype_bytes(dtype));
  std::atomic<std::uint64_t> done = 0;
  const Progress progress("writing", elements, [&done] { return done.load(); });
  while (done < elements && file.is_read()) {
    const std::uint64_t count = std::min(elements - done, elements_per_write);
    std::byte* at = block.data();
    for (std::uint64_t i = 0; i < count; ++i) put_element(at, dtype, random_bits(seed, done + i));
    file.write(block.data(), count * dtype_bytes(dtype));
    done += count;
    check_interrupt();
  }
}

Shape shape_of(const Options& options) {
  if (!options.features || *options.features == 0)
    throw Failure(Exit::bad_input, "--features is required, and at least 1");
  if (options.samples.has_value() == options.bytes.has_value())
    throw Failure(Exit::bad_input, "give either --samples or --bytes");
  const auto row = product(*options.features, dtype_bytes(*options.dtype));
  if (row && options.bytes && *options.bytes < *row)
    throw Failure(Exit::bad_input,
                  fmt::format("--bytes {} is less than one sample of {} bytes", *options.bytes, *row));
  const std::uint64_t samples = options.samples ? *options.samples : row ? *options.bytes / *row : 0;
  const auto total = row ? product(*row, samples) : row;
  constexpr std::uint64_t largest = std::uint64_t{1} << 62;
  if (!total || *total > largest)
    throw Failure(Exit::bad_input, fmt::format("{} x {} of {} is more than a file can hold", samples,
                                               *options.features, dtype_name(*options.dtype)));
  return {samples, *options.features};
}

// What the file's system has free, asked before anything is written.
void check_room(const std::string& file, std::uint64_t bytes) {
  std::error_code error;
  const std::filesystem::path path(file);
  if (std::filesystem::exists(path, error) && !std::filesystem::is_regular_file(path, error)) return;
  const auto folder = path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
  const auto space = std::filesystem::space(folder, error);
  if (!error && space.available < bytes)
    throw Failure(Exit::machine_cannot, fmt::format("{} needs {}, and its file system has {} free", file,
                                                    human_bytes(bytes), human_bytes(space.available)));
}

Exit generate(const Options& options) {
  if (!options.dtype) throw Failure(Exit::bad_input, "--dtype is required");
  const Shape shape = shape_of(options);
  const std::string header = npy_header(shape, *options.dtype);
  const std::uint64_t elements = shape.samples * shape.features;
  const std::uint64_t bytes = elements * dtype_bytes(*options.dtype);
  const bool to_output = options.file == "-";
  if (to_output && ::isatty(STDOUT_FILENO) != 0)
    throw Failure(Exit::bad_input, "standard output is a terminal; redirect it, or name a file");
  if (!to_output) check_room(options.file, bytes + header.size());
  stop_on_interrupt();
  OutputFile file(options.file,
                  options.force ? OutputFile::Existing::replaced : OutputFile::Existing::refused);
  file.write(header);
  write_elements(file, elements, *options.dtype, options.seed.value_or(0));
  file.keep();
  if (!file.is_read()) return Exit::done;
  std::string text = fmt::format("{}: {} x {} of {}, {}\n", options.file, shape.samples, shape.features,
                                 dtype_name(*options.dtype), human_bytes(bytes));
  if (*options.dtype == DType::bf16) text += ".npy has no name for bf16: read the file with --dtype bf16\n";
  to_output ? print_error(text) : print(text);
  return Exit::done;
}

}  // namespace

Subcommand generate_subcommand() {
  const auto options = std::make_shared<Options>();
  return {.name = "generate",
          .help = "write a .npy file for experiments",
          .flags = {{.name = "FILE",
                     .help = "the file to write; it appears only when it is complete. -: standard output",
                     .target = &options->file,
                     .required = true},
                    count_flag("--samples", options->samples, "rows"),
                    size_flag("--bytes", options->bytes,
                              "instead of --samples: as many rows as fit into this size, such as 64MiB"),
                    count_flag("--features", options->features, "columns"),
                    dtype_flag(options->dtype, "element type: " + dtype_names()),
                    count_flag("--seed", options->seed, "another seed gives other values (0)"),
                    {.name = "--force", .help = "replace a file that exists", .target = &options->force}},
          .footer = R"(Examples
  nodewise generate data.npy --samples 100000 --features 64 --dtype f32
  nodewise generate data.npy --bytes 64MiB --features 16 --dtype f64 --seed 7)",
          .run = [options] { return generate(*options); }};
}

}  // namespace nodewise::tools
