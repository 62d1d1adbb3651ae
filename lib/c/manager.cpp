// Managers, transactions, and what was read. Lists and dictionaries are in managed.cpp.
#include <nodewise/c/manager.h>

#include "c/calls.hpp"
#include "c/managed.hpp"
#include "c/options.hpp"

using namespace nodewise;
using namespace nodewise::c;

namespace {

// Ends a transaction, however its function ends. The handle may have been freed by the caller.
struct Ending {
  HeldTransaction& held;
  nw_transaction handle;
  ~Ending() {
    held.change = nullptr;
    held.look = nullptr;
    try {
      remove_handle(handle);
    } catch (const InvalidArgument&) {
    }
  }
};

// Runs a function of the caller with a transaction, which ends when the function has returned.
void run_body(std::int32_t (*body)(void*, nw_transaction), void* user, HeldTransaction held,
              const char* call) {
  const Failure failure = held.failure;
  *failure = nullptr;
  const auto transaction = make_handle<nw_transaction>(std::move(held));
  const auto inside = object(transaction, call);
  const std::int32_t answer = [&] {
    const Ending ending{*inside, transaction};
    return body(user, transaction);
  }();
  if (answer == 0) return;
  if (*failure) std::rethrow_exception(*failure);
  throw std::runtime_error(
      base::text(call, ": the function of the caller returned ", answer, ", so nothing is written"));
}

// Calls `use` with the change or look of a transaction.
template <class Use>
void with_scope(nw_transaction transaction, const char* call, Use&& use) {
  const auto held = object(transaction, call);
  keep_failure(held->failure, [&] {
    if (held->change != nullptr)
      use(*held->change, held->failure);
    else if (held->look != nullptr)
      use(*held->look, held->failure);
    else
      throw InvalidArgument(base::text(call, ": the transaction has ended"));
  });
}

HeldValues keys_alone(const std::vector<std::string>& keys) {
  HeldValues values;
  for (const std::string& key : keys) values.emplace_back(key, ManagedValue());
  return values;
}

using Open = Manager (*)(const std::string&, const ManagerOptions&);

void open_manager(Open open, const char* directory, std::uint64_t max_bytes, nw_manager* out,
                  const char* call) {
  check_pointer(out, call, "out");
  check_pointer(directory, call, "directory");
  *out = make_handle<nw_manager>(open(directory, {.max_bytes = max_bytes}));
}

}  // namespace

nw_error nw_manager_create(const char* directory, std::uint64_t max_bytes, nw_manager* out) {
  return run(__func__,
             [&](const char* call) { open_manager(&Manager::create, directory, max_bytes, out, call); });
}
nw_error nw_manager_open(const char* directory, std::uint64_t max_bytes, nw_manager* out) {
  return run(__func__,
             [&](const char* call) { open_manager(&Manager::open, directory, max_bytes, out, call); });
}
nw_error nw_manager_open_or_create(const char* directory, std::uint64_t max_bytes, nw_manager* out) {
  return run(__func__, [&](const char* call) {
    open_manager(&Manager::open_or_create, directory, max_bytes, out, call);
  });
}

nw_error nw_manager_directory(nw_manager manager, char** out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = text_of(object(manager, call)->directory());
  });
}
nw_error nw_manager_max_bytes(nw_manager manager, std::uint64_t* out) {
  return run(__func__,
             [&](const char* call) { needed(out, call, "out") = object(manager, call)->max_bytes(); });
}

nw_error nw_manager_list(nw_manager manager, const char* name, nw_managed_list* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_managed_list>(HeldList{object(manager, call)->list(name), nullptr});
  });
}
nw_error nw_manager_dict(nw_manager manager, const char* name, nw_managed_dict* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    check_pointer(name, call, "name");
    *out = make_handle<nw_managed_dict>(HeldDict{object(manager, call)->dictionary(name), nullptr});
  });
}

nw_error nw_manager_names(nw_manager manager, nw_managed* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    *out = give_values(keys_alone(object(manager, call)->names()));
  });
}
nw_error nw_manager_remove(nw_manager manager, const char* name, std::int32_t* removed) {
  return run(__func__, [&](const char* call) {
    check_pointer(name, call, "name");
    const bool was_there = object(manager, call)->remove(name);
    if (removed != nullptr) *removed = was_there ? 1 : 0;
  });
}

