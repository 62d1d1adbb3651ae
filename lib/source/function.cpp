// Sources whose rows a function of the caller writes.
#include <nodewise/source.hpp>

#include <algorithm>
#include <utility>

#include "source/digest.hpp"

namespace nodewise {
namespace {

// The bytes of one call of the function; the stop token is polled between two calls.
constexpr std::uint64_t piece_bytes = std::uint64_t{8} << 20;

class FunctionFormat final : public SourceFormat {
 public:
  using Fill = std::function<void(RowRange, std::byte*)>;
  FunctionFormat(Shape shape, DType dtype, Fill fill, const FunctionSourceOptions& options)
      : rows_(shape, dtype, 1),
        fill_(std::move(fill)),
        calls_(options.calls),
        granule_rows_(options.granule_rows),
        identity_(source::keyed_identity("function", options.key, shape, dtype)) {}

  Shape shape() const override { return rows_.shape(); }
  DType dtype() const override { return rows_.dtype(); }
  Identity identity() const override { return identity_; }
  Calls calls() const override { return calls_; }
  std::uint64_t granule_rows() const override { return granule_rows_; }

  // Every call except the first begins at a multiple of granule_rows.
  void read(RowRange rows, std::byte* to, const Stop& stop) const override {
    const std::uint64_t granules =
        std::max<std::uint64_t>(1, piece_bytes / rows_.row_bytes() / granule_rows_);
    for (std::uint64_t begin = rows.start; begin < rows.stop;) {
      stop.check("Source::read");
      const std::uint64_t left = granule_rows_ - begin % granule_rows_;
      const std::uint64_t more = (granules - 1) * granule_rows_;
      const std::uint64_t count = std::min(left + more, rows.stop - begin);
      fill_({begin, begin + count}, to + (begin - rows.start) * rows_.row_bytes());
      begin += count;
    }
  }

 private:
  Dataset rows_;  // as a dataset with batches of one row
  Fill fill_;
  Calls calls_;
  std::uint64_t granule_rows_;
  Identity identity_;
};

}  // namespace

Source function_source(Shape shape, DType dtype, std::function<void(RowRange, std::byte*)> fill,
                       const FunctionSourceOptions& options) {
  if (!fill) throw InvalidArgument("function_source: there is no function");
  if (options.granule_rows == 0)
    throw InvalidArgument("function_source: a granule has at least one row, not 0");
  return Source(std::make_shared<FunctionFormat>(shape, dtype, std::move(fill), options));
}

}  // namespace nodewise
