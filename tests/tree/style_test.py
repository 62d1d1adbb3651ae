#!/usr/bin/env python3
"""Each rule of style.py finds what it is for, and passes what it should: one planted fault at a time in a
small tree that is otherwise clean."""
import unittest

import style

CLEAN = {
    "lib/README.md": "| rung | public headers | what |\n|---|---|---|\n| `base/` | | x |\n"
                     "| `os/` | `machine.hpp` | x |\n| `topology/` | `topology.hpp` | x |\n"
                     "| `plan/` | `plan.hpp` | x |\n| `report.*` | | x |\n",
    "include/meson.build": "files('nodewise/machine.hpp', 'nodewise/plan.hpp', 'nodewise/topology.hpp')\n",
    "include/nodewise/machine.hpp": "#pragma once\n",
    "include/nodewise/topology.hpp": "#pragma once\n",
    "include/nodewise/plan.hpp": "#include <nodewise/topology.hpp>\n",
    "lib/meson.build": "files('plan/plan.cpp', 'base/text.cpp', 'os/real.cpp')\n",
    "lib/plan/plan.cpp": '#include "plan/parts.hpp"\nint f() { return 0; }\n',
    "lib/plan/parts.hpp": '#include <nodewise/plan.hpp>\n#include "os/real.hpp"\n',
    "lib/base/text.cpp": "int snprintf(int);  // printf() and exit() in a comment are words\n",
    "lib/os/real.hpp": "#include <nodewise/machine.hpp>\n",
    "lib/os/real.cpp": '#include <sys/mman.h>\n#include "os/real.hpp"\n',
    "tests/meson.build": "foreach name : ['plan_test']\nendforeach\n",
    "tests/plan_test.cpp": "int main() {}\n",
    "tools/nodewise/meson.build": "executable('nodewise', 'main.cpp')\n",
    "tools/nodewise/main.cpp": "#include <nodewise/plan.hpp>\nint main() { std::exit(0); }\n",
}


def lines(head, count, foot="}"):
    """A block of `count` lines, head and foot included."""
    return "\n".join([head] + ["  step();"] * (count - 2) + [foot]) + "\n"


