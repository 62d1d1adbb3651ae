// NODEWISE_REPORT=-|FILE: where the memory of this process lay, written when the process exits. "%p" in FILE
// is the process's number.
#pragma once

#include <functional>
#include <string>

namespace nodewise::report {

/// What a report has of each; see docs/json.md.
enum class Kind : unsigned char { placements, pools, replicas };

/// Registers an object for the report while this lives: the object's JSON is taken when this is destroyed, or
/// at exit. Does nothing unless NODEWISE_REPORT is set. An object that fails to answer is reported as failed.
class Watch {
 public:
  /// Precondition: whatever `describe` uses lives as long as this, which no check could see.
  Watch(Kind kind, std::function<std::string()> describe);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  friend class Registry;
  struct Answer {
    Kind kind;
    std::string json;
    std::string failure;  // why there is none; else empty
  };
  Answer ask() const;

  const Kind kind_;
  const std::function<std::string()> describe_;
};

}  // namespace nodewise::report
