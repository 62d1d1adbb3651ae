// Loads .npy files and says what came of it, for npy_python_test.py to hold against NumPy.
//
//     npy_dump [--bf16] FILE...
//     npy_dump --types FILE...
//     npy_dump --element-types
//
// For each file and each of the batch sizes 1, 7, 1024 and all samples: the loaded bytes go to FILE.SIZE.raw,
// and standard output gets one line "FILE SIZE SAMPLES FEATURES DTYPE", one with the unrounded means as
// hexadecimal floats, and one with the rounded means. With --types nothing is loaded: each file gets one
// line, the element type and the bytes of the first row in hexadecimal, or "refused: " and the error.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <set>
#include <string>
#include <string_view>

#include <nodewise/load.hpp>

namespace {

void print(const std::vector<double>& values) {
  for (const double value : values) std::printf("%a ", value);
  std::printf("\n");
}

void dump(const std::string& path, std::uint64_t batch_size, const nodewise::LoaderOptions& options,
          const nodewise::NpyOptions& npy) {
  const auto loader = nodewise::load_npy(path, batch_size, options, npy);
  std::ofstream raw(path + "." + std::to_string(batch_size) + ".raw", std::ios::binary);
  for (std::uint64_t batch = 0; batch < loader.num_batches(); ++batch) {
    const auto view = loader.get_batch(batch);
    raw.write(static_cast<const char*>(view.data()), static_cast<std::streamsize>(view.size_bytes()));
  }
  raw.close();
  if (!raw) throw std::runtime_error("cannot write beside " + path);
  std::printf("%s %llu %llu %llu %s\n", path.c_str(), static_cast<unsigned long long>(batch_size),
              static_cast<unsigned long long>(loader.dataset().shape().samples),
              static_cast<unsigned long long>(loader.dataset().shape().features),
              std::string(nodewise::dtype_name(loader.dataset().dtype())).c_str());
  print(loader.means());
  print(loader.get_batch_means());
}

/// `path` holds rows of one feature, so that a row is one element.
void print_type(const std::string& path) {
  try {
    const auto source = nodewise::npy_source(path);
    std::vector<std::byte> row(nodewise::dtype_bytes(source.dtype()));
    source.read({0, 1}, row.data());
    std::printf("%s ", std::string(nodewise::dtype_name(source.dtype())).c_str());
    for (const std::byte byte : row) std::printf("%02x", static_cast<unsigned>(byte));
    std::printf("\n");
  } catch (const nodewise::FormatError& error) {
    std::printf("refused: %s\n", error.what());
  }
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc > 1 && std::strcmp(argv[1], "--types") == 0) {
    for (int i = 2; i < argc; ++i) print_type(argv[i]);
    return 0;
  }
  if (argc > 1 && std::strcmp(argv[1], "--element-types") == 0) {
    for (const nodewise::DType dtype : nodewise::all_dtypes)
      std::puts(std::string(dtype_name(dtype)).c_str());
    return 0;
  }
  nodewise::NpyOptions npy;
  nodewise::LoaderOptions options;
  options.topology = nodewise::Topology::this_machine();  // once, not for each file
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--bf16") == 0) {
      npy.as_bf16 = true;
      continue;
    }
    const std::uint64_t all = std::max<std::uint64_t>(1, nodewise::npy_source(argv[i], npy).shape().samples);
    for (const std::uint64_t batch_size : std::set<std::uint64_t>{1, 7, 1024, all})
      dump(argv[i], batch_size, options, npy);
  }
} catch (const std::exception& error) {
  std::fprintf(stderr, "npy_dump: %s\n", error.what());
  return 1;
}
