// Where the library opens its regions as a module: in the shared library.
#include <nodewise/error.hpp>

#include "base/text.hpp"
#include "os/os.hpp"
#include "team/openmp/openmp.hpp"

namespace nodewise {

const OpenMp& find_openmp() {
  constexpr auto file = NODEWISE_OPENMP_MODULE;  // of this version
  const auto table = os::current().open_module(file, "nodewise_openmp");
  if (!table.ok())
    throw SystemError(base::text("Team: the module ", file,
                                 ", which is installed beside the library, cannot be "
                                 "loaded (",
                                 table.value.why, "); keep it with the library"),
                      table.error);
  return *static_cast<const OpenMp*>(table.value.address);
}

}  // namespace nodewise
