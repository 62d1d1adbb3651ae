#!/usr/bin/env python3
"""Goal: the command as scripts and people meet it: exit codes, JSON, messages, files, terminals. Method: the
real program on real input, here and under a filter like Docker's; nothing is stubbed."""
import array
import ast
import errno
import json
import math
import os
import pathlib
import re
import resource
import signal
import struct
import subprocess
import time
import unittest

from command import COMMAND, DIGITS, DOCKER_FILTER, SOURCE, Case, answer, environment, nodewise, on_a_terminal

CPUS = len(os.sched_getaffinity(0))
SUBCOMMANDS = ("topology", "plan", "run", "generate", "placement", "segments", "doctor", "count")
FOUR_NODES = "numa:4 core:2 pu:1"


class Usage(Case):
    def test_help_of_every_subcommand_has_examples(self):
        for subcommand in SUBCOMMANDS:
            code, out, err = nodewise(subcommand, "--help")
            self.assertEqual((code, err), (0, ""))
            self.assertIn(f"Examples\n  nodewise {subcommand if subcommand != 'placement' else 'run'}", out)

    def test_help_names_subcommands_and_exit_codes(self):
        code, out, _ = nodewise("--help")
        self.assertEqual(code, 0)
        for word in (*SUBCOMMANDS, "Exit codes: 0 done, 1"):
            self.assertIn(word, out)

    def test_version(self):
        code, out, _ = nodewise("--version")
        self.assertEqual(code, 0)
        for pattern in (r"\Anodewise \d+\.\d+\.\d+\n", r"^OpenMP +lib\w+, OpenMP", r"^hwloc +\d",
                        r"^vector dispatch +\w", r"^features +npy"):
            self.assertRegex(out, re.compile(pattern, re.M))

    def test_wrong_usage(self):
        for line, pattern in (
                ("", r"nodewise: A subcommand is required"),
                ("rnu", r'nodewise: there is no subcommand "rnu"; there are topology, plan, run'),
                ("run", r"nodewise run: FILE is required; see nodewise run --help"),
                (f"run {DIGITS}", r"nodewise run: --batch-size is required"),
                (f"run {DIGITS} --plan x --binding required", r"--binding excludes --plan"),
                (f"run {DIGITS} --plan x --batch-size 7", r"--batch-size excludes --plan"),
                ("plan --batch-size 7", r"give either a FILE, or --samples"),
                (f"plan {DIGITS} --batch-size 7 --samples 3", r"give either a FILE, or --samples"),
                ("plan --samples 3 --batch-size 7", r"--features and --dtype are needed"),
                ("plan --samples 3 --features 0 --dtype u8 --batch-size 7", r"feature"),
                (f"plan --samples {2**63} --features 9 --dtype u8 --batch-size 7", r"64 bits"),
                ("topology --topology nonsense:3", r"nonsense:3"),
                ("topology --topology /nowhere/x.xml", r"/nowhere/x.xml.*ENOENT"),
                ("placement", r"--pid or --segment is required"),
                ("placement --pid 1 --segment x", r"--pid excludes --segment"),
                ("placement --segment no.such", r'no segment "no.such"; `.*nodewise segments` lists'),
                ("segments gc --older-than 3x", r"is not a time such as 30s"),
                ("segments gc --older-than 200000d", r"is not a time such as 30s"),
                ("segments remove no.such", r'there is no segment "no.such"'),
                (f"run {DIGITS} --batch-size 7 --keep", r"--keep requires --segment"),
                (f"run {DIGITS} --batch-size 7 --segment a/b", r'"a/b" cannot be a segment'),
                ("placement --pid 999999999", r"there is no such process"),
                ("doctor --fail-on panic", r"panic"),
                ("generate /nowhere/x.npy --samples 1 --features 1 --dtype u8", r"ENOENT"),
                ("generate x --features 1 --dtype u8", r"either --samples or --bytes"),
                ("generate x --bytes 7 --features 1 --dtype f64", r"less than one sample of 8 bytes"),
                (f"run {DIGITS} --batch-size 7 --topology numa:2", r"`nodewise plan --topology` shows"),
                ("generate x --samples 1 --features 1", r"--dtype is required")):
            with self.subTest(line=line):
                self.assert_fails(2, pattern, *line.split())

    def test_values_that_flags_refuse(self):
        for value, pattern in (
                ("--speed 9", r"--speed"),
                ("--batch-size -7", r'--batch-size: "-7" is not a whole number'),
                ("--batch-size 010x", r"is not a whole number"),
                ("--batch-size 99999999999999999999", r"is not a whole number"),
                ("--batch-size 0", r"at least one sample"),
                ("--workers 0", r"--workers 0"),
                ("--require-local 1.5", r"a number from 0 to 1"),
                ("--require-local nan", r"a number from 0 to 1"),
                ("--policy interleaved --require-local 1", r"promises no locality"),
                ("--nodes 0,77", r"there is no node 77 on this machine; it has 0"),
                ("--nodes a", r"a list of nodes such as"),
                ("--weights 1,,2", r"one number for each node"),
                ("--weights " + "1," * 99 + "1", r"run: weights given: 100, target nodes: \d+;"),
                ("--weights 1,-2", r"one number for each node"),
                ("--pages big", r"auto\|base\|transparent\|hugetlb"),
                ("--dtype f33", r"one of f64, f32"),
                ("--dtype f64", r"holds u8, not f64")):
            size = () if "--batch-size" in value else ("--batch-size", "7")
            with self.subTest(value=value):
                self.assert_fails(2, pattern, "run", DIGITS, *size, *value.split())
        for value, pattern in (("3Q", r"is not a size such as"), ("3K", r"power of two")):
            self.assert_fails(2, pattern, "plan", DIGITS, "--batch-size", 7, "--page-bytes", value)

    def test_files_that_are_refused(self):
        short = self.folder / "short.npy"
        short.write_bytes((SOURCE / DIGITS).read_bytes()[:5000])
        for file, pattern in (("nowhere.npy", r"nowhere.npy.*ENOENT"), ("LICENSE", r"\(\.npy\).*begins with"),
                              ("tests", r"EISDIR"), (short, r"short.npy")):
            for subcommand in ("run", "plan"):
                self.assert_fails(2, pattern, subcommand, file, "--batch-size", 8)

    def test_environment_sets_defaults_and_flags_go_before_it(self):
        bad = {"NODEWISE_BINDING": "perhaps"}
        self.assert_fails(2, r'NODEWISE_BINDING is "perhaps"', "run", DIGITS, "--batch-size", 8, env=bad)
        good = answer("run", DIGITS, "--batch-size", 8, env={"NODEWISE_BINDING": "required"})
        self.assertEqual(good["placement"]["binding"], "required")
        flag = answer("run", DIGITS, "--batch-size", 8, "--binding", "preferred", env=bad)
        self.assertEqual(flag["placement"]["binding"], "preferred")
        planned = answer("plan", DIGITS, "--batch-size", 8, env={"NODEWISE_BINDING": "required"})
        self.assertEqual(planned["binding"], "required")


