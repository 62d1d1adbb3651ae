// What tests of Manager have in common.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <nodewise/manager.hpp>

#include "support/process.hpp"

namespace nodewise::test {

/// A path in memory at which there is nothing yet; what is there in the end goes with it.
class Folder {
 public:
  Folder() = default;
  ~Folder() {
    if (::getpid() == maker_) std::filesystem::remove_all(path_);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  const std::string& path() const { return path_; }
  std::string data() const { return path_ + "/data.mdb"; }
  std::string locks() const { return path_ + "/lock.mdb"; }

 private:
  std::string path_ = "/dev/shm/" + unique_name("manager");
  pid_t maker_ = ::getpid();
};

inline ManagedValue number(std::int64_t value) {
  return value;
}

inline std::int64_t as_number(const ManagedValue& value) {
  return std::get<std::int64_t>(value);
}

inline std::vector<ManagedValue> numbers(std::int64_t first, std::int64_t count) {
  std::vector<ManagedValue> values;
  for (std::int64_t i = 0; i < count; ++i) values.emplace_back(first + i);
  return values;
}

}  // namespace nodewise::test