nw_error nw_manager_change(nw_manager manager, std::int32_t (*body)(void* user, nw_transaction transaction),
                           void* user) {
  return run(__func__, [&](const char* call) {
    needed(body, call, "body");
    const auto failure = std::make_shared<std::exception_ptr>();
    object(manager, call)->change([&](ManagerChange& change) {
      run_body(body, user, {&change, nullptr, failure}, call);
    });
  });
}
nw_error nw_manager_look(nw_manager manager, std::int32_t (*body)(void* user, nw_transaction transaction),
                         void* user) {
  return run(__func__, [&](const char* call) {
    needed(body, call, "body");
    const auto failure = std::make_shared<std::exception_ptr>();
    object(manager, call)->look([&](const ManagerLook& look) {
      run_body(body, user, {nullptr, &look, failure}, call);
    });
  });
}

nw_error nw_transaction_list(nw_transaction transaction, const char* name, nw_managed_list* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_scope(transaction, call, [&](const auto& scope, const Failure& failure) {
      check_pointer(name, call, "name");
      *out = make_handle<nw_managed_list>(HeldList{scope.list(name), failure});
    });
  });
}
nw_error nw_transaction_dict(nw_transaction transaction, const char* name, nw_managed_dict* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_scope(transaction, call, [&](const auto& scope, const Failure& failure) {
      check_pointer(name, call, "name");
      *out = make_handle<nw_managed_dict>(HeldDict{scope.dictionary(name), failure});
    });
  });
}

nw_error nw_transaction_names(nw_transaction transaction, nw_managed* out) {
  return run(__func__, [&](const char* call) {
    check_pointer(out, call, "out");
    with_scope(transaction, call,
               [&](const auto& scope, const Failure&) { *out = give_values(keys_alone(scope.names())); });
  });
}
nw_error nw_transaction_remove(nw_transaction transaction, const char* name, std::int32_t* removed) {
  return run(__func__, [&](const char* call) {
    check_pointer(name, call, "name");
    const auto held = object(transaction, call);
    keep_failure(held->failure, [&] {
      if (held->change == nullptr)
        throw InvalidArgument(base::text(call, ": the transaction is a look, or has ended"));
      const bool was_there = held->change->remove(name);
      if (removed != nullptr) *removed = was_there ? 1 : 0;
    });
  });
}

namespace {

struct Describe {
  nw_managed_value operator()(std::monostate) const { return {}; }
  nw_managed_value operator()(bool value) const {
    nw_managed_value result{};
    result.kind = NW_BOOLEAN;
    result.integer = value ? 1 : 0;
    return result;
  }
  nw_managed_value operator()(std::int64_t value) const {
    nw_managed_value result{};
    result.kind = NW_INTEGER;
    result.integer = value;
    return result;
  }
  nw_managed_value operator()(double value) const {
    nw_managed_value result{};
    result.kind = NW_REAL;
    result.real = value;
    return result;
  }
  nw_managed_value operator()(const std::string& value) const {
    nw_managed_value result{};
    result.kind = NW_BYTES;
    result.data = value.data();
    result.bytes = value.size();
    return result;
  }
  nw_managed_value operator()(const ManagedArray& value) const {
    nw_managed_value result{};
    result.kind = NW_ELEMENTS;
    result.dtype = number_of(value.dtype);
    result.data = value.bytes.data();
    result.bytes = value.bytes.size();
    result.shape = value.shape.data();
    result.ndim = static_cast<std::int32_t>(value.shape.size());
    return result;
  }
};

const HeldValues::value_type& entry(const HeldValues& values, std::size_t index, const char* call) {
  if (index < values.size()) return values[index];
  throw OutOfRange(base::text(call, ": there is no value ", index, "; there are ", values.size()));
}

}  // namespace

nw_error nw_managed_count(nw_managed managed, std::size_t* out) {
  return run(__func__, [&](const char* call) { needed(out, call, "out") = object(managed, call)->size(); });
}
nw_error nw_managed_get(nw_managed managed, std::size_t index, nw_managed_value* out) {
  return run(__func__, [&](const char* call) {
    const auto values = object(managed, call);
    write_result(out, std::visit(Describe(), entry(*values, index, call).second), call);
  });
}
nw_error nw_managed_key(nw_managed managed, std::size_t index, const char** key, std::size_t* bytes) {
  return run(__func__, [&](const char* call) {
    const auto values = object(managed, call);
    const std::string& text = entry(*values, index, call).first;
    needed(key, call, "key") = text.c_str();
    if (bytes != nullptr) *bytes = text.size();
  });
}
