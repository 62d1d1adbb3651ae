// Digests of descriptions, by which a source is recognised.
#pragma once

#include <concepts>
#include <cstdint>
#include <string_view>

#include <nodewise/source.hpp>

#include "base/checked.hpp"

namespace nodewise::source {

/// FNV-1a in 128 bits (http://www.isthe.com/chongo/tech/comp/fnv/) of texts and numbers. The length of each
/// text is included, so that different lists of texts do not give the same bytes. Numbers are included by
/// value, so the digest does not depend on how a machine stores them.
class DigestOf {
 public:
  DigestOf& add(std::string_view text) noexcept {
    add(text.size());
    for (const char byte : text) mix(static_cast<unsigned char>(byte));
    return *this;
  }
  DigestOf& add(std::integral auto number) noexcept {
    for (unsigned shift = 0; shift < 64; shift += 8)
      mix(static_cast<unsigned char>(static_cast<std::uint64_t>(number) >> shift));
    return *this;
  }
  DigestOf& add(Shape shape, DType dtype) noexcept {
    return add(shape.samples).add(shape.features).add(dtype_name(dtype));
  }
  Digest get() const noexcept {
    return {{static_cast<std::uint64_t>(hash_ >> 64), static_cast<std::uint64_t>(hash_)}};
  }

 private:
  static constexpr base::Uint128 wide(std::uint64_t high, std::uint64_t low) noexcept {
    return base::Uint128{high} << 64 | low;
  }
  void mix(unsigned char byte) noexcept { hash_ = (hash_ ^ byte) * wide(0x1000000, 0x13b); }
  base::Uint128 hash_ = wide(0x6c62272e07bb0142, 0x62b821756295c58d);
};

/// The identity of data to which the caller gave a key. Without a key there is none.
inline Identity keyed_identity(std::string_view kind, const std::string& key, Shape shape, DType dtype) {
  if (key.empty()) return {std::string(kind), {}, {}};
  const Digest digest = DigestOf().add(kind).add(key).add(shape, dtype).get();
  return {key, digest, digest};
}

}  // namespace nodewise::source
