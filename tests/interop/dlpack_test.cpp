// Goal: tensors of DLPack share memory with loaders, and are released exactly once.
// Method: exports and imports of both forms, with deleters that count, on the good path and on each path that
// fails; a deleter that runs on another thread, and after the loader is gone.
#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <numeric>
#include <string>
#include <thread>
#include <vector>

#include <nodewise/dlpack.hpp>

#include "support/errors.hpp"

using namespace nodewise;
using nodewise::test::contains;
using nodewise::test::message_of;

namespace {

BatchLoader ten_by_three(Layout layout = Layout::rows) {
  std::vector<float> data(30);
  std::iota(data.begin(), data.end(), 0.0F);
  LoaderOptions options;
  options.layout = layout;
  return BatchLoader(data.data(), Dataset({10, 3}, DType::f32, 4), options);
}

// A tensor of another library, 10 x 3 numbers of type f32. Counts how often it is deleted.
template <class Managed>
struct Foreign {
  std::vector<float> data = std::vector<float>(40, 1.5F);
  std::int64_t shape[2] = {10, 3};
  std::int64_t strides[2] = {3, 1};
  Managed managed{};
  int deleted = 0;

  Foreign() {
    managed.tensor = {data.data(), dlpack::cpu, 2, dlpack::data_type(DType::f32), shape, strides, 0};
    managed.context = this;
    managed.deleter = [](Managed* self) { ++static_cast<Foreign*>(self->context)->deleted; };
    if constexpr (std::is_same_v<Managed, dlpack::VersionedTensor>) managed.version = {1, 3};
  }
};

template <class Managed>
dlpack::Tensor& tensor_of(Foreign<Managed>& foreign) {
  return foreign.managed.tensor;
}

}  // namespace

TEST_CASE("an exported batch shares memory with the loader, and outlives it") {
  dlpack::VersionedTensor* tensor = nullptr;
  {
    BatchLoader loader = ten_by_three();
    tensor = dlpack::export_versioned(loader.pages(), dlpack::array_of(loader.get_batch(1)));
    loader.write_to_buffer(4, 1, 99.0F);
  }
  CHECK(tensor->version.major == 1);
  CHECK(tensor->flags == 0);
  CHECK(tensor->tensor.device.type == 1);
  CHECK(tensor->tensor.device.id == 0);
  REQUIRE(tensor->tensor.ndim == 2);
  CHECK(tensor->tensor.shape[0] == 4);
  CHECK(tensor->tensor.shape[1] == 3);
  CHECK(tensor->tensor.strides[0] == 3);
  CHECK(tensor->tensor.strides[1] == 1);
  CHECK(tensor->tensor.byte_offset == 0);
  CHECK(static_cast<float*>(tensor->tensor.data)[0] == 12);
  CHECK(static_cast<float*>(tensor->tensor.data)[1] == 99);
  std::thread([tensor] { tensor->deleter(tensor); }).join();
}

TEST_CASE("the pages of an export are kept until its deleter is called, once for each export") {
  int released = 0;
  std::vector<double> data(6, 2.0);
  auto pages = Pages::adopt(data.data(), 48, [&](void*) { ++released; });
  dlpack::Array array{.data = data.data(), .dtype = DType::f64, .shape = {2, 3}};
  auto* versioned = dlpack::export_versioned(pages, array);
  auto* old = dlpack::export_unversioned(pages, array);
  CHECK(old->tensor.strides[0] == 3);
  CHECK(old->tensor.strides[1] == 1);
  pages = {};
  versioned->deleter(versioned);
  CHECK(released == 0);
  old->deleter(old);
  CHECK(released == 1);
}

TEST_CASE("columns are exported with their strides, and tiles are refused by name") {
  const BatchLoader loader = ten_by_three(Layout::columns);
  auto* tensor = dlpack::export_versioned(loader.pages(), dlpack::array_of(loader.get_batch(2)));
  CHECK(tensor->tensor.strides[0] == 1);
  CHECK(tensor->tensor.strides[1] == 2);
  CHECK(tensor->flags == dlpack::flag_read_only);  // a batch of a const loader
  CHECK(static_cast<float*>(tensor->tensor.data)[1] == 27);
  tensor->deleter(tensor);
  BatchLoader tiles = ten_by_three(Layout::tiles);
  CHECK(contains(message_of<InvalidArgument>([&] { (void)dlpack::array_of(tiles.get_batch(0)); }), "tiles"));
}

