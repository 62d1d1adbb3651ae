// The report that NODEWISE_REPORT=-|FILE requests: where the memory of this process lay. It is written when
// the process exits. "%p" in FILE becomes the process number.
#pragma once

#include <functional>
#include <string>

namespace nodewise::report {

/// The kinds of objects in a report; see docs/json.md.
enum class Kind : unsigned char { placements, pools, replicas };

/// Registers an object for the report. The JSON of the object is taken when the Watch is destroyed, or at
/// exit. Does nothing unless NODEWISE_REPORT is set. If an object cannot be described, the report says so.
class Watch {
 public:
  /// Precondition, which cannot be checked: what `describe` uses lives as long as this Watch.
  Watch(Kind kind, std::function<std::string()> describe);
  ~Watch();
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

 private:
  friend class Registry;
  struct Answer {
    Kind kind;
    std::string json;
    std::string failure;  // why there is no JSON; empty if there is
  };
  Answer ask() const;

  const Kind kind_;
  const std::function<std::string()> describe_;
};

}  // namespace nodewise::report
