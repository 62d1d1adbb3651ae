#include "report.hpp"

#include <cstdlib>
#include <mutex>
#include <vector>

#include <nodewise/error.hpp>

#include "base/json_writer.hpp"
#include "base/text.hpp"
#include "os/fork_watch.hpp"
#include "os/os.hpp"

namespace nodewise::report {

// The only registry of the process. The first Watch makes it. It is never destroyed, because objects with
// static storage may be destroyed after the report is written.
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

  void begin(const Watch* watch) {
    const Held held(mutex_);
    alive_.push_back(watch);
  }

  void end(const Watch* watch) {
    if (!forget(watch)) return;
    const Watch::Answer answer = watch->ask();  // not under the lock, because it may take a while
    const std::lock_guard lock(mutex_);
    answers_.push_back(answer);
  }

 private:
  // A child forked while another thread holds the mutex would find it locked for ever.
  struct Held {
    explicit Held(std::mutex& mutex) : lock(mutex) {}
    os::ForkWatch::Pause pause;
    std::lock_guard<std::mutex> lock;
  };

  bool forget(const Watch* watch) {
    const Held held(mutex_);
    return std::erase(alive_, watch) > 0;
  }

  void write() noexcept try {
    // A forked child that exits leaves the report to its parent, unless both have files of their own.
    const bool shared = target_.find("%p") == std::string::npos;
    if (os::in_forked_child() && shared) return;
    const std::lock_guard lock(mutex_);
    for (const Watch* watch : alive_) answers_.push_back(watch->ask());
    if (const int error = os::current().write_text(path(), document()))
      complain(SystemError("cannot be written", error).what());
  } catch (const std::exception& error) {
    complain(error.what());
  }

  // No caller is left that could be told.
  void complain(const char* why) const noexcept try {
    os::current().write_error(base::text("nodewise: NODEWISE_REPORT=", target_, ": ", why, '\n'));
  } catch (const std::exception&) {
    // Not even memory for a sentence.
  }

  std::string path() const {
    std::string path = target_;
    const auto at = path.find("%p");
    if (at != std::string::npos) path.replace(at, 2, std::to_string(os::current().process_id()));
    return path;
  }

  void write_kind(base::JsonWriter& json, const char* name, Kind kind) const {
    json.key(name);
    json.begin_array();
    for (const Watch::Answer& answer : answers_)
      if (answer.kind == kind && answer.failure.empty()) json.raw(answer.json);
    json.end_array();
  }

  std::string document() const {
    base::JsonWriter json;
    json.begin_object();
    json.member("schema", "nodewise.report/1");
    json.member("host", os::current().host_name().value);
    json.member("pid", os::current().process_id());
    write_kind(json, "placements", Kind::placements);
    write_kind(json, "pools", Kind::pools);
    write_kind(json, "replicas", Kind::replicas);
    json.key("failures");
    json.begin_array();
    for (const Watch::Answer& answer : answers_)
      if (!answer.failure.empty()) json.value(answer.failure);
    json.end_array();
    json.end_object();
    return json.take();
  }

  std::string target_;
  std::mutex mutex_;
  std::vector<const Watch*> alive_;
  std::vector<Watch::Answer> answers_;
};

// In a forked child, a thread that does not exist there may have held the locks of a pool.
Watch::Answer Watch::ask() const {
  if (kind_ != Kind::placements && os::in_forked_child())
    return {kind_, {}, "pools and replicas are not reported by a forked child"};
  try {
    return {kind_, describe_(), {}};
  } catch (const std::exception& error) {
    return {kind_, {}, error.what()};
  }
}

Watch::Watch(Kind kind, std::function<std::string()> describe) : kind_(kind), describe_(std::move(describe)) {
  if (Registry::registry().wanted()) Registry::registry().begin(this);
}

Watch::~Watch() {
  if (Registry::registry().wanted()) Registry::registry().end(this);
}

}  // namespace nodewise::report