class Run(Case):
    def test_means_of_the_digits(self):
        expected = json.loads((SOURCE / "tests/data/digits_means.json").read_text())
        for batch_size, values in expected.items():
            result = answer("run", DIGITS, "--batch-size", batch_size)
            self.assertEqual(len(result["means"]), len(values["means"]))
            for mean, exact in zip(result["means"], values["means"]):
                self.assertLessEqual(abs(mean - exact), math.ulp(exact))
            self.assertEqual([round(mean, 4) for mean in result["means"]], values["rounded"])

    def test_json_has_the_documented_members(self):
        result = answer("run", DIGITS, "--batch-size", 100)
        self.assertEqual(list(result), ["schema", "input", "batch_size", "num_batches", "sum_order",
                                        "scheduling", "means", "placement", "team", "orphans", "timing"])
        self.assertEqual(result["schema"], "nodewise.run/1")
        self.assertEqual(result["input"], {"path": DIGITS, "samples": 1797, "features": 64, "dtype": "u8"})
        self.assertEqual((result["batch_size"], result["num_batches"]), (100, 18))
        placement = result["placement"]
        for name in ("policy", "binding", "placing_rung", "asking_rung", "granularity", "page_bytes",
                     "planned_bytes", "local_bytes", "misplaced_bytes", "cut_bytes", "absent_bytes",
                     "unknown_bytes", "local_fraction", "nodes", "batches", "degradations"):
            self.assertIn(name, placement)
        self.assertNotIn("schema", placement)
        parts = ("local_bytes", "misplaced_bytes", "cut_bytes", "absent_bytes", "unknown_bytes")
        for part in (placement, *placement["nodes"]):
            self.assertIsNone(part["on_target_bytes"])
            self.assertEqual(part["planned_bytes"], sum(part[name] for name in parts))
        self.assertEqual(placement["planned_bytes"], 1797 * 64)
        for node in placement["nodes"]:
            self.assertLessEqual({"host", "rank", "node", "os_index"}, set(node))
        read = sum(w["local_bytes"] + w["remote_bytes"] + w["unknown_bytes"] for w in result["team"])
        self.assertEqual(read, 1797 * 64)
        self.assertEqual(list(result["team"][0])[:6], ["host", "rank", "worker", "node", "os_index", "cpu"])
        self.assertTrue(all(seconds >= 0 for seconds in result["timing"].values()))

    def test_without_means(self):
        result = answer("run", DIGITS, "--batch-size", 100, "--no-means")
        self.assertNotIn("means", result)
        self.assertEqual(sum(worker["local_bytes"] for worker in result["team"]), 0)

    def test_what_json_cannot_say_is_a_string(self):
        values = array.array("d", [math.nan, 1.0, math.inf, 2.0, -math.inf, 3.0, 0.1, 0.2])
        header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (8, 1), }".ljust(117) + b"\n"
        path = self.folder / "odd.npy"
        path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + values.tobytes())
        means = answer("run", path, "--batch-size", 2)["means"]
        self.assertEqual(means[:3], ["NaN", "Infinity", "-Infinity"])
        self.assertAlmostEqual(means[3], 0.15)

    def test_human_output_answers_the_first_questions(self):
        code, out, err = nodewise("run", DIGITS, "--batch-size", 32)
        self.assertEqual((code, err), (0, ""))
        for pattern in (r"^Data +tests/data/digits.npy: 1797 samples x 64 features of u8 .* in 57 batches",
                        r"^Machine +this machine: \d+ nodes? \(", r"^node \d+ +batch(es)? 0",
                        r"^Example +batch 7 lies on node \d+", r"^Means +\d\.\d+  ",
                        r"^bytes on +planned +local +misplaced +cut +absent +unknown$",
                        r"^Verdict +\S", r"^Next$", r"--require-local 0.99 --json$"):
            self.assertRegex(out, re.compile(pattern, re.M))

    def test_what_a_newcomer_may_overlook_is_said(self):
        for subcommand in ("run", "plan"):
            out = nodewise(subcommand, DIGITS, "--batch-size", 5000)[1]
            self.assertIn("in 1 batch of 5000, which is not full", out)
        if len(answer("topology")["nodes"]) == 1:
            self.assert_fails(3, r"needs workers on two nodes", "run", DIGITS, "--batch-size", 7,
                              "--negative-control")

    def test_a_pipe_is_refused_and_not_waited_for(self):
        os.mkfifo(self.folder / "pipe.npy")
        self.assert_fails(2, r"pipe.npy is a pipe", "run", self.folder / "pipe.npy", "--batch-size", 7)

    def test_require_local(self):
        self.assertEqual(nodewise("run", DIGITS, "--batch-size", 32, "--require-local", "0.5")[0], 0)

    def test_a_team_of_any_size_gives_the_same_bits(self):
        means = [answer("run", DIGITS, "--batch-size", 100, "--workers", n)["means"] for n in (1, 2, 5)]
        self.assertEqual(means[0], means[1])
        self.assertEqual(means[0], means[2])
        helping = answer("run", DIGITS, "--batch-size", 100, "--workers", 5, "--scheduling", "stealing")
        self.assertEqual((helping["means"], helping["scheduling"]), (means[0], "stealing"))

    def test_interleaved_promises_nothing(self):
        result = answer("run", DIGITS, "--batch-size", 100, "--policy", "interleaved")
        placement = result["placement"]
        for part in (placement, *placement["nodes"]):
            self.assertIsNone(part["local_bytes"])
        self.assertIsNone(placement["local_fraction"])
        self.assertNotIn("local", [run["state"] for run in placement["batches"]])
        out = nodewise("run", DIGITS, "--batch-size", 100, "--policy", "interleaved")[1]
        self.assertIn("interleaving promises no locality", out)

    def test_a_saved_plan_is_replayed_and_a_foreign_one_refused(self):
        here, elsewhere = self.folder / "here.json", self.folder / "elsewhere.json"
        nodewise("plan", DIGITS, "--batch-size", 50, "--save", here)
        out = nodewise("plan", DIGITS, "--batch-size", 50, "--save", elsewhere, "--topology", FOUR_NODES)[1]
        self.assertRegex(out, r"\nSaved +\S+elsewhere.json, for the machine with fingerprint [0-9a-f]{16}\n")
        result = answer("run", DIGITS, "--plan", here)
        self.assertEqual((result["batch_size"], result["num_batches"]), (50, 36))
        self.assert_fails(3, r"fingerprint|machine", "run", DIGITS, "--plan", elsewhere)
        self.assert_fails(2, r"ENOENT", "run", DIGITS, "--plan", self.folder / "none.json")
        self.assert_fails(2, r"--plan LICENSE is not a saved plan: JSON", "run", DIGITS, "--plan", "LICENSE")
        self.assert_fails(2, r"would replace the data", "plan", DIGITS, "--batch-size", 9, "--save", DIGITS)
        other = self.generate("other.npy", "--samples", 10, "--features", 64, "--dtype", "u8")
        self.assert_fails(2, r"is for 1797 x 64 of u8, .* holds 10 x 64 of u8", "run", other, "--plan", here)

    def test_a_required_page_kind_that_is_not_there_is_an_unmet_requirement(self):
        pools = pathlib.Path("/sys/kernel/mm/hugepages")
        if any(int((pool / "free_hugepages").read_text()) for pool in pools.glob("hugepages-*")):
            self.skipTest("huge pages are set aside here")
        words = ("run", DIGITS, "--batch-size", 50, "--pages", "hugetlb")
        self.assert_fails(1, r"huge page", *words, "--binding", "required")
        result = answer(*words)
        self.assertIn("huge-pages-short", [lost["name"] for lost in result["placement"]["degradations"]])

    def test_holding_says_where_to_look(self):
        words = [COMMAND, "run", DIGITS, "--batch-size", "50", "--hold", "3"]
        with subprocess.Popen(words, cwd=SOURCE, env=environment(), stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, text=True) as run:
            line = run.stderr.readline()
            found = re.match(r"nodewise run: holding for 3 s; pid (\d+); data at 0x\w+-0x\w+; look with: "
                             r"\S+ placement --pid (\d+)\n", line)
            self.assertTrue(found, line)
            self.assertEqual((int(found[1]), int(found[2])), (run.pid, run.pid))
            process = answer("placement", "--pid", run.pid)
            run.communicate()
        self.assertEqual(run.returncode, 0)
        self.assertEqual((process["schema"], process["pid"], process["command"]),
                         ("nodewise.process/1", run.pid, "nodewise"))
        self.assertEqual(sum(node["bytes"] for node in process["nodes"]),
                         sum(mapping["bytes"] for mapping in process["mappings"]))
        self.assertIn("prefer", " ".join(mapping["policy"] for mapping in process["mappings"]))


