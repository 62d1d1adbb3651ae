#include <nodewise/manager.hpp>

#include "manager/environment.hpp"
#include "manager/store.hpp"

namespace nodewise {
namespace detail {

/// The transaction in which a handle works.
class ManagerScope {
 public:
  using Work = std::function<void(managed::Store&)>;
  virtual ~ManagerScope() = default;
  virtual void read(const std::function<void(const managed::Store&)>& work) const = 0;
  virtual void write(const Work& work) const = 0;
};

}  // namespace detail

namespace {

using detail::ManagerScope;
using managed::Store;

/// Gives each call a transaction of its own.
class OwnScope final : public ManagerScope {
 public:
  explicit OwnScope(std::shared_ptr<managed::Directory> directory) noexcept
      : directory_(std::move(directory)) {}
  void read(const std::function<void(const Store&)>& work) const override {
    directory_->environment().read([&](lmdb::Transaction& transaction) { work(Store(transaction)); });
  }
  void write(const Work& work) const override {
    directory_->environment().write([&](lmdb::Transaction& transaction) {
      Store store(transaction);
      work(store);
    });
  }
  const managed::Directory& directory() const noexcept { return *directory_; }

 private:
  std::shared_ptr<managed::Directory> directory_;
};

/// The transaction of a change or a look; unusable after its end.
class OpenScope final : public ManagerScope {
 public:
  explicit OpenScope(Store& store) noexcept : store_(&store) {}
  void end() noexcept { store_ = nullptr; }
  void read(const std::function<void(const Store&)>& work) const override { work(store()); }
  void write(const Work& work) const override { work(store()); }

