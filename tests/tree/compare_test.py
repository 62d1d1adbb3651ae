"""Goal: compare.py pairs what one round measured, takes one bound for all rounds, and says pass, touches or
short by the numbers. Method: rounds made up, so that every answer is known."""
import json
import pathlib
import sys
import tempfile
import unittest

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench" / "compare"
sys.path.insert(0, str(BENCH))
import figures  # noqa: E402  (its folder is known only now)
import peers  # noqa: E402

BAR = {"what": "w", "case": "means/*", "of": ["read_*"], "at_least": 0.9}


def rounds_of(*rounds):
    """One case; each round's times by way."""
    return [{"means/dtype:f32": times} for times in rounds]


class Judging(unittest.TestCase):
    def row(self, rounds, bar=None, known=None):
        rows = figures.judge({**BAR, **(bar or {})}, rounds, known or {})
        self.assertEqual(len(rows), 1)
        return rows[0]

    def test_ratios_are_paired_within_a_round(self):
        """The machine was ten times slower in the second round; the ratio is the same."""
        row = self.row(rounds_of({"nodewise": 10, "read_a": 9.5}, {"nodewise": 100, "read_a": 95}))
        self.assertAlmostEqual(row["ratio"], 0.95)
        self.assertEqual(row["verdict"], "pass")

    def test_one_bound_for_all_rounds(self):
        """read_a is the faster one in the median, though read_b was once."""
        times = [{"nodewise": 10, "read_a": 8, "read_b": bound} for bound in (7, 9, 9)]
        row = self.row(rounds_of(*times))
        self.assertEqual(row["other"], "read_a")
        self.assertAlmostEqual(row["ratio"], 0.8)
        self.assertEqual(row["verdict"], "short")

    def test_a_bar_within_the_quartiles_is_touched(self):
        times = [{"nodewise": 10, "read_a": bound} for bound in (7, 8, 8.5, 9.5, 10)]
        self.assertEqual(self.row(rounds_of(*times))["verdict"], "touches")
        self.assertEqual(self.row(rounds_of(*times), {"at_least": 0.96})["verdict"], "short")

    def test_at_most(self):
        rounds = rounds_of({"nodewise": 11, "read_a": 10}, {"nodewise": 11, "read_a": 10})
        bar = {"what": "w", "case": "means/*", "of": ["read_*"], "at_most": 1.2}
        self.assertEqual(figures.judge(bar, rounds, {})[0]["verdict"], "pass")
        self.assertEqual(figures.judge({**bar, "at_most": 1.05}, rounds, {})[0]["verdict"], "short")

    def test_a_round_that_lacks_a_way_is_left_out(self):
        row = self.row(rounds_of({"nodewise": 10, "read_a": 10}, {"nodewise": 10}, {"read_a": 10}))
        self.assertAlmostEqual(row["ratio"], 1)

    def test_figures_and_times_by_themselves(self):
        rounds = rounds_of({"nodewise": 50})
        known = {"means/dtype:f32/nodewise": {"heap_bytes": 70000}}
        memory = {"what": "w", "case": "means/*", "figure": "heap_bytes", "at_most": 65536}
        self.assertEqual(figures.judge(memory, rounds, known)[0]["verdict"], "short")
        self.assertEqual(figures.judge(memory, rounds, {}), [])
        time = {"what": "w", "case": "means/*", "at_most_ns": 60}
        self.assertEqual(figures.judge(time, rounds, {})[0]["verdict"], "pass")

    def test_of_two_bounds_the_slower_one_counts(self):
        rounds = rounds_of({"nodewise": 10, "read_a": 8, "read_b": 7, "lanes": 9})
        for bar in ({"of": ["read_*"], "or_of": ["lanes"]}, {"of": ["lanes"], "or_of": ["read_*"]}):
            self.assertEqual(figures.judge({**BAR, **bar}, rounds, {})[0]["other"], "lanes")
        self.assertEqual(figures.judge({**BAR, "or_of": ["nobody"]}, rounds, {})[0]["other"], "read_b")

    def test_what_a_bar_leaves_out(self):
        rounds = rounds_of({"nodewise": 10, "read_a": 10})
        self.assertEqual(figures.judge({**BAR, "except": "*/dtype:f32"}, rounds, {}), [])
        self.assertEqual(figures.judge({**BAR, "case": "cache/*"}, rounds, {}), [])


