#include <nodewise/view.hpp>

#include "base/text.hpp"

namespace nodewise {

std::string_view to_string(Access access) noexcept {
  switch (access) {
    case Access::read_only:
      return "read_only";
    case Access::read_write:
      return "read_write";
  }
  return {};
}

std::string_view to_string(Layout layout) noexcept {
  switch (layout) {
    case Layout::rows:
      return "rows";
    case Layout::columns:
      return "columns";
    case Layout::tiles:
      return "tiles";
  }
  return {};
}

void AnyConstBatchView::throw_other_type(DType dtype, DType wanted) {
  throw InvalidArgument(
      base::text("AnyBatchView::as: the elements are ", dtype_name(dtype), ", not ", dtype_name(wanted)));
}

void AnyConstBatchView::throw_other_layout(Layout layout, Layout wanted) {
  throw InvalidArgument(base::text(
      "AnyBatchView::as: the batch is arranged by ", to_string(layout), ", not by ", to_string(wanted),
      "; read it through LayoutView<T, Layout::", to_string(layout), ">, or with_layout"));
}

void AnyConstBatchView::throw_read_only(const char* call) {
  throw InvalidArgument(base::text("AnyBatchView::", call,
                                   ": this memory may only be read; say as<const T>(), take the view from a "
                                   "const loader, open the segment with Access::read_write, or adopt memory "
                                   "that may be written"));
}

}  // namespace nodewise
