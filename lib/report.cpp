#include "report.hpp"

#include <cstdlib>
#include <mutex>
#include <string>
#include <vector>

#include <nodewise/placement.hpp>

#include "base/json_writer.hpp"
#include "os/os.hpp"

namespace nodewise::report {
namespace {

// One for the process, made by the first loader and never destroyed: objects with static storage may go after
// the report is written.
class Registry {
 public:
  Registry() {
    const char* target = std::getenv("NODEWISE_REPORT");
    if (target != nullptr) target_ = target;
    if (wanted()) std::atexit([] { registry().write(); });
  }

  static Registry& registry() {
    static Registry& instance = *new Registry;
    return instance;
  }

  bool wanted() const noexcept { return !target_.empty(); }

  void begin(const Buffer* buffer) {
    const std::lock_guard lock(mutex_);
    alive_.push_back(buffer);
  }

  void end(const Buffer* buffer) {
    if (!forget(buffer)) return;
    const Answer answer = ask(*buffer);  // not under the lock: it may take a while
    const std::lock_guard lock(mutex_);
    answers_.push_back(answer);
  }

 private:
  struct Answer {
    std::string placement;  // or, if that is empty:
    std::string failure;
  };

  bool forget(const Buffer* buffer) {
    const std::lock_guard lock(mutex_);
    return std::erase(alive_, buffer) > 0;
  }

  static Answer ask(const Buffer& buffer) {
    try {
      return {Placement::of(buffer).to_json(), {}};
    } catch (const std::exception& error) {
      return {{}, error.what()};
    }
  }

  void write() noexcept try {
    // A forked child that exits leaves the report to its parent, unless each has a file of its own.
    const bool shared = target_.find("%p") == std::string::npos;
    if (os::in_forked_child() && shared) return;
    const std::lock_guard lock(mutex_);
    for (const Buffer* buffer : alive_) answers_.push_back(ask(*buffer));
    os::current().write_text(path(), document());
  } catch (const std::exception&) {
    // Nobody is left to tell.
  }

  std::string path() const {
    std::string path = target_;
    const auto at = path.find("%p");
    if (at != std::string::npos) path.replace(at, 2, std::to_string(os::current().process_id()));
    return path;
  }

  std::string document() const {
    base::JsonWriter json;
    json.begin_object();
    json.member("schema", "nodewise.report/1");
    json.member("host", os::current().host_name().value);
    json.member("pid", os::current().process_id());
    json.key("placements");
    json.begin_array();
    for (const Answer& answer : answers_)
      if (!answer.placement.empty()) json.raw(answer.placement);
    json.end_array();
    json.key("failures");
    json.begin_array();
    for (const Answer& answer : answers_)
      if (answer.placement.empty()) json.value(answer.failure);
    json.end_array();
    json.end_object();
    return json.take();
  }

  std::string target_;
  std::mutex mutex_;
  std::vector<const Buffer*> alive_;
  std::vector<Answer> answers_;
};

}  // namespace

Watch::Watch(const Buffer& buffer) : buffer_(buffer) {
  if (Registry::registry().wanted()) Registry::registry().begin(&buffer_);
}

Watch::~Watch() {
  if (Registry::registry().wanted()) Registry::registry().end(&buffer_);
}

}  // namespace nodewise::report