class Residency(unittest.TestCase):
    def test_the_worst_of_all_rounds_counts(self):
        rounds = [{"a/nodewise": {"local_before": 1, "local": local, "heap_bytes": heap}}
                  for local, heap in ((1, 7), (0.5, 9), (1, 8))]
        self.assertEqual(figures.worst(rounds),
                         {"a/nodewise": {"local_before": 1, "local": 0.5, "heap_bytes": 9}})

    def test_what_is_said(self):
        known = {"a/nodewise": {"local_before": 1, "local": 1}, "b/nodewise": {"heap_bytes": 9}}
        self.assertIn("In all 1 cases", figures.residency(known))
        known["c/nodewise"] = {"local_before": 0.25, "local": 0.5}
        said = figures.residency(known)
        self.assertIn("In 1 of 2 cases", said)
        self.assertIn("was 0.2500, in c/nodewise.", said)
        self.assertEqual(figures.residency({}), "The kernel was not asked where the bytes were.")


class Growing(unittest.TestCase):
    def test_exponents(self):
        times = {f"plan/growth/nodes:{n}": {"nodewise": 3.0 * n**0.5} for n in (1, 4, 16)}
        times |= {f"cache/dtype:f64/kib:{kib}": {"nodewise": 7.0 * max(kib, 1024)} for kib in (32, 256, 8192)}
        self.assertEqual(figures.growth([times, times]),
                         ["| a plan, by nodes | 1 to 16 | 0.50 | at most 1 |",
                          "| the mean of one batch of f64 in cache, by KiB | 32 to 8192 | 1.00 | 1 |"])


class Bars(unittest.TestCase):
    def test_every_bar_is_whole(self):
        for bar in json.loads((BENCH / "bars.json").read_text(encoding="utf-8")):
            self.assertLessEqual({"what", "case"}, bar.keys())
            self.assertTrue({"at_least", "at_most", "at_most_ns"} & bar.keys(), bar)
            self.assertTrue({"of", "figure", "at_most_ns"} & bar.keys(), bar)


class Erring(unittest.TestCase):
    def test_errors_stand_where_both_are_known(self):
        rounds = rounds_of({"nodewise": 10, "read_a": 10})
        known = {"means/dtype:f32/nodewise": {"error": 0}}
        self.assertNotIn("ulp", "".join(figures.rows_of_bar(figures.judge(BAR, rounds, known))))
        known["means/dtype:f32/read_a"] = {"error": 12345678}
        self.assertEqual(figures.rows_of_bar(figures.judge(BAR, rounds, known))[2],
                         "| means/dtype:f32 | 10 ns | read_a | 1.00 | 1.00 to 1.00 | pass |"
                         " ours 0, theirs 1.23e+07 |")

    def test_the_error_of_a_peer_is_in_units_of_the_last_place(self):
        self.assertEqual(peers.error([1.0, 2 + 2**-50], [1.0, 2.0]), 2)


class Writing(unittest.TestCase):
    def test_the_table_goes_between_the_markers(self):
        rows = figures.judge(BAR, rounds_of({"nodewise": 10, "read_a": 8}), {})
        text = figures.table(rows, {"machine": {"CPU(s)": "2"}, "load_after": 0.1, "rounds": [{}],
                                    "contexts": {}, "figures": {}})
        self.assertIn("| means/dtype:f32 | 10 ns | read_a | 0.80 | 0.80 to 0.80 | short |", text)
        self.assertIn("1 figures: 0 pass, 0 touch their bar, 1 are short.", text)
        with tempfile.TemporaryDirectory() as folder:
            page = pathlib.Path(folder) / "page.md"
            page.write_text(f"before\n{figures.BEGIN}\nold\n{figures.END}\nafter\n", encoding="utf-8")
            figures.write(page, text)
            self.assertEqual(page.read_text(encoding="utf-8"),
                             f"before\n{figures.BEGIN}\n{text}{figures.END}\nafter\n")
            page.write_text("no markers\n", encoding="utf-8")
            with self.assertRaises(SystemExit):
                figures.write(page, text)
            self.assertEqual(page.read_text(encoding="utf-8"), "no markers\n")


if __name__ == "__main__":
    unittest.main(verbosity=2)
