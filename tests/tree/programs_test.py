#!/usr/bin/env python3
"""Goal: every benchmark program runs, and every bar has a case that it judges. Method: compare.py on a build,
with little data and no patience; what it measures so means nothing.

    programs_test.py BUILD
"""
import fnmatch
import importlib.util
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPARE = ROOT / "bench" / "compare"
BUILD = pathlib.Path(sys.argv.pop(1))
BARS = json.loads((COMPARE / "bars.json").read_text(encoding="utf-8"))
# Those who need not be there.
OPTIONAL = {"eigen", "eigen_float", "tbb", "std_reduce", "numpy_f64", "numpy_float", "numpy_each", "np_load",
            "torch_f64", "torch_float", "likwid_load", "mimalloc", "jemalloc",
            "spsc_queue", "message_queue", "mp_queue", "mp_slots", "nodewise_python"}
SMALL = {"NODEWISE_BENCH_MIB": "8", "NODEWISE_BENCH_SECONDS": "0"}


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.folder = pathlib.Path(folder.name)
        page = cls.folder / "page.md"
        page.write_bytes((ROOT / "docs" / "performance.md").read_bytes())
        # The largest reservations take seconds, whatever the size.
        run = subprocess.run([sys.executable, COMPARE / "compare.py", BUILD, "--rounds", "2",
                              "--filter=-reserved_(tib|gib:64)", "--write", page, "--plots", cls.folder,
                              "--keep", cls.folder / "compare.json"],
                             capture_output=True, text=True, check=False, env={**os.environ, **SMALL})
        if run.returncode != 0:
            raise AssertionError(f"compare.py failed: {run.stdout}{run.stderr}")
        cls.page = page.read_text(encoding="utf-8")
        cls.result = json.loads((cls.folder / "compare.json").read_text(encoding="utf-8"))
        cls.one_node = len(cls.result["topology"]) < 2

    def test_every_program_ran(self):
        ran = {name for name, context in self.result["contexts"].items() if context}
        if self.one_node:
            ran.add("variants_bench")
        self.assertEqual(ran, {path.stem for path in (ROOT / "bench").glob("*_bench.cpp")})
        self.assertEqual(len(self.result["rounds"]), 2)

    def test_every_bar_has_its_cases_and_stands_in_the_table(self):
        measured = self.result["rounds"][0]
        for bar in BARS:
            with self.subTest(bar["what"]):
                cases = fnmatch.filter(measured, bar["case"])
                if self.one_node and bar["case"].startswith("variants/"):
                    self.assertEqual(cases, [])
                    continue
                self.assertNotEqual(cases, [])
                known = {way for case in cases for way in measured[case]}
                sides = [bar.get("of", ["nodewise"]), bar.get("ours", ["nodewise"])]
                absent = [side for side in sides if not any(fnmatch.filter(known, way) for way in side)]
                if absent:
                    self.assertLessEqual(set(absent[0]), OPTIONAL)
                else:
                    self.assertIn(f"**{bar['what'][0].upper()}{bar['what'][1:]}: at ", self.page)

    def test_residency_and_errors_are_recorded(self):
        figures = self.result["figures"]
        large = "means/dtype:f32/mib:8/threads:1"
        self.assertLessEqual({"local_before", "local", "huge_pages"}, figures[f"{large}/nodewise"].keys())
        self.assertEqual(figures[f"{large}/nodewise"]["error"], 0)
        for way in {"omp_simd", "eigen_float", "numpy_float"} & self.result["rounds"][0][large].keys():
            self.assertEqual(figures[f"{large}/{way}"]["error"] > 1000, way.endswith("_float"), way)

    @unittest.skipUnless(importlib.util.find_spec("matplotlib"),
                         "no plot can be drawn: the package python3-matplotlib is not installed")
    def test_every_plot_that_the_page_shows_is_drawn(self):
        shown = set(re.findall(r"\(plots/([\w-]+\.svg)\)", self.page))
        self.assertEqual({path.name for path in self.folder.glob("*.svg")}, shown)


if __name__ == "__main__":
    unittest.main(verbosity=2)
