// Sources whose rows are in memory already.
#include <nodewise/source.hpp>

#include "base/text.hpp"
#include "source/digest.hpp"

namespace nodewise {
namespace {

class MemoryFormat final : public SourceFormat {
 public:
  MemoryFormat(const void* data, Shape shape, DType dtype, const std::string& key)
      : data_(static_cast<const std::byte*>(data)),
        shape_(shape),
        dtype_(dtype),
        identity_(source::keyed_identity("memory", key, shape, dtype)) {}

  Shape shape() const override { return shape_; }
  DType dtype() const override { return dtype_; }
  Identity identity() const override { return identity_; }
  bool extents(ByteRange bytes, std::vector<Extent>& found) const override {
    if (bytes.bytes() > 0)
      found.push_back({.memory = data_ + bytes.begin, .offset = bytes.begin, .bytes = bytes.bytes()});
    return true;
  }

 private:
  const std::byte* data_;
  Shape shape_;
  DType dtype_;
  Identity identity_;
};

}  // namespace

Source memory_source(const void* data, Shape shape, DType dtype, const MemorySourceOptions& options) {
  Source source(std::make_shared<MemoryFormat>(data, shape, dtype, options.key));
  if (data == nullptr && shape.samples > 0)
    throw InvalidArgument(base::text("memory_source: there is no memory for ", shape.samples, " x ",
                                     shape.features, " elements"));
  return source;
}

}  // namespace nodewise