TEST_CASE("every element type has its code, and comes back") {
  CHECK(dlpack::data_type(DType::bf16).code == 4);
  for (const DType dtype : all_dtypes) {
    CAPTURE(to_string(dtype));
    const dlpack::DataType type = dlpack::data_type(dtype);
    CHECK(type.bits == 8 * dtype_bytes(dtype));
    CHECK(type.lanes == 1);
    BatchLoader loader(Dataset({2, 2}, dtype, 2));
    auto* tensor = dlpack::export_versioned(loader.pages(), dlpack::array_of(loader.get_batch(0)));
    const BatchLoader back = dlpack::import_tensor(tensor, 1);
    CHECK(back.dataset().dtype() == dtype);
    CHECK(back.get_batch(0).data() == loader.get_batch(0).data());
  }
}

TEST_CASE("what is empty has no address, and read-only memory needs the versioned form") {
  const Pages none;
  auto* empty = dlpack::export_versioned(none, {.data = &none, .dtype = DType::f32, .shape = {0, 7}});
  CHECK(empty->tensor.data == nullptr);
  CHECK(empty->tensor.strides[0] == 7);
  empty->deleter(empty);
  const std::vector<float> data(4);
  const Pages pages = Pages::adopt(static_cast<const void*>(data.data()), 16);
  const dlpack::Array array{.data = data.data(), .dtype = DType::f32, .shape = {4}, .copied = true};
  auto* tensor = dlpack::export_versioned(pages, array);
  CHECK(tensor->flags == (dlpack::flag_read_only | dlpack::flag_copied));
  tensor->deleter(tensor);
  CHECK(contains(message_of<InvalidArgument>([&] { (void)dlpack::export_unversioned(pages, array); }),
                 "read-only"));
}

TEST_CASE("an array that does not lie in its pages is refused, whatever its strides") {
  std::vector<float> data(12);
  const Pages pages = Pages::adopt(static_cast<void*>(data.data()), 48);
  const auto refused = [&](const dlpack::Array& array) {
    return message_of<InvalidArgument>([&] {
      auto* tensor = dlpack::export_versioned(pages, array);
      tensor->deleter(tensor);
    });
  };
  const float* first = data.data();
  constexpr std::int64_t huge = std::int64_t{1} << 62;
  CHECK(refused({.data = first, .dtype = DType::f32, .shape = {3, 4}}) == "");
  CHECK(refused({.data = first + 11, .dtype = DType::f32, .shape = {12}, .strides = {-1}}) == "");
  CHECK(contains(refused({.data = first, .dtype = DType::f32, .shape = {13}}), "does not lie"));
  CHECK(contains(refused({.data = first - 1, .dtype = DType::f32, .shape = {1}}), "does not lie"));
  CHECK(contains(refused({.data = first, .dtype = DType::f64, .shape = {12}}), "does not lie"));
  CHECK(contains(refused({.data = first, .dtype = DType::f32, .shape = {2}, .strides = {-1}}), "not lie"));
  CHECK(contains(refused({.data = first, .dtype = DType::f32, .shape = {huge, 4}}), "does not lie"));
  CHECK(contains(refused({.data = first, .dtype = DType::f32, .shape = {3}, .strides = {huge}}), "not lie"));
  CHECK(contains(refused({.data = first, .dtype = DType::f32, .shape = {-1}}), "negative length -1"));
  CHECK(contains(refused({.data = first, .dtype = DType::f32, .shape = {2}, .strides = {1, 1}}), "strides"));
  CHECK(contains(refused({.data = first, .dtype = DType::f32, .shape = std::vector<std::int64_t>(33, 1)}),
                 "33 dimensions"));
}

TEST_CASE_TEMPLATE("a tensor is imported where it is, and deleted by the last owner of its memory", Managed,
                   dlpack::VersionedTensor, dlpack::ManagedTensor) {
  Foreign<Managed> foreign;
  tensor_of(foreign).byte_offset = 8;
  {
    Pages pages;
    {
      BatchLoader loader = dlpack::import_tensor(&foreign.managed, 4);
      CHECK(loader.dataset() == Dataset({10, 3}, DType::f32, 4));
      CHECK(loader.get_batch(0).data() == foreign.data.data() + 2);
      loader.write_to_buffer(0, 1, 7.0F);
      CHECK(foreign.data[3] == 7);
      pages = loader.pages();
    }
    CHECK(foreign.deleted == 0);
  }
  CHECK(foreign.deleted == 1);
}

