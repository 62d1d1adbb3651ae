// .npy files as a format of sources.
#pragma once

#include "source/formats.hpp"

namespace nodewise::source {

extern const FileFormat npy_format;

}  // namespace nodewise::source
