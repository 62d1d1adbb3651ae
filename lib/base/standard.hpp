// The headers of the standard library that most files of the library and of the command include. With
// -Dprecompiled_headers=true they are compiled once for all of them. That saves a quarter of a first build,
// but ccache cannot store what is compiled in this way. No file includes this one: each includes what it
// uses, and compiles without this header too.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cmath>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <variant>
#include <vector>
