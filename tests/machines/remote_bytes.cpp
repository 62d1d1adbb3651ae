// One pass over a dataset, placed one way or another, for the counter to count.
//
//     remote_bytes MODE BATCH_SIZE LABEL
//
// MODE is `nodewise` (the loader, and its means), `stealing` (the same by workers who help each other),
// `uneven` (so do these, and the first quarter of the batches keeps its readers waiting), `serial` (one
// thread initialises, all read), `static` (OpenMP's static schedule initialises and reads), `small` (the
// same, huge pages declined) or `mend` (as `serial`, then reads for ten seconds before the pass that counts).
// Or, of nodewise too: `features` (means of features), `convert` (from rows to columns) and `converted` (the
// same, and what is marked is where it writes).
// The dataset is marked, by LABEL, for the pass that reads it and for nothing else. Prints "LABEL
// DATASET_BYTES ANNOUNCED_CUT_BYTES"; the exit code is 1 where a sum is not what was written.
#include <sys/mman.h>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <nodewise/feature_statistics.hpp>
#include <nodewise/layout.hpp>
#include <nodewise/loader.hpp>

#include "../../tools/count/count_marks.hpp"

namespace {

using nodewise::count::Mark;
using nodewise::count::tell;

constexpr std::int64_t samples = 16800;
constexpr std::int64_t features = 125;  // of f64: 1000 bytes a row, so that few batch sizes meet pages
constexpr std::int64_t elements = samples * features;
constexpr std::int64_t dataset_bytes = elements * 8;
constexpr int mending_seconds = 10;

void mark_while(const void* data, unsigned label, const std::function<void()>& pass) {
  alignas(nodewise::count::page_bytes) static const std::byte numbers[nodewise::count::page_bytes] = {};
  tell<Mark::data_label>(numbers + label);
  tell<Mark::data_first>(data);
  tell<Mark::data_last>(static_cast<const std::byte*>(data) + dataset_bytes - 1);
  pass();
  tell<Mark::data_done>(data);
}

bool print(unsigned label, std::uint64_t cut_bytes, bool right) {
  std::printf("%u %lld %llu\n", label, static_cast<long long>(dataset_bytes),
              static_cast<unsigned long long>(cut_bytes));
  return right;
}

// The mean of each batch, where those of the first quarter take their time.
std::vector<double> uneven_means(const nodewise::BatchLoader& loader) {
  std::vector<double> means(loader.num_batches());
  loader.team().for_each_shard(loader.plan(), [&](const nodewise::ShardPart& part) {
    for (const auto batch : part.batches) {
      if (batch < means.size() / 4) std::this_thread::sleep_for(std::chrono::milliseconds(20));
      const auto view = loader.get_batch(batch);
      means[batch] = nodewise::mean(view.data(), nodewise::DType::f64, view.rows() * view.cols());
    }
  });
  return means;
}

bool by_nodewise(const std::string& mode, std::uint64_t batch_size, unsigned label) {
  const std::vector<double> ones(elements, 1.0);
  nodewise::LoaderOptions options;
  if (mode != "nodewise") options.team.scheduling = nodewise::Scheduling::stealing;
  const nodewise::BatchLoader loader(ones.data(), {{samples, features}, nodewise::DType::f64, batch_size},
                                     options);
  std::vector<double> means;
  mark_while(loader.buffer().data(), label,
             [&] { means = mode == "uneven" ? uneven_means(loader) : loader.means(); });
  bool right = true;
  for (const double mean : means) right = right && mean == 1.0;
  return print(label, loader.plan().cut_bytes(), right);
}

// Every element of row r is r.
bool by_layout(const std::string& mode, std::uint64_t batch_size, unsigned label) {
  std::vector<double> rows(elements);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<double>(i / features);
  const nodewise::BatchLoader loader(rows.data(), {{samples, features}, nodewise::DType::f64, batch_size});
  auto columns = nodewise::Buffer::allocate(loader.plan(), loader.team());
  std::vector<double> means(features, (samples - 1) / 2.0);
  mark_while(mode == "converted" ? columns.data() : loader.buffer().data(), label, [&] {
    if (mode == "features")
      means = nodewise::feature_means(loader.buffer(), loader.team());
    else
      nodewise::convert_layout(loader.buffer(), columns, nodewise::Layout::columns, loader.team());
  });
  bool right = true;
  for (const double mean : means) right = right && mean == (samples - 1) / 2.0;
  for (std::uint64_t batch = 0; batch < loader.num_batches() && mode != "features"; ++batch) {
    const nodewise::LayoutView<const double, nodewise::Layout::columns> view = columns.get_batch(batch);
    for (std::size_t row = 0; row < view.rows(); ++row)
      right = right && view(row, 0) == static_cast<double>(batch * batch_size + row);
  }
  return print(label, loader.plan().cut_bytes(), right);
}

// As people write it: batches are shared out by the schedule, and each is summed.
double sum_batches(const double* data, std::int64_t batch_size) {
  const std::int64_t batches = (samples + batch_size - 1) / batch_size;
  double sum = 0;
#pragma omp parallel for schedule(static) reduction(+ : sum)
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    const auto end = std::min((batch + 1) * batch_size, samples) * features;
    for (std::int64_t i = batch * batch_size * features; i < end; ++i) sum += data[i];
  }
  return sum;
}

void fill_batches(double* data, std::int64_t batch_size) {
  const std::int64_t batches = (samples + batch_size - 1) / batch_size;
#pragma omp parallel for schedule(static)
  for (std::int64_t batch = 0; batch < batches; ++batch) {
    const auto end = std::min((batch + 1) * batch_size, samples) * features;
    for (std::int64_t i = batch * batch_size * features; i < end; ++i) data[i] = 1.0;
  }
}

bool by_hand(const std::string& mode, std::int64_t batch_size, unsigned label) {
  void* memory = ::mmap(nullptr, dataset_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return false;
  auto* data = static_cast<double*>(memory);
  if (mode == "small") ::madvise(memory, dataset_bytes, MADV_NOHUGEPAGE);
  if (mode == "static" || mode == "small") {
    fill_batches(data, batch_size);
  } else {
    for (std::int64_t i = 0; i < elements; ++i) data[i] = 1.0;
  }
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(mending_seconds);
  while (mode == "mend" && std::chrono::steady_clock::now() < end) sum_batches(data, batch_size);
  double sum = 0;
  mark_while(data, label, [&] { sum = sum_batches(data, batch_size); });
  return print(label, 0, sum == static_cast<double>(elements));
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) return 2;
  const std::string mode = words[1];
  const auto batch_size = std::atoll(words[2]);
  const auto label = static_cast<unsigned>(std::atoi(words[3]));
  if (mode == "nodewise" || mode == "stealing" || mode == "uneven")
    return by_nodewise(mode, static_cast<std::uint64_t>(batch_size), label) ? 0 : 1;
  if (mode == "features" || mode == "convert" || mode == "converted")
    return by_layout(mode, static_cast<std::uint64_t>(batch_size), label) ? 0 : 1;
  return by_hand(mode, batch_size, label) ? 0 : 1;
}
