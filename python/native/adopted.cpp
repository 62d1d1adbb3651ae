#include "adopted.hpp"

#include <atomic>

namespace nodewise::python {
namespace {

// Buffers that wait for the interpreter. Threads push, and one that has the interpreter takes all.
std::atomic<AdoptedBuffer*> waiting{nullptr};

int pending(void*) {
  give_back_released();
  return 0;
}

}  // namespace

void give_back_released() {
  for (AdoptedBuffer* buffer = waiting.exchange(nullptr); buffer != nullptr;) {
    AdoptedBuffer* next = buffer->next;
    PyBuffer_Release(&buffer->view);
    delete buffer;
    buffer = next;
  }
}

void release_adopted(void* user, void*) {
  auto* buffer = static_cast<AdoptedBuffer*>(user);
  if (Py_IsInitialized() == 0) return;
  buffer->next = waiting.load();
  while (!waiting.compare_exchange_weak(buffer->next, buffer)) {
  }
  // If the list of pending calls is full, the next call of nodewise gives the buffer back.
  Py_AddPendingCall(pending, nullptr);
}

}  // namespace nodewise::python
