#include "manager/environment.hpp"

#include <cerrno>
#include <chrono>
#include <map>
#include <tuple>
#include <utility>

#include <nodewise/error.hpp>

#include "base/checked.hpp"
#include "base/text.hpp"
#include "manager/store.hpp"
#include "os/fork_watch.hpp"
#include "os/size_limit.hpp"

namespace nodewise::managed {
namespace {

constexpr std::uint64_t usual_bytes = std::uint64_t{1} << 30;

// In a full directory, removing something also needs pages. So the file may be larger than the limit for its
// contents.
std::uint64_t map_bytes_for(std::uint64_t max_bytes) noexcept {
  constexpr std::uint64_t unit = 65536;
  return base::round_up(max_bytes + max_bytes / 64 + 4 * unit, unit);
}

// The number of transactions that this thread is in.
thread_local unsigned depth = 0;

// The directories that this process has open. Forked children inherit the registry, and do not touch the
// entries of their parents. It is never destroyed, because Managers may outlive everything that is destroyed
// at exit.
struct Registry {
  using Key = std::tuple<std::uint64_t, std::uint64_t, std::uint64_t>;  // generation, device, inode
  struct Entry {
    std::unique_ptr<Environment> environment;
    std::uint64_t users = 0;
  };
  static Registry& get() {
    static auto& registry = *new Registry;
    return registry;
  }
  static Key key(const os::FileStatus& file) { return {lmdb::generation(), file.device, file.inode}; }
  std::mutex mutex;  // locked only under a ForkWatch::Pause, so that a child never finds it locked
  std::map<Key, Entry> entries;
};

struct RegistryLock {
  os::ForkWatch::Pause no_forks;
  std::lock_guard<std::mutex> lock{Registry::get().mutex};
};

}  // namespace

// A thread that is inside transactions. If a child was forked inside one, everything that this would release
// belongs to the parent.
class Environment::Session {
 public:
  explicit Session(Environment& environment) : environment_(environment) {
    std::unique_lock lock(environment_.mutex_);
    if (depth == 0) environment_.changed_.wait(lock, [&] { return !environment_.resizing_; });
    ++environment_.sessions_;
    ++depth;
  }
  ~Session() {
    --depth;
    if (!environment_.is_of_this_process()) return;
    const std::lock_guard lock(environment_.mutex_);
    if (--environment_.sessions_ == 0) environment_.changed_.notify_all();
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

 private:
  Environment& environment_;
};

Environment::Environment(const std::string& folder, std::optional<std::uint64_t> bytes_if_new)
    : lmdb_(folder, bytes_if_new ? map_bytes_for(*bytes_if_new) : 0) {
  lmdb_.clear_dead_readers();
  if (bytes_if_new) {
    lengthen_file(lmdb_.map_bytes());
    write([&](lmdb::Transaction& transaction) { Store(transaction).write_format(*bytes_if_new); });
  } else {
    read([](lmdb::Transaction& transaction) { Store(transaction).check_format(); });
  }
}

void Environment::begin(lmdb::Transaction& transaction, lmdb::Mode mode, std::unique_ptr<Session>& session) {
  bool cleared = false;
  while (true) {
    session = std::make_unique<Session>(*this);
    const int code = transaction.begin(mode);
    if (code == 0) return;
    session.reset();
    if (code == lmdb::map_resized) {
      resize(0);
    } else if (code == lmdb::readers_full && !cleared) {
      cleared = true;
      lmdb_.clear_dead_readers();
    } else {
      lmdb_.fail("beginning", code);
    }
  }
}

void Environment::read(const Work& work) {
  std::unique_ptr<Session> session;
  lmdb::Transaction transaction(lmdb_);
  begin(transaction, lmdb::Mode::read, session);
  work(transaction);
}

void Environment::write(const Work& work) {
  constexpr std::uint64_t writes_per_check = 256;
  if (writes_.fetch_add(1) % writes_per_check == writes_per_check - 1) lmdb_.clear_dead_readers();
  try {
    write_once(work);
  } catch (const lmdb::MapFull&) {
    if (!find_room()) throw;
    write_once(work);
  }
}

// Frees the pages of dead readers, or uses the space that another process added to the directory. Only the
// latter is worth waiting for the end of other threads' looks.
bool Environment::find_room() {
  if (!is_of_this_process()) return false;
  const bool cleared = lmdb_.clear_dead_readers() > 0;
  const auto bytes = map_bytes_for(max_bytes());
  const bool grown = depth == 0 && bytes > lmdb_.map_bytes();
  if (grown) resize(bytes);
  return cleared || grown;
}

void Environment::write_once(const Work& work) {
  if (writer_ == std::this_thread::get_id())
    throw SystemError(
        base::text("Manager: ", lmdb_.folder(),
                   ": this thread is inside a change, and another one would wait for it forever; "
                   "use the ManagerChange that the change was given"),
        EDEADLK);
  std::unique_ptr<Session> session;
  lmdb::Transaction transaction(lmdb_);
  begin(transaction, lmdb::Mode::write, session);
  {
    struct Writer {  // it must end before the next one begins
      explicit Writer(std::atomic<std::thread::id>& id) : id_(id) { id_ = std::this_thread::get_id(); }
      ~Writer() { id_ = std::thread::id(); }
      Writer(const Writer&) = delete;
      Writer& operator=(const Writer&) = delete;
      std::atomic<std::thread::id>& id_;
    } const writer(writer_);
    work(transaction);
  }
  transaction.commit();
}

void Environment::resize(std::uint64_t map_bytes) {
  if (depth > 0)
    throw SystemError(
        base::text("Manager: ", lmdb_.folder(), " grows; this thread must end its changes and looks first"),
        EBUSY);
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !resizing_; });
  resizing_ = true;
  changed_.wait(lock, [&] { return sessions_ == 0; });
  struct Done {
    ~Done() {
      environment.resizing_ = false;
      environment.changed_.notify_all();
    }
    Environment& environment;
  } const done{*this};
  if (map_bytes == 0 || map_bytes > lmdb_.map_bytes()) lmdb_.resize(map_bytes);
}