class Style(unittest.TestCase):
    def found(self, **planted):
        """Findings of the clean tree with some files replaced; `__` in a name is a slash, `_dot_` a dot."""
        files = {name.replace("__", "/").replace("_dot_", "."): text for name, text in planted.items()}
        return style.findings(CLEAN | files)

    def finds(self, expected, **planted):
        found = self.found(**planted)
        self.assertEqual(len(found), 1, found)
        self.assertIn(expected, found[0])

    def test_a_default_hides_what_an_enumerator_forgets(self):
        switch = ("int f() {{\n  switch (x) {{\n    case {}:\n      return 1;\n"
                  "    default:\n      return 0;\n  }}\n}}\n")
        for label in ("Kind::one", "nodewise::Kind::one", "plain", "Mark::two:\n    case Mark::three"):
            self.finds("tools/nodewise/main.cpp:", tools__nodewise__main_dot_cpp=switch.format(label))
            self.finds("name every enumerator", tools__nodewise__main_dot_cpp=switch.format(label))
        for label in ("0", "0x2ull", "'a'", "EINVAL", "HWLOC_OBJ_OSDEV_GPU", "1:\n    case 2"):
            self.assertEqual(self.found(tools__nodewise__main_dot_cpp=switch.format(label)), [])
        self.assertEqual(self.found(tests__plan_test_dot_cpp=switch.format("Kind::one")), [])

    def test_public_enumerations_have_names(self):
        enum = "enum class Kind : unsigned char { one, two };\n"
        named = enum + "std::string_view to_string(Kind kind) noexcept;\n"
        self.finds("enum Kind has no to_string", include__nodewise__machine_dot_hpp=enum)
        self.finds("enum Kind is not in the list", include__nodewise__machine_dot_hpp=named)
        listed = {"tests__base__names_test_dot_cpp": "Kind",
                  "tests__meson_dot_build": "'plan_test', 'base/names_test'"}
        self.assertEqual(self.found(include__nodewise__machine_dot_hpp=named, **listed), [])

    def test_a_clean_tree_has_no_finding(self):
        self.assertEqual(self.found(), [])

    def test_width_of_a_line(self):
        self.assertEqual(self.found(tests__plan_test_dot_cpp="//" + 108 * "x"), [])
        self.finds("111 columns", tests__plan_test_dot_cpp="//" + 109 * "x")

    def test_length_of_a_file(self):
        self.assertEqual(self.found(tests__plan_test_dot_cpp=500 * "\n"), [])
        self.finds("501 lines", tests__plan_test_dot_cpp=501 * "\n")

    def test_length_of_a_function(self):
        in_a_class = "namespace a {\nstruct S : T<int> {\n"
        for before, head in (("", "int f() {"), (in_a_class, "template <class U>\nvoid f(U u) const {"),
                             ("", "const auto g = [](int n) {"), ("", 'TEST_CASE("a { brace") {')):
            for count in (70, 71):
                text = before + lines(head, count - head.count("\n")) + before.count("\n") * "}\n"
                with self.subTest(head=head, count=count):
                    if count > 70:
                        self.finds("71 lines", tests__plan_test_dot_cpp=text)
                    else:
                        self.assertEqual(self.found(tests__plan_test_dot_cpp=text), [])

    def test_a_table_of_data_or_a_long_class_is_no_function(self):
        for head in ("const int table[] = {", "class A final : public B {", "enum class E : int {"):
            self.assertEqual(self.found(tests__plan_test_dot_cpp=lines(head, 90, "};")), [])

    def test_length_of_a_python_function(self):
        self.finds("71 lines", tests__a_dot_py="def f():\n" + 70 * "    x = 1\n")

    def test_unfinished_work(self):
        self.finds("finish it", tests__plan_test_dot_cpp="// TO" "DO later\n")
        self.finds("finish it", tools__dev="echo not " "implemented\n")

    def test_only_lib_os_speaks_to_the_system(self):
        for header in ("hwloc.h", "numa.h", "numaif.h", "sys/mman.h", "sched.h", "unistd.h", "fcntl.h"):
            self.finds("lib/os alone", lib__base__text_dot_cpp=f"#include <{header}>\n")

    def test_the_library_neither_prints_nor_ends(self):
        for call in ("std::cout << 1", "printf(text)", "std::fprintf(stderr, t)", "exit(1)", "abort()"):
            self.finds("neither prints nor ends", lib__base__text_dot_cpp=f"void f() {{ {call}; }}\n")

    def test_files_that_are_named_exist(self):
        for name in ("plan_cuts.cpp", "lib/plan/cuts.cpp", "plan/text.cpp", "docs/plan.md"):
            self.finds(f"names {name}", lib__plan__parts_dot_hpp=f"// As {name} says.\n")
            build = f"# {name}\n" + CLEAN["lib/meson.build"]
            self.finds("lib/meson.build:1: names", lib__meson_dot_build=build)
        self.finds("names plan/cuts.cpp", docs__plan_dot_md="see `plan/cuts.cpp`\n")
        for name in ("plan.cpp", "plan/plan.cpp", "lib/plan/plan.cpp", "../plan/plan.cpp", "main.cpp"):
            self.assertEqual(self.found(lib__plan__parts_dot_hpp=f"// As {name} says.\n",
                                        docs__a_dot_md=f"`{name}`, or train.py of yours\n"), [])
        self.assertEqual(self.found(lib__base__text_dot_cpp='int x; const char* at = "gone.hpp";\n'), [])

    def test_dead_files(self):
        self.finds("no meson.build names it", lib__base__other_dot_cpp="int x;\n")
        self.finds("no meson.build names it", lib__base__other_dot_hpp="int x;\n")
        self.finds("no meson.build names it", tests__other_test_dot_cpp="int main() {}\n")
        self.finds("no meson.build names it", lib__base__plan_dot_cpp="int x;\n",
                   lib__meson_dot_build="files('plan/plan.cpp', 'base/text.cpp', 'os/real.cpp')\n")

    def test_the_crash_test_builds_every_source_with_marks(self):
        marked = {"lib__base__mark_dot_hpp": "", "lib__plan__parts_dot_hpp": '#include "base/mark.hpp"\n'}
        self.finds("lib/plan/plan.cpp: has marks", **marked)
        self.assertEqual(self.found(tests__crash__meson_dot_build="files('../../lib/plan/plan.cpp')\n",
                                    **marked), [])

    def test_includes_run_down_the_ladder(self):
        for up in ({"lib__base__text_dot_cpp": '#include "os/real.hpp"\n'},
                   {"lib__os__real_dot_hpp": "#include <nodewise/plan.hpp>\n"},
                   {"include__nodewise__topology_dot_hpp": "#include <nodewise/plan.hpp>\n"}):
            self.finds("runs up the ladder", **up)

    def test_the_tools_include_public_headers_alone(self):
        self.finds("private to the library", tools__nodewise__main_dot_cpp='#include "os/real.hpp"\n')

    def test_every_file_stands_on_a_rung(self):
        self.finds("on no rung", lib__new_dot_cpp="int x;\n",
                   lib__meson_dot_build="files('plan/plan.cpp', 'base/text.cpp', 'os/real.cpp', 'new.cpp')\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