TEST_CASE("a tensor that is read-only gives views that are read-only") {
  Foreign<dlpack::VersionedTensor> foreign;
  foreign.managed.flags = dlpack::flag_read_only;
  {
    BatchLoader loader = dlpack::import_tensor(&foreign.managed, 4);
    CHECK(loader.get_batch(0).access() == Access::read_only);
    CHECK_THROWS_AS(loader.write_to_buffer(0, 0, 1.0F), InvalidArgument);
  }
  CHECK(foreign.deleted == 1);
}

TEST_CASE_TEMPLATE("strides may be missing, or be those of a single row or column", Managed,
                   dlpack::VersionedTensor, dlpack::ManagedTensor) {
  Foreign<Managed> missing, row, column, empty, without_deleter;
  tensor_of(missing).strides = nullptr;
  row.shape[0] = 1, row.strides[0] = -77;
  column.shape[1] = 1, column.strides[0] = 1, column.strides[1] = 99;
  empty.shape[0] = 0, tensor_of(empty).data = nullptr;
  without_deleter.managed.deleter = nullptr;
  for (auto* foreign : {&missing, &row, &column, &empty, &without_deleter})
    CHECK(dlpack::import_tensor(&foreign->managed, 4).dataset().batch_size() == 4);
  CHECK(missing.deleted == 1);
  CHECK(row.deleted == 1);
  CHECK(column.deleted == 1);
  CHECK(empty.deleted == 1);
}

TEST_CASE_TEMPLATE("an import that fails says what the tensor is, and deletes it once", Managed,
                   dlpack::VersionedTensor, dlpack::ManagedTensor) {
  struct Case {
    std::function<void(Foreign<Managed>&)> spoil;
    const char* message;
  };
  using F = Foreign<Managed>;
  const std::vector<Case> cases{
      {[](F& f) {
         tensor_of(f).device = {2, 3};
       },
       "CUDA:3"},
      {[](F& f) {
         tensor_of(f).device = {-5, 0};
       },
       "of type -5"},
      {[](F& f) { tensor_of(f).ndim = 3; }, "3 dimensions"},
      {[](F& f) { tensor_of(f).shape = nullptr; }, "dimensions"},
      {[](F& f) {
         tensor_of(f).dtype = {5, 128, 1};
       },
       "complex128"},
      {[](F& f) {
         tensor_of(f).dtype = {6, 8, 1};
       },
       "bool8"},
      {[](F& f) {
         tensor_of(f).dtype = {2, 32, 4};
       },
       "float32 x 4"},
      {[](F& f) {
         tensor_of(f).dtype = {200, 8, 1};
       },
       "code 200"},
      {[](F& f) { f.shape[0] = -1; }, "negative"},
      {[](F& f) { f.shape[1] = 0; }, "feature"},
      {[](F& f) { f.shape[0] = std::int64_t{1} << 62; }, ""},
      {[](F& f) { f.strides[0] = 4; }, "strides 4 and 1"},
      {[](F& f) { f.strides[1] = 2; }, "strides 3 and 2"},
      {[](F& f) { tensor_of(f).data = nullptr; }, "null"},
      {[](F& f) { tensor_of(f).byte_offset = 1; }, "align"},
  };
  for (const Case& wrong : cases) {
    CAPTURE(wrong.message);
    Foreign<Managed> foreign;
    wrong.spoil(foreign);
    const auto message =
        message_of<InvalidArgument>([&] { (void)dlpack::import_tensor(&foreign.managed, 4); });
    CAPTURE(message);
    CHECK(message != "");
    CHECK(contains(message, wrong.message));
    CHECK(foreign.deleted == 1);
  }
  Foreign<Managed> batch_size, layout, full;
  CHECK_THROWS_AS(dlpack::import_tensor(&batch_size.managed, 0), InvalidArgument);
  CHECK(batch_size.deleted == 1);
  LoaderOptions options;
  options.layout = Layout::columns;
  CHECK_THROWS_AS(dlpack::import_tensor(&layout.managed, 4, options), InvalidArgument);
  CHECK(layout.deleted == 1);
  options = {};
  options.targets = {4000};
  CHECK_THROWS_AS(dlpack::import_tensor(&full.managed, 4, options), OutOfRange);
  CHECK(full.deleted == 1);
  CHECK_THROWS_AS(dlpack::import_tensor(static_cast<Managed*>(nullptr), 4), InvalidArgument);
}

TEST_CASE("a tensor of another major version is only deleted") {
  Foreign<dlpack::VersionedTensor> foreign;
  foreign.managed.version = {2, 0};
  tensor_of(foreign) = {};
  CHECK(contains(message_of<InvalidArgument>([&] { (void)dlpack::import_tensor(&foreign.managed, 4); }),
                 "version 2.0"));
  CHECK(foreign.deleted == 1);
}
