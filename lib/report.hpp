// NODEWISE_REPORT=-|FILE: where every buffer of this process lay, written when the process exits. "%p" in
// FILE is the process's number.
#pragma once

#include <memory>

#include <nodewise/buffer.hpp>

namespace nodewise::report {

/// Keeps a buffer under watch while it lives; asks about it when the buffer goes, or at exit. Does nothing
/// unless NODEWISE_REPORT is set. What cannot be asked is reported as such.
class Watch {
 public:
  explicit Watch(const Buffer& buffer);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  const Buffer& buffer_;
};

}  // namespace nodewise::report
