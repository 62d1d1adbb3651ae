// NumPy's .npy files as sources: format numpy.lib.format, versions 1.0, 2.0 and 3.0.
#pragma once

#include <string>

#include <nodewise/export.hpp>
#include <nodewise/source.hpp>

namespace nodewise {

struct NpyOptions {
  /// If true, two-byte elements (`<u2`, `|V2`) are read as bfloat16, which .npy cannot name.
  bool as_bf16 = false;
};

/// Opens a .npy file and checks its header against its size. An array of one dimension, n, becomes n × 1;
/// bool becomes u8. Arrays in Fortran order are read by rows; all others have extents (source.hpp). Throws
/// SystemError (the file cannot be opened or read) and FormatError (not .npy; an unknown version; object,
/// structured, complex or text elements; more than two dimensions; shorter than its header says; sizes that
/// overflow).
NODEWISE_PUBLIC Source npy_source(const std::string& path, const NpyOptions& options = {});

}  // namespace nodewise
