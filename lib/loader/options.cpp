// Completes the options of a loader from the environment: options that are set come first, then the
// environment, then defaults.
#include <cstdlib>
#include <string_view>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>

#include "base/text.hpp"
#include "pages/huge_pages.hpp"

namespace nodewise {
namespace {

// The value that the variable names. Empty if the variable is unset or empty.
template <class E>
std::optional<E> from_environment(const char* variable) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return std::nullopt;
  if (const auto value = parse<E>(text)) return value;
  std::string known;
  for (const E value : all_values<E>()) known += base::text(known.empty() ? "" : ", ", to_string(value));
  throw InvalidArgument(base::text(variable, " is \"", text, "\"; it may be ", known));
}

}  // namespace

Binding chosen_binding(const LoaderOptions& options) {
  if (options.binding) return *options.binding;
  return from_environment<Binding>("NODEWISE_BINDING").value_or(Binding::preferred);
}

PageKind chosen_pages(const LoaderOptions& options) {
  if (options.pages) return *options.pages;
  const char* text = std::getenv("NODEWISE_PAGES");
  if (text != nullptr && std::string_view(text) == "auto") return PageKind::automatic;  // as in --pages
  return from_environment<PageKind>("NODEWISE_PAGES").value_or(PageKind::automatic);
}

PlanOptions plan_options(const LoaderOptions& options) {
  PlanOptions plan;
  plan.policy = options.policy;
  plan.binding = chosen_binding(options);
  plan.weights = options.weights;
  plan.given_weights = options.given_weights;
  plan.targets = options.targets;
  if (chosen_pages(options) == PageKind::hugetlb) plan.page_bytes = default_hugetlb_page_bytes();
  return plan;
}

}  // namespace nodewise
