// The one file that knows the parser: CLI11 takes seconds to compile.
#include "command_line.hpp"

#include <CLI/CLI.hpp>
#include <sstream>
#include <variant>

#include "parts/terminal.hpp"

namespace nodewise::tools {
namespace {

CLI::Option* add_target(CLI::App& app, const Flag& flag) {
  if (const auto* set = std::get_if<bool*>(&flag.target)) return app.add_flag(flag.name, **set, flag.help);
  if (const auto* text = std::get_if<std::string*>(&flag.target))
    return app.add_option(flag.name, **text, flag.help);
  if (const auto* text = std::get_if<std::optional<std::string>*>(&flag.target))
    return app.add_option(flag.name, **text, flag.help);
  if (const auto* list = std::get_if<std::vector<std::string>*>(&flag.target))
    return app.add_option(flag.name, **list, flag.help);
  const auto take = [name = flag.name, check = std::get<Take>(flag.target)](const std::string& text) {
    if (const auto wrong = check(text)) throw CLI::ValidationError(name, *wrong);
  };
  return app.add_option_function<std::string>(flag.name, take, flag.help);
}

// An empty text is a variable of a script that is not set, and would be taken for "not given".
std::string refuse_empty(const std::string& text) {
  return text.empty() ? "the text is empty; write what is meant, or leave it out" : "";
}

CLI::Option* add(CLI::App& app, const Flag& flag) {
  CLI::Option* option = add_target(app, flag);
  if (std::holds_alternative<std::string*>(flag.target) ||
      std::holds_alternative<std::optional<std::string>*>(flag.target))
    option->check(refuse_empty, "");
  if (!flag.choices.empty()) option->check(CLI::IsMember(flag.choices));
  if (!std::holds_alternative<bool*>(flag.target)) option->type_name(flag.type);
  if (flag.required) option->required();
  if (flag.hidden) option->group("");
  return option;
}

void add(CLI::App& parent, const Subcommand& subcommand) {
  CLI::App& app = *parent.add_subcommand(subcommand.name, subcommand.help);
  app.footer(subcommand.footer);
  for (const Flag& flag : subcommand.flags) {
    CLI::Option* option = add(app, flag);
    if (!flag.needs.empty()) option->needs(app.get_option(flag.needs));
    for (const std::string& other : flag.excludes) option->excludes(app.get_option(other));
  }
  for (const Subcommand& child : subcommand.subcommands) add(app, child);
  if (!subcommand.subcommands.empty()) app.require_subcommand(0, 1);
}

// The one that was named, or one of its own.
std::function<Exit()> chosen(const CLI::App& parent, const std::vector<Subcommand>& subcommands) {
  for (const Subcommand& subcommand : subcommands) {
    const CLI::App* app = parent.get_subcommand(subcommand.name);
    if (!app->parsed()) continue;
    const auto inner = chosen(*app, subcommand.subcommands);
    return inner ? inner : subcommand.run;
  }
  return {};
}

Request refusal(const std::string& about, const std::string& message) {
  return {about, [line = about + ": " + message] {
            complain(line);
            return Exit::bad_input;
          }};
}

// What --help or --version prints.
Request explanation(const CLI::App& app, const CLI::Success& wanted) {
  std::ostringstream out;
  std::ostringstream err;
  app.exit(wanted, out, err);
  return {"nodewise", [text = out.str()] {
            print(text);
            return Exit::done;
          }};
}

// The parser would only say that a subcommand is required.
std::string unknown_subcommand(const Program& program, const std::string& word) {
  std::string known;
  for (const Subcommand& subcommand : program.subcommands) {
    if (subcommand.name == word) return {};
    known += (known.empty() ? "" : ", ") + subcommand.name;
  }
  return "there is no subcommand \"" + word + "\"; there are " + known;
}

}  // namespace

Request request_of(const Program& program, int count, const char* const* words) {
  CLI::App app(program.help, "nodewise");
  app.set_version_flag("--version", program.version, "describe this build");
  app.require_subcommand(1);
  app.failure_message(nullptr);
  app.footer(program.footer);
  for (const Subcommand& subcommand : program.subcommands) add(app, subcommand);
  if (count > 1 && words[1][0] != '-')
    if (const auto refused = unknown_subcommand(program, words[1]); !refused.empty())
      return refusal("nodewise", refused);
  const auto about = [&app] {
    const auto reached = app.get_subcommands();
    return "nodewise" + (reached.empty() ? "" : ' ' + reached.front()->get_name());
  };
  try {
    app.parse(count, words);
  } catch (const CLI::Success& wanted) {
    return explanation(app, wanted);
  } catch (const CLI::ParseError& error) {
    return refusal(about(), std::string(error.what()) + "; see " + about() + " --help");
  }
  return {about(), chosen(app, program.subcommands)};
}

}  // namespace nodewise::tools
