// A const buffer's bytes are const.
// Error: read-only|const-qualified|cannot assign
#include <nodewise/buffer.hpp>

#ifdef BROKEN
using Memory = const nodewise::Buffer;
#else
using Memory = nodewise::Buffer;
#endif

void clear(Memory& buffer) {
  *buffer.data() = std::byte{0};
}
