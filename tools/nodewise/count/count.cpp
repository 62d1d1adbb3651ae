// nodewise count: a machine of many nodes is booted in emulation, and every load and store counted.
#include "count/count.hpp"

#include <fmt/core.h>

#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <memory>
#include <thread>

#include "command.hpp"
#include "parts/flags.hpp"
#include "parts/interrupt.hpp"
#include "parts/output_file.hpp"
#include "parts/system.hpp"
#include "parts/terminal.hpp"

namespace nodewise::tools {
namespace {

namespace fs = std::filesystem;

// A folder of ours, gone when this goes.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (fs::temp_directory_path() / "nodewise-count.XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw Failure(Exit::machine_cannot, fmt::format("{}: {}", name, errno_text(errno)));
    path = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    fs::remove_all(path, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  fs::path path;
};

// Beside the command where both were built, or where both were installed.
fs::path counting_script() {
  require_proc("where this command is installed");
  const fs::path here = fs::read_symlink("/proc/self/exe").parent_path();
  const fs::path installed = here / ".." / NODEWISE_LIBEXEC_FROM_BIN / "count.py";
  for (const fs::path& script : {here.parent_path() / "count/count.py", installed})
    if (fs::exists(script)) return script;
  throw Failure(
      Exit::machine_cannot,
      fmt::format("there is no {}; `nodewise count` works only on x86-64, and after `meson install`",
                  installed.lexically_normal().string()));
}

std::vector<std::string> script_words(const CountOptions& options, const fs::path& report) {
  std::vector<std::string> words = {"python3",    counting_script().string(),
                                    "--topology", options.topology,
                                    "--kernel",   options.kernel,
                                    "--mem",      std::to_string(*options.node_mib),
                                    "--timeout",  std::to_string(*options.timeout_seconds),
                                    "--report",   report.string()};
  if (options.skip_boot) words.emplace_back("--skip-boot");
  for (const std::string& folder : options.writable) words.insert(words.end(), {"--rw", folder});
  words.emplace_back("--");
  words.insert(words.end(), options.command.begin(), options.command.end());
  return words;
}

// Starts a command with the signals as a shell would leave them.
pid_t start(std::vector<std::string> words, bool quiet_stdout) {
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  sigset_t usual;
  ::sigemptyset(&usual);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE, SIGXFSZ}) ::sigaddset(&usual, signal);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (quiet_stdout) ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
  pid_t pid = 0;
  const int refused = ::posix_spawnp(&pid, pointers[0], &actions, &attributes, pointers.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (refused != 0)
    throw Failure(Exit::machine_cannot, fmt::format("{} cannot be run: {}", words[0], errno_text(refused)));
  return pid;
}

// Runs a command and returns its exit code; `quiet_stdout`: what it prints goes to standard error. An
// interrupt ends the command, which cleans up, and then so do we.
int run_words(const std::vector<std::string>& words, bool quiet_stdout) {
  constexpr auto nap = std::chrono::milliseconds(20);
  const pid_t pid = start(words, quiet_stdout);
  int status = 0;
  bool told = false;
  while (::waitpid(pid, &status, WNOHANG) == 0) {
    if (interrupting_signal() != 0 && !told) told = ::kill(pid, SIGTERM) == 0;
    std::this_thread::sleep_for(nap);
  }
  check_interrupt();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

// Without a report the script has said why; its own code is for wrong usage.
Exit without_report(int code) {
  return code == static_cast<int>(Exit::bad_input) ? Exit::bad_input : Exit::machine_cannot;
}

void write_report(const CountResult& result) {
  const std::string text = result.options.json ? count_json(result) : count_text(result);
  const std::string& path = result.options.output;
  if (path.empty() && result.options.json) return print(text);
  if (path.empty()) {
    print_error(text);
    return;
  }
  OutputFile file(path, OutputFile::Existing::replaced);
  file.write(text);
  file.keep();
}

void check(const CountOptions& options) {
  if (*options.timeout_seconds == 0)
    throw Failure(Exit::bad_input, "--timeout 0: give the machine some seconds");
  for (const std::string& folder : options.writable)
    if (std::error_code ignored; !fs::is_directory(folder, ignored))
      throw Failure(Exit::bad_input, fmt::format("--rw {}: there is no such folder", folder));
}

Exit count(const CountOptions& options) {
  check(options);
  stop_on_interrupt();  // before there is something to remove
  const TemporaryFolder folder;
  const fs::path report = folder.path / "report";
  CountResult result{options, {}, 0};
  const bool mixed = options.json && options.output.empty();
  if (::isatty(STDERR_FILENO) != 0)
    complain(fmt::format("nodewise count: booting {} in emulation, which takes a while", options.topology));
  result.exit_code = run_words(script_words(options, report), mixed);
  std::ifstream lines(report);
  result.counted = read_counted(lines);
  if (!lines.is_open()) return without_report(result.exit_code);
  if (!result.counted.complete)
    throw Failure(Exit::machine_cannot, fmt::format("the counter did not see the program begin and end (exit "
                                                    "code {}), or did not learn which node is which",
                                                    result.exit_code));
  write_report(result);
  return static_cast<Exit>(result.exit_code);  // the program's own, whatever it is
}

}  // namespace

Subcommand count_subcommand() {
  const auto options = std::make_shared<CountOptions>();
  return {
      .name = "count",
      .help = "boot an emulated machine with several nodes, and count every load and store of a program",
      .flags = {{.name = "--topology",
                 .help = "the machine: NODESxCPUS such as 1x2, 2x2, 4x2, 8x1, 16x1; a wrong name prints all "
                         "machines (4x2)",
                 .target = &options->topology,
                 .type = "NAME"},
                {.name = "--kernel",
                 .help = "the version of Debian's kernel: 6.12 or 6.1 (6.12)",
                 .target = &options->kernel,
                 .type = "VERSION",
                 .choices = {"6.12", "6.1"}},
                count_flag("--mem", options->node_mib, "memory of each node in MiB (256)"),
                count_flag("--timeout", options->timeout_seconds,
                           "seconds that boot and program may take together (600)"),
                {.name = "--rw",
                 .help = "a folder in which the program's writes are kept",
                 .target = &options->writable,
                 .type = "DIR"},
                {.name = "--skip-boot",
                 .help = "count only while the program runs: a third of the time, and no `total`",
                 .target = &options->skip_boot},
                {.name = "-o,--output",
                 .help = "write the report to this file",
                 .target = &options->output,
                 .type = "FILE"},
                json_flag(options->json, "nodewise.count/1"),
                {.name = "program",
                 .help = "the program and its arguments, after --",
                 .target = &options->command,
                 .type = "PROGRAM ...",
                 .required = true}},
      .footer =
          R"(The program runs as root in the emulated machine. It can read the files of this machine,
but what it writes is discarded. The report goes to standard error, after the program's own output.
With --json the report goes to standard output, and the program's output to standard error. With
-o FILE the report goes into the file. The exit code is that of the program.
Examples
  nodewise count -- nodewise run data.npy --batch-size 64
  nodewise count --topology 2x2 -- numactl --interleave=all ./solver input
  nodewise count --skip-boot --json -o counts.json -- python3 train.py)",
      .run = [options] { return count(*options); }};
}

}  // namespace nodewise::tools
