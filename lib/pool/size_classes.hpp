// The sizes of a pool's blocks: 64 bytes, and then four sizes for each doubling.
#pragma once

#include <bit>
#include <cstddef>

namespace nodewise {

/// The sizes of the classes are 64, 80, 96, 112, 128, 160, ... bytes. The address of a block is a multiple of
/// the largest power of two that divides its size.
struct SizeClasses {
  static constexpr std::size_t least = 64;
  static constexpr std::size_t per_doubling = 4;
  static constexpr std::size_t count = 1 + 40 * per_doubling;  // to 64 TiB

  static constexpr std::size_t of(std::size_t bytes) noexcept {
    if (bytes <= least) return 0;
    const auto doublings =
        static_cast<std::size_t>(std::bit_width(bytes - 1)) - 1;  // 2^d < bytes <= 2^(d + 1)
    const std::size_t step = std::size_t{1} << (doublings - 2);
    const std::size_t steps = (bytes - (step << 2) + step - 1) / step;  // 1 to 4
    return (doublings - 6) * per_doubling + steps;
  }
  static constexpr std::size_t bytes(std::size_t size_class) noexcept {
    if (size_class == 0) return least;
    const std::size_t doublings = (size_class - 1) / per_doubling,
                      steps = (size_class - 1) % per_doubling + 1;
    return (least << doublings) + steps * ((least / 4) << doublings);
  }
  static constexpr std::size_t alignment(std::size_t bytes) noexcept { return bytes & (~bytes + 1); }

  /// The first class with blocks of at least `bytes` and of this alignment, which is a power of two.
  static constexpr std::size_t of(std::size_t bytes, std::size_t alignment) noexcept {
    std::size_t size_class = of(bytes < alignment ? alignment : bytes);
    while (SizeClasses::alignment(SizeClasses::bytes(size_class)) < alignment) ++size_class;
    return size_class;
  }
};

}  // namespace nodewise