class UnderDockersFilter(Case):
    def setUp(self):
        super().setUp()
        if nodewise("--version", under=DOCKER_FILTER)[0] == 125:
            self.skipTest("SKIP: this kernel takes no seccomp filter")

    def test_run_goes_on_by_the_next_rungs_and_says_so(self):
        words = ("run", DIGITS, "--batch-size", 32)
        placement = answer(*words, "--require-local", "0.5", under=DOCKER_FILTER)["placement"]
        self.assertEqual((placement["placing_rung"], placement["asking_rung"], placement["granularity"]),
                         ("first_touch", "numa_maps", "shard"))
        lost = {item["name"]: item["errno"] for item in placement["degradations"]}
        self.assertEqual(lost, {"mbind-refused": errno.EPERM, "move_pages-refused": errno.EPERM})
        out = nodewise(*words, under=DOCKER_FILTER)[1]
        self.assertIn("placed by first_touch, verified by numa_maps, shard by shard", out)
        self.assertRegex(out, r"(?m)^Degraded mbind-refused: ")
        self.assertRegex(out, r"(?m)^Next\n .* doctor$")

    def test_doctor_names_each_call(self):
        report = answer("doctor", under=DOCKER_FILTER)
        levels = {finding["name"]: finding["level"] for finding in report["findings"]}
        calls = ("mbind", "set_mempolicy", "get_mempolicy", "move_pages", "sched_setaffinity")
        self.assertEqual([levels[f"call-{call}"] for call in calls],
                         ["warning", "note", "note", "warning", "ok"])
        some = answer("doctor", under=[*DOCKER_FILTER, "--allow", "mbind"])
        self.assertEqual([f["level"] for f in some["findings"] if f["name"] == "call-mbind"], ["ok"])

    def test_findings_fail_only_where_asked_to(self):
        self.assertEqual(nodewise("doctor", under=DOCKER_FILTER)[0], 0)
        self.assertEqual(nodewise("doctor", "--fail-on=problem", under=DOCKER_FILTER)[0], 0)
        code, out, err = nodewise("doctor", "--fail-on=warning", under=DOCKER_FILTER)
        self.assertEqual(code, 1)
        self.assertIn("the worst finding is a warning", err)
        self.assertIn("call-mbind", out)


