#include "kernels/set.hpp"

#define NODEWISE_TEXT_OF(name) #name
#define NODEWISE_TEXT(name) NODEWISE_TEXT_OF(name)

namespace nodewise::NODEWISE_KERNELS {

const KernelSet kernel_set = {
    NODEWISE_TEXT(NODEWISE_KERNELS), &means_kernels, &short_kernels, &layout_kernels, &squares_kernels,
};

}  // namespace nodewise::NODEWISE_KERNELS
