#include <nodewise/stream.hpp>

namespace nodewise {

BatchStream::~BatchStream() = default;

}  // namespace nodewise