class Doctor(Case):
    def test_every_finding_has_evidence_and_what_is_not_ok_a_remedy(self):
        report = answer("doctor", env={"OMP_NUM_THREADS": "1", "OMP_PROC_BIND": "close"})
        self.assertEqual(report["schema"], "nodewise.doctor/1")
        names = [finding["name"] for finding in report["findings"]]
        for name in ("autonuma", "transparent-huge-pages", "huge-page-pools", "cpuset", "cpu-quota", "memory",
                     "shared-memory", "remove-ipc", "open-files", "mappings", "call-mbind", "call-move_pages",
                     "omp-threads", "omp-binding", "omp-waiting", "openmp-runtimes", "memlock"):
            self.assertIn(name, names)
        for finding in report["findings"]:
            self.assertIn(finding["level"], ("ok", "note", "warning", "problem"))
            self.assertTrue(finding["evidence"], finding)
            if finding["level"] in ("warning", "problem"):
                self.assertTrue(finding["remedy"], finding)

    def test_variables_of_openmp(self):
        def level(name, **variables):
            findings = answer("doctor", env=variables)["findings"]
            return next(finding["level"] for finding in findings if finding["name"] == name)
        self.assertEqual(level("omp-binding"), "ok")
        self.assertEqual(level("omp-binding", OMP_PROC_BIND="close"), "note")
        self.assertEqual(level("omp-waiting", OMP_WAIT_POLICY="active", OMP_NUM_THREADS="999"), "warning")
        self.assertEqual(level("omp-threads", OMP_NUM_THREADS="999"), "ok")
        for ignored in ("abc", "-1", "0", "2;1", "3,x", "5,"):
            self.assertEqual(level("omp-threads", OMP_NUM_THREADS=ignored), "warning", ignored)
        self.assertEqual(level("workers"), "ok")
        too_small = level("workers", OMP_STACKSIZE="16k", NODEWISE_WORKERS="2")
        self.assertEqual(too_small, "problem" if CPUS > 1 else "ok")


