// Files that the command writes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "parts/failure.hpp"

namespace nodewise::tools {

/// A file of the user's choice, or standard output if the path is "-".
///
/// A new file, or one that belongs to this user and has no other name, appears or is replaced whole: a draft
/// beside it takes its name in keep(), with the mode that it had. Anything else (a link, a device, a pipe, a
/// file of another user, a file with several names) is opened and written as a shell's `>` would: it is never
/// replaced, and the kernel's protection of shared folders holds.
class OutputFile {
 public:
  enum class Existing : unsigned char { refused, replaced };

  /// Throws Failure: Exit::bad_input where the path cannot be such a file, Exit::machine_cannot where the
  /// system lacks something.
  OutputFile(std::string path, Existing existing);
  /// Removes the draft, unless it was kept.
  ~OutputFile();
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  /// If the reader of standard output has gone away, this does nothing, as with other output.
  void write(const void* data, std::size_t bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  /// Whether the file still takes data. False if the reader of standard output has gone away.
  bool is_read() const noexcept { return is_read_; }
  /// Ends writing, and gives the draft its name.
  void keep();

 private:
  void open();
  void open_draft(unsigned mode, int group);
  void open_in_place();
  [[noreturn]] void fail(int error, const char* what) const;

  std::string path_;
  std::string draft_;  // empty: written in place
  Existing existing_;
  int descriptor_ = -1;
  bool is_read_ = true;
};

}  // namespace nodewise::tools