 private:
  Store& store() const {
    if (store_ == nullptr) throw InvalidArgument("Manager: the change or look that this came from is over");
    return *store_;
  }
  Store* store_;
};

/// Keeps a scope usable while its transaction is open.
struct Opened {
  explicit Opened(lmdb::Transaction& transaction)
      : store(transaction), scope(std::make_shared<OpenScope>(store)) {}
  ~Opened() { scope->end(); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  Store store;
  std::shared_ptr<OpenScope> scope;
};

template <class Fn>
auto read(const std::shared_ptr<const ManagerScope>& scope, const Fn& fn) {
  decltype(fn(std::declval<const Store&>())) result{};
  scope->read([&](const Store& store) { result = fn(store); });
  return result;
}

template <class Fn>
auto write(const std::shared_ptr<const ManagerScope>& scope, const Fn& fn) {
  decltype(fn(std::declval<Store&>())) result{};
  scope->write([&](Store& store) { result = fn(store); });
  return result;
}

const managed::Directory& directory_of(const ManagerScope& scope) {
  return static_cast<const OwnScope&>(scope).directory();
}

std::shared_ptr<const ManagerScope> enter(const std::string& directory, managed::Entry entry,
                                          const ManagerOptions& options) {
  return std::make_shared<OwnScope>(managed::Directory::enter(directory, entry, options.max_bytes));
}

const std::string& checked(const std::string& name) {
  managed::check_name(name);
  return name;
}

}  // namespace

std::uint64_t ManagedListReader::size() const {
  return read(scope_, [&](const Store& store) { return store.list_size(name_); });
}
ManagedValue ManagedListReader::get(std::uint64_t i) const {
  return read(scope_, [&](const Store& store) { return store.list_get(name_, i); });
}
std::vector<ManagedValue> ManagedListReader::values() const {
  return read(scope_, [&](const Store& store) { return store.list_values(name_); });
}

std::uint64_t ManagedList::append(const ManagedValue& value) const {
  return extend({&value, 1});
}
std::uint64_t ManagedList::extend(std::span<const ManagedValue> values) const {
  return write(scope_, [&](Store& store) { return store.list_extend(name_, values); });
}
void ManagedList::set(std::uint64_t i, const ManagedValue& value) const {
  scope_->write([&](Store& store) { store.list_set(name_, i, value); });
}
std::optional<ManagedValue> ManagedList::pop_back() const {
  return write(scope_, [&](Store& store) { return store.list_pop(name_, Store::End::back); });
}
std::optional<ManagedValue> ManagedList::pop_front() const {
  return write(scope_, [&](Store& store) { return store.list_pop(name_, Store::End::front); });
}
void ManagedList::erase(std::uint64_t i) const {
  scope_->write([&](Store& store) { store.list_erase(name_, i); });
}
void ManagedList::clear() const {
  scope_->write([&](Store& store) { store.list_clear(name_); });
}

std::uint64_t ManagedDictionaryReader::size() const {
  return read(scope_, [&](const Store& store) { return store.dictionary_size(name_); });
}
bool ManagedDictionaryReader::contains(const std::string& key) const {
  return read(scope_, [&](const Store& store) { return store.dictionary_contains(name_, key); });
}
std::optional<ManagedValue> ManagedDictionaryReader::get(const std::string& key) const {
  return read(scope_, [&](const Store& store) { return store.dictionary_get(name_, key); });
}
std::vector<std::string> ManagedDictionaryReader::keys() const {
  return read(scope_, [&](const Store& store) { return store.dictionary_keys(name_); });
}
std::vector<std::pair<std::string, ManagedValue>> ManagedDictionaryReader::items() const {
  return read(scope_, [&](const Store& store) { return store.dictionary_items(name_); });
}

void ManagedDictionary::set(const std::string& key, const ManagedValue& value) const {
  scope_->write([&](Store& store) { store.dictionary_set(name_, key, value); });
}
ManagedValue ManagedDictionary::update(
    const std::string& key, const std::function<ManagedValue(std::optional<ManagedValue>)>& next) const {
  const ManagedDictionary self = *this;  // `next` may destroy this handle
  return write(self.scope_, [&](Store& store) {
    ManagedValue value = next(store.dictionary_get(self.name_, key));
    store.dictionary_set(self.name_, key, value);
    return value;
  });
}
bool ManagedDictionary::erase(const std::string& key) const {
  return write(scope_, [&](Store& store) { return store.dictionary_erase(name_, key); });
}
void ManagedDictionary::clear() const {
  scope_->write([&](Store& store) { store.dictionary_clear(name_); });
}

ManagedListReader ManagerLook::list(const std::string& name) const {
  return {scope_, checked(name)};
}
ManagedDictionaryReader ManagerLook::dictionary(const std::string& name) const {
  return {scope_, checked(name)};
}
std::vector<std::string> ManagerLook::names() const {
  return read(scope_, [](const Store& store) { return store.names(); });
}

ManagedList ManagerChange::list(const std::string& name) const {
  return {scope_, checked(name)};
}
ManagedDictionary ManagerChange::dictionary(const std::string& name) const {
  return {scope_, checked(name)};
}
std::vector<std::string> ManagerChange::names() const {
  return read(scope_, [](const Store& store) { return store.names(); });
}
bool ManagerChange::remove(const std::string& name) const {
  return write(scope_, [&](Store& store) { return store.remove(name); });
}

Manager Manager::create(const std::string& directory, const ManagerOptions& options) {
  return Manager(enter(directory, managed::Entry::create, options));
}
Manager Manager::open(const std::string& directory, const ManagerOptions& options) {
  return Manager(enter(directory, managed::Entry::open, options));
}
Manager Manager::open_or_create(const std::string& directory, const ManagerOptions& options) {
  return Manager(enter(directory, managed::Entry::open_or_create, options));
}

void Manager::change(const std::function<void(ManagerChange&)>& change) const {
  const auto scope = scope_;  // `change` may destroy this Manager
  directory_of(*scope).environment().write([&](lmdb::Transaction& transaction) {
    const Opened opened(transaction);
    ManagerChange inside(opened.scope);
    change(inside);
  });
}

void Manager::look(const std::function<void(const ManagerLook&)>& look) const {
  const auto scope = scope_;
  directory_of(*scope).environment().read([&](lmdb::Transaction& transaction) {
    const Opened opened(transaction);
    look(ManagerLook(opened.scope));
  });
}

const std::string& Manager::directory() const noexcept {
  return directory_of(*scope_).path();
}
std::uint64_t Manager::max_bytes() const {
  return directory_of(*scope_).environment().max_bytes();
}

}  // namespace nodewise
