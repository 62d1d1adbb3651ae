// The other side of segment_python_test.py: makes segments, and says which ones the library opens.
//
//     segment_peer hold NAME DTYPE SAMPLES FEATURES BATCH_SIZE FILE [LAYOUT] [keep]
//     segment_peer open
//
// `hold` makes a segment of the elements in FILE, says "ready", and gives it up when standard input ends;
// then it prints the means of its batches as hexadecimal floats, as the elements are by then. `open` reads
// names from standard input, one a line, and answers each with "opened" or "refused" and why.
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <stdexcept>
#include <string>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/segment.hpp>

namespace {

std::string read_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(std::string("cannot read ") + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

int hold(char** arguments, nodewise::Layout layout, bool keep) {
  const auto dtype = nodewise::parse_dtype(arguments[1]);
  const nodewise::Shape shape{std::strtoull(arguments[2], nullptr, 10),
                              std::strtoull(arguments[3], nullptr, 10)};
  const std::string elements = read_file(arguments[5]);
  if (!dtype || elements.size() != shape.samples * shape.features * nodewise::dtype_bytes(*dtype)) return 2;
  nodewise::LoaderOptions options;
  options.segment = nodewise::SegmentOptions{.name = arguments[0], .keep = keep};
  options.segment->origin = {arguments[5], {{1, 2}}, {{3, 4}}};
  options.layout = layout;
  const nodewise::BatchLoader loader(elements.data(),
                                     {shape, *dtype, std::strtoull(arguments[4], nullptr, 10)}, options);
  say("ready");
  while (std::getchar() != EOF) continue;
  for (const double mean : loader.means()) std::printf("%a ", mean);
  say("");
  return 0;
}

int open_each() {
  for (std::string name; std::getline(std::cin, name);) {
    try {
      nodewise::Segment::open(name);
      say("opened");
    } catch (const nodewise::Error& error) {
      say(std::string("refused ") + error.what());
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  const std::string verb = argc > 1 ? argv[1] : "";
  if (verb == "hold" && argc >= 8) {
    const bool keep = argv[argc - 1] == std::string("keep");
    const auto layout = nodewise::parse<nodewise::Layout>(argc > 8 ? argv[8] : "");
    return hold(argv + 2, layout.value_or(nodewise::Layout::rows), keep);
  }
  if (verb == "open" && argc == 2) return open_each();
  std::fprintf(stderr,
               "segment_peer: hold NAME DTYPE SAMPLES FEATURES BATCH_SIZE FILE [LAYOUT] [keep], or open\n");
  return 2;
} catch (const std::exception& error) {
  std::fprintf(stderr, "segment_peer: %s\n", error.what());
  return 1;
}