class Threads(Case):
    """Threads that cannot be started: exit code 3 and one line. OpenMP itself would end the process with 1,
    which means a requirement that is not met."""

    def check_refusal(self, says, under=(), **variables):
        words = ("run", DIGITS, "--batch-size", 32, "--workers", 2)
        code, out, err = nodewise(*words, env=variables, under=under)
        self.assertEqual((code, out), (3, ""), err)
        self.assertEqual(len(err.splitlines()), 1, err)
        self.assertIn(says, err)

    def setUp(self):
        if CPUS < 2:
            self.skipTest("one CPU: a team has one thread")

    def test_stacks(self):
        self.check_refusal("OMP_STACKSIZE=16k", OMP_STACKSIZE="16k")
        self.check_refusal("stacks of 100 GiB", OMP_STACKSIZE="100G")
        self.check_refusal("RLIMIT_AS (ulimit -v)", OMP_STACKSIZE="4G",
                           under=["bash", "-c", 'ulimit -v 2000000; exec "$@"', "bash"])
        self.check_refusal("RLIMIT_DATA (ulimit -d)", OMP_STACKSIZE="4G",
                           under=["bash", "-c", 'ulimit -d 2000000; exec "$@"', "bash"])

    def test_a_cpu_that_is_not_there(self):
        none = os.cpu_count()  # libgomp ignores numbers beyond the kernel's mask, which has whole words
        if none % 64 == 0:
            self.skipTest("libgomp ignores the first CPU that is not there")
        self.check_refusal("GOMP_CPU_AFFINITY", GOMP_CPU_AFFINITY=str(none))

    def test_a_control_group_that_allows_one_thread(self):
        group = pathlib.Path(f"/sys/fs/cgroup/pids/nodewise-test-{os.getpid()}")
        try:
            group.mkdir()
        except OSError as error:
            self.skipTest(f"no control group of one's own: {error}")
        self.addCleanup(group.rmdir)
        (group / "pids.max").write_text("1")
        self.check_refusal("pids.max of /sys/fs/cgroup/pids/nodewise-test",
                           under=["sh", "-c", f'echo $$ >{group}/tasks; exec "$@"', "sh"])

    def test_a_user_who_may_start_no_more(self):
        if os.geteuid() != 0:
            self.skipTest("only root can become a user without processes")
        alone = 'ulimit -u 1; exec setpriv --reuid 65533 --clear-groups "$@"'
        self.check_refusal("RLIMIT_NPROC (ulimit -u) = 1", under=["bash", "-c", alone, "bash"])


