// Goal: C exports and imports tensors of DLPack, and every call takes over or releases what it should.
// Method: tensors go through the C interface; deleters are counted, also where calls fail.
#include <doctest/doctest.h>
#include <nodewise/c.h>

#include <string>

#include <nodewise/dlpack.hpp>

#include "c/handles.hpp"
#include "owned.hpp"

using namespace nodewise::test;
using nodewise::dlpack::ManagedTensor;
using nodewise::dlpack::VersionedTensor;

namespace {

// Exports the first batch of a loader that is freed before this returns.
void* exported(std::int32_t versioned, std::uint64_t flags) {
  const auto loader = copied();
  Owned<nw_pages> pages;
  nw_view view{};
  REQUIRE(nw_loader_pages(loader, pages.out()) == NW_OK);
  REQUIRE(nw_loader_batch(loader, 0, &view) == NW_OK);
  const std::int64_t shape[2] = {4, 3}, strides[2] = {view.row_stride, view.col_stride};
  void* tensor = nullptr;
  REQUIRE(nw_dlpack_export(pages, view.data, 2, shape, strides, view.dtype, flags, versioned, &tensor) ==
          NW_OK);
  return tensor;
}

// Counts calls of a deleter; each import that fails must call it once.
struct Counted {
  VersionedTensor managed{};
  std::int64_t shape[2] = {2, 2};
  float data[4] = {};
  int deleted = 0;
  Counted() {
    managed.version = {1, 0};
    managed.tensor = {data, nodewise::dlpack::cpu, 2, {2, 32, 1}, shape, nullptr, 0};
    managed.context = this;
    managed.deleter = [](VersionedTensor* self) { ++static_cast<Counted*>(self->context)->deleted; };
  }
};

}  // namespace

TEST_CASE("a batch goes out as a tensor and comes back as a loader over the same memory") {
  for (const std::int32_t versioned : {0, 1}) {
    void* tensor = exported(versioned, 0);
    const auto& inner = versioned == 1 ? static_cast<VersionedTensor*>(tensor)->tensor
                                       : static_cast<ManagedTensor*>(tensor)->tensor;
    CHECK(static_cast<float*>(inner.data)[5] == 5);
    const void* data = inner.data;
    Owned<nw_loader> back;
    REQUIRE(nw_dlpack_import(tensor, versioned, 2, nullptr, back.out()) == NW_OK);
    nw_view view{};
    REQUIRE(nw_loader_batch(back, 0, &view) == NW_OK);
    CHECK(view.data == data);
    CHECK(view.access == NW_READ_WRITE);
  }
}

TEST_CASE("flags are those of DLPack, and a tensor that was not taken is deleted") {
  void* tensor = exported(1, NW_DLPACK_READ_ONLY | NW_DLPACK_COPIED);
  CHECK(static_cast<VersionedTensor*>(tensor)->flags == 3);
  CHECK(nw_dlpack_delete(tensor, 1) == NW_OK);
  CHECK(nw_dlpack_delete(exported(0, 0), 0) == NW_OK);
  CHECK(nw_dlpack_delete(nullptr, 1) == NW_OK);
}

TEST_CASE("exports that cannot be are errors") {
  const auto loader = copied();
  Owned<nw_pages> pages;
  REQUIRE(nw_loader_pages(loader, pages.out()) == NW_OK);
  nw_view view{};
  REQUIRE(nw_loader_batch(loader, 0, &view) == NW_OK);
  const std::int64_t shape[2] = {4, 3}, far[1] = {1 << 20};
  void* none = nullptr;
  const auto call = [&](nw_pages owner, std::int32_t ndim, const std::int64_t* lengths, nw_dtype dtype,
                        std::uint64_t flags, std::int32_t versioned, void** out) {
    CHECK(nw_dlpack_export(owner, view.data, ndim, lengths, nullptr, dtype, flags, versioned, out) ==
          NW_INVALID_ARGUMENT);
    CHECK(none == nullptr);
    return std::string(nw_last_message());
  };
  CHECK(call(nullptr, 2, shape, NW_F32, 0, 1, &none).find("NULL") != std::string::npos);
  CHECK(call(pages, -1, shape, NW_F32, 0, 1, &none).find("ndim") != std::string::npos);
  CHECK(call(pages, 2, nullptr, NW_F32, 0, 1, &none).find("shape") != std::string::npos);
  CHECK(call(pages, 2, shape, 13, 0, 1, &none).find("13") != std::string::npos);
  CHECK(call(pages, 2, shape, NW_F32, 4, 1, &none).find("flags") != std::string::npos);
  CHECK(call(pages, 2, shape, NW_F32, 0, 2, &none).find("versioned") != std::string::npos);
  CHECK(call(pages, 2, shape, NW_F32, 0, 1, nullptr).find("out") != std::string::npos);
  CHECK(call(pages, 1, far, NW_F32, 0, 1, &none).find("does not lie") != std::string::npos);
  CHECK(call(pages, 2, shape, NW_F32, NW_DLPACK_READ_ONLY, 0, &none).find("read-only") != std::string::npos);
}

TEST_CASE("an import that fails deletes the tensor once") {
  nw_loader none = nullptr;
  nw_loader_options wrong{};
  wrong.size = sizeof wrong;
  wrong.policy = 9;
  Counted first, second, third, fourth;
  CHECK(nw_dlpack_import(&first.managed, 1, 2, &wrong, &none) == NW_INVALID_ARGUMENT);
  CHECK(first.deleted == 1);
  CHECK(nw_dlpack_import(&second.managed, 1, 2, nullptr, nullptr) == NW_INVALID_ARGUMENT);
  CHECK(second.deleted == 1);
  third.managed.tensor.device = {8, 0};
  CHECK(nw_dlpack_import(&third.managed, 1, 2, nullptr, &none) == NW_INVALID_ARGUMENT);
  CHECK(std::string(nw_last_message()).find("Metal") != std::string::npos);
  CHECK(third.deleted == 1);
  CHECK(nw_dlpack_import(&fourth.managed, 2, 2, nullptr, &none) == NW_INVALID_ARGUMENT);
  CHECK(fourth.deleted == 0);  // its form is not known
  CHECK(nw_dlpack_import(nullptr, 1, 2, nullptr, &none) == NW_INVALID_ARGUMENT);
  CHECK(none == nullptr);
}

TEST_CASE("no handle is left") {
  CHECK(nodewise::c::live_handles() == 0);
}
