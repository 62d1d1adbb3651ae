// What most files of the library and of the command include of the standard library, compiled once for all
// of them where -Dprecompiled_headers=true asks for it: that saves a quarter of a first build, and ccache can
// keep nothing that was compiled so. No file includes this one: each names what it uses, and compiles
// without this too.
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
