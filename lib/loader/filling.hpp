// How the memory of a loader is filled, and how filling ends early.
#pragma once

#include <functional>
#include <utility>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/stop.hpp>

namespace nodewise {

/// The functions that write a dataset: `fill` writes it piece by piece while pages are populated, `after`
/// writes it when all pages are populated. Without either of them, the dataset stays zero.
struct Filling {
  std::function<void(std::byte* at, ByteRange bytes, const Stop& stop)> fill;
  std::function<void(Buffer& buffer, const Team& team)> after;
};

/// The stop token that several workers of one load share. If one of them fails, the others stop, and their
/// stopping is not reported as an error.
class JointStop {
 public:
  explicit JointStop(const Stop& asked) : asked_(asked), all_(asked.child()) {}

  /// Throws Stopped if the caller's token was requested, and what `work` throws.
  template <class Work>
  void run(Work work) const {
    asked_.check("BatchLoader");
    if (all_.requested()) return;
    try {
      work(all_);
    } catch (const Stopped&) {
      if (asked_.requested() || !all_.requested()) throw;
    } catch (...) {
      Stop(all_).request();
      throw;
    }
  }

 private:
  Stop asked_;
  Stop all_;
};

/// Makes loaders from a Filling, and gives access to a loader's buffer.
struct LoaderAccess {
  static BatchLoader filled(const Dataset& dataset, const LoaderOptions& options, const Filling& filling);
  static BatchLoader filled(const Plan& plan, const LoaderOptions& options, const Filling& filling);
  static Buffer& buffer(BatchLoader& loader) noexcept;
};

}  // namespace nodewise
