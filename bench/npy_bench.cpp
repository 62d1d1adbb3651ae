// A .npy file that the page cache holds, read into placed memory, beside what a program would do by hand.
//
//   npy/pages:K/mib:M/threads:T   f32; from opening the file to the last byte, and giving the memory back
#include <nodewise/load.hpp>

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <system_error>
#include <vector>

#include <fmt/format.h>

#include "support/data.hpp"
#include "support/mapping.hpp"
#include "support/rounds.hpp"

namespace {

using namespace bench;
using nodewise::PageKind;

constexpr std::uint64_t features = 128, batch_size = 8192;
constexpr std::size_t header_bytes = 128;

std::string header_of(std::uint64_t samples) {
  const std::string words =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", samples, features);
  std::string header("\x93NUMPY\x01\x00", 8);
  header += static_cast<char>(header_bytes - 10);
  header += '\0';
  header += words;
  header.resize(header_bytes - 1, ' ');
  return header + '\n';
}

/// A file in TMPDIR that has no name any more, so that nothing is left of it however the program ends.
class File {
 public:
  explicit File(std::size_t bytes) {
    const char* folder = std::getenv("TMPDIR");
    std::string name = fmt::format("{}/nodewise_bench_XXXXXX", folder == nullptr ? "/tmp" : folder);
    descriptor_ = ::mkstemp(name.data());
    check(descriptor_);
    check(::unlink(name.c_str()));
    const std::string header = header_of(bytes / (features * sizeof(float)));
    write(header.data(), header.size());
    constexpr std::size_t piece_bytes = std::size_t{1} << 20;
    std::vector<float> piece(piece_bytes / sizeof(float));
    for (std::size_t at = 0; at < bytes; at += piece_bytes) {
      std::generate(piece.begin(), piece.end(), [i = at]() mutable { return static_cast<float>(i++); });
      write(piece.data(), std::min(piece_bytes, bytes - at));
    }
    check(::fdatasync(descriptor_));  // writing it out later would disturb
  }
  ~File() { ::close(descriptor_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  int descriptor() const noexcept { return descriptor_; }
  std::string path() const { return fmt::format("/proc/self/fd/{}", descriptor_); }

 private:
  static void check(long result) {
    if (result < 0) throw std::system_error(errno, std::generic_category(), "the benchmark's file");
  }
  void write(const void* data, std::size_t bytes) const {
    for (std::size_t done = 0; done < bytes;) {
      const ssize_t put = ::write(descriptor_, static_cast<const char*>(data) + done, bytes - done);
      check(put);
      done += static_cast<std::size_t>(put);
    }
  }
  int descriptor_ = -1;
};

const File& file() {
  static const File written(large_mib() << 20);
  return written;
}

nodewise::LoaderOptions options_for(PageKind kind, unsigned threads) {
  nodewise::LoaderOptions options;
  options.pages = kind;
  options.team.workers = threads;
  options.topology = machine();
  return options;
}

void read_part(std::byte* data, const Part& part) {
  constexpr std::size_t most = std::size_t{8} << 20;
  for (std::size_t at = part.begin; at < part.end;) {
    const auto offset = static_cast<off_t>(header_bytes + at);
    const ssize_t got = ::pread(file().descriptor(), data + at, std::min(most, part.end - at), offset);
    if (got <= 0) throw std::system_error(errno, std::generic_category(), "pread");
    at += static_cast<std::size_t>(got);
  }
}

/// `piece` bytes are made present and then read, one piece after the other; 0: the read makes them present.
Work by_hand(PageKind kind, std::size_t bytes, unsigned threads, std::size_t piece) {
  file();
  return [=] {
    const Mapping mapping(bytes, kind);
    pinned(threads, [&](unsigned thread) {
      Part part(bytes, thread, threads);
      for (const std::size_t end = part.end; piece > 0 && part.begin < end; part.begin = part.end) {
        part.end = std::min(part.begin + piece, end);
        populate(mapping.data(), part);
        read_part(mapping.data(), part);
      }
      if (piece == 0) read_part(mapping.data(), part);
    });
  };
}

void add_ways(PageKind kind, std::size_t bytes, unsigned threads) {
  const std::string name =
      fmt::format("npy/pages:{}/mib:{}/threads:{}", to_string(kind), bytes >> 20, threads);
  const auto load = [options = options_for(kind, threads)] {
    return nodewise::load_npy(file().path(), batch_size, options);
  };
  add(name, "nodewise",
      [=]() -> Work {
        file();
        return [=] {
          const auto loader = load();
          benchmark::DoNotOptimize(loader.buffer().data());
        };
      },
      {.figures = [=] {
        const auto loader = load();
        return residency(loader.buffer(), team(threads));
      }});
  add(name, "fault_pread", [=] { return by_hand(kind, bytes, threads, 0); });
  add(name, "populate_pread", [=] { return by_hand(kind, bytes, threads, bytes); });
  add(name, "populate_pread_pieces", [=] { return by_hand(kind, bytes, threads, huge_page_bytes); });
}

void add_cases() {
  for (const PageKind kind : {PageKind::base, PageKind::transparent})
    for (const unsigned threads : {1U, 2U}) add_ways(kind, large_mib() << 20, threads);
}

}  // namespace

NODEWISE_BENCH_MAIN(add_cases)
