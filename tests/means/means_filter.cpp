// For means_python_test.py. `means_filter DTYPE COUNT...` reads the elements of all batches from standard
// input and writes one double for each COUNT; `means_filter round_to_4` rounds doubles to doubles;
// `means_filter types` names the element types.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/means.hpp>

namespace {

std::vector<char> read_all() {
  std::vector<char> data;
  char piece[65536];
  for (std::size_t bytes = 0; (bytes = std::fread(piece, 1, sizeof piece, stdin)) > 0;)
    data.insert(data.end(), piece, piece + bytes);
  return data;
}

void write(double value) {
  std::fwrite(&value, sizeof value, 1, stdout);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const std::string_view word = argv[1];
  if (word == "types") {
    for (const nodewise::DType dtype : nodewise::all_dtypes)
      std::puts(std::string(dtype_name(dtype)).c_str());
    return 0;
  }
  const std::vector<char> data = read_all();
  if (word == "round_to_4") {
    const auto* values = reinterpret_cast<const double*>(data.data());
    for (std::size_t i = 0; i < data.size() / sizeof(double); ++i) write(nodewise::round_to_4(values[i]));
    return 0;
  }
  const auto dtype = nodewise::parse_dtype(word);
  if (!dtype) return 2;
  const char* at = data.data();
  for (int i = 2; i < argc; ++i) {
    const std::uint64_t count = std::strtoull(argv[i], nullptr, 10);
    write(nodewise::mean(at, *dtype, count));
    at += count * nodewise::dtype_bytes(*dtype);
  }
  return at == data.data() + data.size() ? 0 : 1;
}
