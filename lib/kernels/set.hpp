// All kernels of one instruction set. Like kernels/means.hpp, this header includes nothing that has code.
#pragma once

#include "kernels/layout.hpp"
#include "kernels/means.hpp"
#include "kernels/short.hpp"
#include "kernels/squares.hpp"

namespace nodewise {

struct KernelSet {
  const char* instruction_set;
  const MeansKernels* means;
  const ShortKernels* short_batches;
  const LayoutKernels* layouts;
  const SquaresKernels* squares;
};

#if defined(NODEWISE_KERNELS)  // in files that are compiled for each instruction set
namespace NODEWISE_KERNELS {
extern const MeansKernels means_kernels;
extern const ShortKernels short_kernels;
extern const LayoutKernels layout_kernels;
extern const SquaresKernels squares_kernels;
extern const KernelSet kernel_set;
}  // namespace NODEWISE_KERNELS
#endif

}  // namespace nodewise
