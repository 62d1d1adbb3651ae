// A matrix in any strides as a source.
#pragma once

#include <cstdint>

#include <nodewise/dataset.hpp>
#include <nodewise/source.hpp>

namespace nodewise::c {

/// The rows of a matrix whose element (row, col) is row * row_stride + col * col_stride bytes from `data`.
/// The matrix must stay readable and unchanged while the source is used.
Source strided_source(const void* data, const Dataset& dataset, std::int64_t row_stride,
                      std::int64_t col_stride);

}  // namespace nodewise::c
