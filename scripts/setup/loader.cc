// tfjs_binding.node as Node loads it: loads the addon proper (tfjs_addon.so beside it) and hands over. It is there for
// one thing: libtensorflow 2.21 announces its oneDNN settings on stderr while it is being loaded, whatever its log
// level says, and every command of ours would begin with that. So stderr is held back for as long as loading takes,
// if TF_CPP_MIN_LOG_LEVEL asks for silence. What fails while loading is told by dlerror, not on stderr.
#include <dlfcn.h>
#include <fcntl.h>
#include <node_api.h>
#include <stdlib.h>
#include <unistd.h>

#include <string>

namespace {

// Path of the file beside the one that holds this function.
std::string Beside(const char* name) {
  Dl_info self;
  if (dladdr(reinterpret_cast<void*>(&Beside), &self) == 0) return name;
  char* file = realpath(self.dli_fname, nullptr);
  std::string path(file ? file : self.dli_fname);
  free(file);
  return path.substr(0, path.rfind('/') + 1) + name;
}

bool Quiet() {
  const char* level = getenv("TF_CPP_MIN_LOG_LEVEL");
  return level != nullptr && atoi(level) > 0;
}

void* LoadAddon() {
  const std::string path = Beside("tfjs_addon.so");
  const int kept = Quiet() ? dup(STDERR_FILENO) : -1;
  const int nowhere = kept < 0 ? -1 : open("/dev/null", O_WRONLY);
  if (nowhere >= 0) dup2(nowhere, STDERR_FILENO);
  void* addon = dlopen(path.c_str(), RTLD_NOW);
  if (nowhere >= 0) dup2(kept, STDERR_FILENO);
  if (nowhere >= 0) close(nowhere);
  if (kept >= 0) close(kept);
  return addon;
}

}  // namespace

NAPI_MODULE_INIT() {
  void* addon = LoadAddon();
  void* init = addon ? dlsym(addon, "napi_register_module_v1") : nullptr;
  if (init == nullptr) {
    napi_throw_error(env, nullptr, dlerror());
    return nullptr;
  }
  return reinterpret_cast<napi_addon_register_func>(init)(env, exports);
}
