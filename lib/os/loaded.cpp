#include "os/loaded.hpp"

#include <dlfcn.h>

#include <cerrno>

#include <string_view>

namespace nodewise::os {

std::string file_of_address(const void* address) {
  Dl_info info{};
  if (dladdr(address, &info) == 0 || info.dli_fname == nullptr) return {};
  const std::string_view path = info.dli_fname;
  const auto slash = path.rfind('/');
  return std::string(slash == path.npos ? path : path.substr(slash + 1));
}

Result<ModuleSymbol> load_module(const std::string& file, const std::string& symbol) {
  // The loader knows the folder of the object that calls it, whatever the working directory has become.
  // Threads of a runtime that the module needs may run for as long as the process does.
  void* const module = ::dlopen(("$ORIGIN/" + file).c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  const void* const address = module != nullptr ? ::dlsym(module, symbol.c_str()) : nullptr;
  if (address != nullptr) return {{address, {}}, 0};
  const char* const why = ::dlerror();
  return {{nullptr, why != nullptr ? why : "its symbol is null"}, ELIBACC};
}

}  // namespace nodewise::os
