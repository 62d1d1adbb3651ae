// Tables of wrong calls.
#pragma once

#include <doctest/doctest.h>
#include <nodewise/c.h>

#include <functional>
#include <string>
#include <vector>

namespace nodewise::test {

// A wrong call, its error, and a part of the message.
struct Wrong {
  const char* what;
  std::function<nw_error()> call;
  nw_error error;
  const char* message;
};

inline void check_all(const std::vector<Wrong>& table) {
  for (const Wrong& wrong : table) {
    CAPTURE(wrong.what);
    CHECK(wrong.call() == wrong.error);
    const std::string message = nw_last_message();
    CAPTURE(message);
    CHECK(message.find(wrong.message) != std::string::npos);
  }
}

}  // namespace nodewise::test
