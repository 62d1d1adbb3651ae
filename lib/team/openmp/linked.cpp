// Where the library contains its regions: in the static library.
#include "team/openmp/openmp.hpp"

namespace nodewise {

const OpenMp& find_openmp() {
  return nodewise_openmp;
}

}  // namespace nodewise
