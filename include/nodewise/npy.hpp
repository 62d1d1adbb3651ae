// NumPy's .npy files as sources.
//
// Format: numpy.lib.format, versions 1.0, 2.0 and 3.0.
#pragma once

#include <string>

#include <nodewise/export.hpp>
#include <nodewise/source.hpp>

namespace nodewise {

struct NpyOptions {
  /// Read the two-byte elements of a file (`<u2`, `|V2`) as bfloat16, which .npy cannot name.
  bool as_bf16 = false;
};

/// An open .npy file, its header read and held against the file's size. A 1-D array of n is n × 1; bool is
/// u8. Elements in Fortran order are read by rows, others have extents too. Throws SystemError (cannot be
/// opened or read), FormatError (not .npy, unknown version, object, structured, complex or text elements,
/// more than two dimensions, shorter than its header says, or sizes that overflow).
NODEWISE_PUBLIC Source npy_source(const std::string& path, const NpyOptions& options = {});

}  // namespace nodewise
