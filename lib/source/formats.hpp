// What a format of files registers: how it is recognised, and how it is opened.
#pragma once

#include <string>
#include <string_view>

#include <nodewise/source.hpp>

namespace nodewise::source {

/// The number of bytes of a file by which its format is recognised.
inline constexpr std::size_t recognised_bytes = 64;

/// An entry of the table in formats.cpp.
struct FileFormat {
  std::string_view name;
  bool (*recognises)(std::string_view path, std::string_view start);
  Source (*open)(const std::string& path, const SourceOptions& options);
};

}  // namespace nodewise::source
