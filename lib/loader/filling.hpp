// How a loader's memory gets its content, and how filling it ends early.
#pragma once

#include <functional>
#include <utility>

#include <nodewise/error.hpp>
#include <nodewise/loader.hpp>
#include <nodewise/stop.hpp>

namespace nodewise {

/// What writes a dataset: piece by piece while its pages are made present, or once all of them are there.
/// Neither: it stays zero.
struct Filling {
  std::function<void(std::byte* at, ByteRange bytes, const Stop& stop)> fill;
  std::function<void(Buffer& buffer, const Team& team)> after;
};

/// The stop of several workers on one load: a failure of one stops the others, whose ending early is then no
/// error of its own.
class JointStop {
 public:
  explicit JointStop(const Stop& asked) : asked_(asked), all_(asked.child()) {}

  /// Throws Stopped where the caller's token was requested, and what `work` throws.
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

/// Makes loaders of what fills them.
struct LoaderAccess {
  static BatchLoader filled(const Dataset& dataset, const LoaderOptions& options, const Filling& filling);
  static BatchLoader filled(const Plan& plan, const LoaderOptions& options, const Filling& filling);
};

}  // namespace nodewise
