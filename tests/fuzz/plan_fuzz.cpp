// Fuzzes the reader of saved plans and the JSON reader below it.
//
// Input: a text. Whatever it is, the JSON reader either refuses it or reads a tree that means the same when
// written anew; the plan reader either refuses it with a message fit for a terminal, or gives a plan that
// keeps every promise of its header and is saved and read back equal. Half of the inputs are mutated byte by
// byte, half by the words, signs and numbers of JSON, which leaves more of them well-formed.
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <nodewise/error.hpp>
#include <nodewise/plan.hpp>

#include "base/json_reader.hpp"
#include "base/json_writer.hpp"
#include "fuzz/fuzz_machine.hpp"

namespace {

using namespace nodewise;
using base::JsonArray;
using base::JsonObject;
using base::JsonValue;
using base::JsonWriter;

void require(bool condition) {
  if (!condition) std::abort();
}

void write(JsonWriter& json, const JsonValue& value) {
  if (const auto* array = value.get_if<JsonArray>()) {
    json.begin_array();
    for (const JsonValue& element : *array) write(json, element);
    json.end_array();
  } else if (const auto* object = value.get_if<JsonObject>()) {
    json.begin_object();
    for (const auto& member : *object) {
      require(value.find(member.name) == &member.value);
      json.key(member.name);
      write(json, member.value);
    }
    json.end_object();
  } else if (const auto* string = value.get_if<std::string>()) {
    json.value(*string);
  } else if (const auto* truth = value.get_if<bool>()) {
    json.value(*truth);
  } else if (const auto* u64 = value.get_if<std::uint64_t>()) {
    json.value(*u64);
  } else if (const auto* i64 = value.get_if<std::int64_t>()) {
    json.value(*i64);
  } else if (const auto* real = value.get_if<double>()) {
    json.value(*real);
  } else {
    json.value(nullptr);
  }
  const bool number = value.get_if<std::uint64_t>() || value.get_if<std::int64_t>() || value.get_if<double>();
  require(!number || value.as_double());
}

std::string written(const JsonValue& value) {
  JsonWriter json;
  write(json, value);
  return json.take();
}

void check_printable(std::string_view message) {
  require(message.size() < 500);
  for (const char character : message) require(character >= ' ' && character <= '~');
}

/// Whether `text` is JSON.
bool check_tree(std::string_view text) {
  try {
    const std::string canonical = written(base::parse_json(text));
    require(written(base::parse_json(canonical)) == canonical);
    return true;
  } catch (const FormatError& error) {
    check_printable(error.what());
    return false;
  }
}

void check_plan(const Plan& plan) {
  std::uint64_t batch = 0;
  std::uint64_t byte = 0;
  std::uint64_t page = 0;
  std::uint64_t cut_bytes = 0;
  for (const Shard& shard : plan.shards()) {
    require(shard.batches.start == batch && shard.batches.stop >= batch);
    require(shard.bytes.begin == byte && shard.bytes.end >= byte);
    if (shard.batches.count() > 0) {
      require(plan.dataset().batch_bytes(shard.batches.start).begin == shard.bytes.begin);
      require(plan.dataset().batch_bytes(shard.batches.stop - 1).end == shard.bytes.end);
    }
    batch = shard.batches.stop;
    byte = shard.bytes.end;
    cut_bytes += shard.cut_bytes;
    if (plan.policy() == Policy::interleaved) continue;
    require(shard.pages.begin == page && shard.pages.end >= page);
    require(shard.pages.bytes() % plan.page_bytes() == 0);
    page = shard.pages.end;
  }
  require(batch == plan.num_batches() && byte == plan.dataset().total_bytes());
  require(page == plan.mapped_bytes() || plan.policy() == Policy::interleaved);
  require(cut_bytes == plan.cut_bytes());
}

/// The words (names, numbers, strings without spaces) and signs of a text, white space left out.
std::vector<std::string_view> tokens_of(std::string_view text) {
  const auto in_word = [](char character) {
    return std::isalnum(static_cast<unsigned char>(character)) != 0 ||
           std::strchr("\"_.+-/\\", character) != nullptr;
  };
  std::vector<std::string_view> tokens;
  for (std::size_t begin = 0; begin < text.size();) {
    std::size_t end = begin;
    while (end < text.size() && text[end] != '\0' && in_word(text[end])) ++end;
    if (end == begin) ++end;
    if (text[begin] != ' ' && text[begin] != '\n') tokens.push_back(text.substr(begin, end - begin));
    begin = end;
  }
  return tokens;
}

/// One number replaced by one of those at which code breaks.
std::string mutate_number(std::string_view text, std::mt19937& random) {
  constexpr std::string_view edges[] = {"0", "1", "18446744073709551615"};
  std::vector<std::string_view> numbers = tokens_of(text);
  std::erase_if(numbers, [](std::string_view token) { return token[0] < '0' || token[0] > '9'; });
  if (numbers.empty()) return std::string(text);
  const std::string_view number = numbers[random() % numbers.size()];
  const auto begin = static_cast<std::size_t>(number.data() - text.data());
  return std::string(text).replace(begin, number.size(), edges[random() % std::size(edges)]);
}

/// One to four tokens erased, said twice, or replaced by a word that is likely to make a difference.
std::string mutate_tokens(std::string_view text, std::mt19937& random) {
  constexpr std::string_view words[] = {
      "0",  "1",   "2",    "3",  "17", "255",    "4294967297", "18446744073709551615",
      "-1", "0.5", "null", "[]", "{}", "\"u8\"", "\"f64\"",    "\"required\""};
  const std::vector<std::string_view> tokens = tokens_of(text);
  if (tokens.empty()) return std::string(text);
  const std::size_t first = random() % tokens.size();
  const std::size_t last = std::min<std::size_t>(first + random() % 4, tokens.size() - 1);
  const auto begin = static_cast<std::size_t>(tokens[first].data() - text.data());
  const auto end = static_cast<std::size_t>(tokens[last].data() - text.data()) + tokens[last].size();
  std::string result(text);
  switch (random() % 3) {
    case 0:
      return result.erase(begin, end - begin);
    case 1:
      return result.insert(end, text.substr(begin, end - begin));
    default:
      return result.replace(begin, tokens[first].size(), words[random() % std::size(words)]);
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t max_size,
                                               unsigned seed) {
  std::mt19937 random(seed);
  if (random() % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string result = random() % 2 == 0 ? mutate_number(text, random) : mutate_tokens(text, random);
  if (result.size() > max_size) return size;
  std::memcpy(data, result.data(), result.size());
  return result.size();
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Topology machine = test::fuzz_machine();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (!check_tree(text)) return 0;
  try {
    const Plan plan = Plan::from_json(text, machine);
    check_plan(plan);
    require(Plan::from_json(plan.to_json(), machine) == plan);
  } catch (const FormatError& error) {
    check_printable(error.what());
  } catch (const PlacementError& error) {
    check_printable(error.what());
  }
  return 0;
}