class Topology(Case):
    def test_json_of_this_machine(self):
        machine = answer("topology")
        self.assertEqual(machine["schema"], "nodewise.topology/1")
        self.assertTrue(machine["is_this_machine"])
        self.assertEqual(len(machine["distances"]), len(machine["nodes"]))
        self.assertRegex(machine["fingerprint"], r"\A[0-9a-f]{16}\Z")
        for node in machine["nodes"]:
            self.assertLessEqual({"host", "rank", "node", "os_index", "cpus", "allowed_cpus", "memory_bytes",
                                  "free_bytes", "page_pools"}, set(node))

    def test_json_of_another_machine(self):
        machine = answer("topology", "--topology", FOUR_NODES)
        self.assertFalse(machine["is_this_machine"])
        self.assertEqual([node["cpus"] for node in machine["nodes"]], ["0-1", "2-3", "4-5", "6-7"])
        self.assertEqual([node["host"] for node in machine["nodes"]], [None] * 4)

    def test_plans_name_the_machine_they_are_for(self):
        plan = answer("plan", DIGITS, "--batch-size", 32, "--topology", FOUR_NODES)
        self.assertEqual(plan["schema"], "nodewise.plan/1")
        self.assertEqual(plan["fingerprint"], answer("topology", "--topology", FOUR_NODES)["fingerprint"])

    def test_a_required_binding_that_cannot_be_is_an_unmet_requirement(self):
        words = ("plan", "--samples", 10**6, "--features", 64, "--dtype", "f32", "--batch-size", 4096,
                 "--topology", "numa:2(memory=64MB) core:2 pu:1")
        self.assertEqual(nodewise(*words)[0], 0)
        self.assert_fails(1, r"node 0", *words, "--binding", "required")


def element_types():
    """As the command lists them where it refuses another one."""
    message = nodewise("generate", "x", "--dtype", "f33")[2]
    return re.search(r"is not one of ([\w, ]+)", message)[1].split(", ")


