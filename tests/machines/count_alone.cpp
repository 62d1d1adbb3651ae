// A program whose every access is known: no library, no start code, no stack. It stores 4 bytes 300007 times
// and loads 8 bytes 1000003 times, round and round sixteen pages that nobody has touched, and exits with 5.
#include <cstddef>

extern "C" {

alignas(4096) std::byte count_alone_pages[65536];
[[noreturn]] void _start();

__attribute__((naked)) void _start() {
#if defined(__x86_64__)
  asm("lea count_alone_pages(%rip), %rbx\n\t"
      "mov $300007, %ecx\n\t"
      "xor %edx, %edx\n"
      "1:\tmov %ecx, (%rbx,%rdx)\n\t"
      "add $520, %edx\n\t"
      "and $0xfff8, %edx\n\t"
      "dec %ecx\n\t"
      "jnz 1b\n\t"
      "mov $1000003, %ecx\n"
      "2:\tmov (%rbx,%rdx), %rax\n\t"
      "add $520, %edx\n\t"
      "and $0xfff8, %edx\n\t"
      "dec %ecx\n\t"
      "jnz 2b\n\t"
      "mov $5, %edi\n\t"
      "mov $231, %eax\n\t"  // exit_group
      "syscall");
#endif
}
}