void Environment::lengthen_file(std::uint64_t bytes) {
  os::Os& os = os::current();
  const auto status = os.file_status(lmdb_.descriptor());
  int error = status.error;
  if (error == 0 && status.value.bytes < bytes) error = os.resize_file(lmdb_.descriptor(), bytes);
  if (error != 0)
    throw SystemError(base::text("Manager: ", lmdb_.folder(), "/data.mdb: making it ", bytes, " bytes long",
                                 os::size_limit_text(error)),
                      error);
}

// A file is never shorter than its record says, so a shorter one was truncated. Each write after the map has
// grown records the larger size. Only one process at a time lengthens the file.
void Environment::grow(std::uint64_t max_bytes) {
  if (max_bytes == 0 || max_bytes <= this->max_bytes()) return;
  write([&](lmdb::Transaction&) { lengthen_file(map_bytes_for(max_bytes)); });
  resize(map_bytes_for(max_bytes));
  write([&](lmdb::Transaction& transaction) { Store(transaction).write_format(max_bytes); });
}

std::uint64_t Environment::max_bytes() {
  std::uint64_t bytes = 0;
  read([&](lmdb::Transaction& transaction) { bytes = Store(transaction).max_bytes(); });
  return bytes;
}

std::shared_ptr<Directory> Directory::enter(const std::string& folder, Entry entry, std::uint64_t max_bytes) {
  constexpr std::uint64_t least_bytes = std::uint64_t{1} << 20;
  constexpr std::uint64_t most_bytes = std::uint64_t{1} << 46;
  if (max_bytes != 0 && (max_bytes < least_bytes || max_bytes > most_bytes))
    throw InvalidArgument(base::text("Manager: max_bytes is ", max_bytes, "; ", least_bytes, " to ",
                                     most_bytes, " are possible, and 0, which keeps the limit"));
  std::shared_ptr<Directory> directory(new Directory(prepare_folder(folder, entry != Entry::open)));
  directory->attach(entry, max_bytes);
  return directory;
}

Environment& Directory::environment() const {
  Environment* const environment = environment_;
  if (environment != nullptr && environment->is_of_this_process()) return *environment;
  return attach(Entry::open, 0);
}

Environment& Directory::attach(Entry entry, std::uint64_t max_bytes) const {
  constexpr std::chrono::milliseconds look_again(1);
  Environment* environment = nullptr;
  while (true) {
    {
      const RegistryLock lock;
      environment = environment_;
      if (environment == nullptr || !environment->is_of_this_process())
        environment_ = environment = registered(entry, max_bytes == 0 ? usual_bytes : max_bytes);
    }
    if (environment != nullptr) break;
    std::this_thread::sleep_for(look_again);  // outside the Pause, so that other threads can fork
  }
  environment->grow(max_bytes);
  return *environment;
}

// Returns null while another process opens or makes the directory. Precondition, which cannot be checked
// here: the registry is locked.
Environment* Directory::registered(Entry entry, std::uint64_t bytes_if_new) const {
  auto& entries = Registry::get().entries;
  const DataFile file(path_, entry != Entry::open);
  if (file_.inode != 0 && !file_.same_file(file.status()))
    throw SystemError(
        base::text("Manager: ", path_, " is not the directory that the parent process had open"), ESTALE);
  const auto known = entries.find(Registry::key(file.status()));
  const bool found = known != entries.end();
  if (!found && !file.try_lock()) return nullptr;
  const bool draft = !found && !file.check();
  if (!draft && entry == Entry::create)
    throw SystemError(base::text("Manager: there is one in ", path_, " already; open it"), EEXIST);
  if (draft && entry == Entry::open)
    throw SystemError(base::text("Manager: the one in ", path_,
                                 " was never finished: its maker died over it; "
                                 "create it again"),
                      ENOENT);
  file_ = file.status();
  if (found) {
    ++known->second.users;
    return known->second.environment.get();
  }
  if (draft) file.clear();
  file.reserve_locks();
  auto environment = std::make_unique<Environment>(path_, draft ? std::optional(bytes_if_new) : std::nullopt);
  const auto made = entries.emplace(Registry::key(file_), Registry::Entry{std::move(environment), 1});
  return made.first->second.environment.get();
}

Directory::~Directory() {
  Environment* const environment = environment_;
  if (environment == nullptr || !environment->is_of_this_process()) return;
  const RegistryLock lock;
  auto& entries = Registry::get().entries;
  const auto entry = entries.find(Registry::key(file_));
  if (--entry->second.users == 0) entries.erase(entry);
}

}  // namespace nodewise::managed