class Generate(Case):
    def test_the_header_is_numpys_and_the_bytes_are_the_same_every_time(self):
        for dtype in element_types():
            kind, width = ("u", 2) if dtype == "bf16" else (dtype[0], int(dtype[1:]) // 8)
            descr = f"{'|' if width == 1 else '<'}{kind}{width}"
            words = ("--samples", 1000, "--features", 3, "--dtype", dtype)
            first = self.generate(f"{dtype}-1.npy", *words).read_bytes()
            self.assertEqual(first, self.generate(f"{dtype}-2.npy", *words).read_bytes())
            self.assertNotEqual(first, self.generate(f"{dtype}-3.npy", *words, "--seed", 1).read_bytes())
            self.assertEqual(first[:8], b"\x93NUMPY\x01\x00")
            length, = struct.unpack("<H", first[8:10])
            self.assertEqual((10 + length) % 64, 0)
            header = ast.literal_eval(first[10:10 + length].decode())
            self.assertEqual(header, {"descr": descr, "fortran_order": False, "shape": (1000, 3)})
            self.assertEqual(len(first) - 10 - length, 3000 * width)

    def test_its_help_names_every_element_type(self):
        self.assertIn(", ".join(element_types()), " ".join(nodewise("generate", "--help")[1].split()))

    def test_what_it_writes_runs(self):
        for dtype in set(element_types()) - {"bf16"}:
            path = self.generate(f"{dtype}.npy", "--samples", 3000, "--features", 5, "--dtype", dtype)
            result = answer("run", path, "--batch-size", 1000)
            self.assertEqual(result["input"]["dtype"], dtype)
            middle = 0.5 if dtype.startswith("f") else 50
            for mean in result["means"]:
                self.assertAlmostEqual(mean, middle, delta=middle / 20)
        path = self.generate("bf16.npy", "--samples", 3000, "--features", 5, "--dtype", "bf16")
        self.assertEqual(answer("run", path, "--batch-size", 3000)["input"]["dtype"], "u16")
        brain = answer("run", path, "--batch-size", 3000, "--dtype", "bf16")
        self.assertEqual(brain["input"]["dtype"], "bf16")
        self.assertAlmostEqual(brain["means"][0], 0.5, delta=0.02)

    def test_sizes_have_units(self):
        for text, size in (("64KiB", 65536), ("1.5K", 1536), ("3kB", 3000), ("1M", 1 << 20), ("800", 800)):
            path = self.generate(f"{size}.npy", "--bytes", text, "--features", 1, "--dtype", "f64")
            self.assertEqual(path.stat().st_size - 128, size // 8 * 8)

    def test_an_existing_file_is_replaced_by_force_alone(self):
        words = ("--samples", 5, "--features", 1, "--dtype", "u8")
        path = self.generate("once.npy", *words)
        before = path.read_bytes()
        self.assert_fails(2, r"once.npy exists; --force", "generate", path, *words, "--seed", 9)
        self.assertEqual(path.read_bytes(), before)
        nodewise("generate", path, *words, "--seed", 9, "--force")
        self.assertNotEqual(path.read_bytes(), before)

    def test_a_failed_write_leaves_nothing(self):
        def small_files_only():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        words = ("generate", self.folder / "big.npy", "--bytes", "8MiB", "--features", 1, "--dtype", "f64")
        text = r"cannot be written.*EFBIG.*ulimit -f. allows files of 1048576 bytes"
        self.assert_fails(3, text, *words, preexec_fn=small_files_only)
        self.assertEqual(list(self.folder.iterdir()), [])


class Output(Case):
    def test_colour_on_a_terminal_only_and_never_with_no_color(self):
        words = ("run", DIGITS, "--batch-size", "32")
        self.assertNotIn("\033[", nodewise(*words, env={"TERM": "xterm"})[1])
        self.assertIn("\033[32m", on_a_terminal(*words)[0])
        self.assertNotIn("\033[", on_a_terminal(*words, NO_COLOR="1")[0])

    def test_progress_on_a_terminal_only(self):
        words = ("run", DIGITS, "--batch-size", "32", "--hold", "1.5")
        self.assertIn("holding [", on_a_terminal(*words)[0])
        self.assertNotIn("holding [", nodewise(*words)[2])

    def test_a_reader_that_goes_away_is_no_error(self):
        line = f"'{COMMAND}' run {DIGITS} --batch-size 1 --json | head -c 10; echo ${{PIPESTATUS[0]}}"
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=SOURCE,
                              env=environment())
        self.assertEqual((done.stdout.splitlines()[-1][-1], done.stderr), ("0", ""))

    def test_an_output_that_cannot_be_written_is_one(self):
        with open("/dev/full", "w") as full:
            done = subprocess.run([COMMAND, "topology"], stdout=full, stderr=subprocess.PIPE, text=True)
        self.assertEqual(done.returncode, 3)
        self.assertIn("ENOSPC", done.stderr)

    def test_errors_are_one_line_whatever_the_name(self):
        self.assert_fails(2, r"no\\u000asuch\\u001b", "run", "no\nsuch\033[31m", "--batch-size", 3)

    def test_a_name_cannot_steer_the_terminal(self):
        path = self.folder / "a\033[31mb.npy"
        path.write_bytes((SOURCE / DIGITS).read_bytes())
        for subcommand in ("run", "plan"):
            out = nodewise(subcommand, path, "--batch-size", 100)[1]
            self.assertIn(r"a\u001b[31mb.npy: 1797 samples", out)
            self.assertNotIn("\033", out)


if __name__ == "__main__":
    unittest.main(verbosity=2)
