#!/usr/bin/env python3
"""Segments that the library makes, read and written by python/nodewise_segment.py.

Goal: Python sees every element of every type where it lies, C++ sees what Python writes, no reader's end
takes a segment from others, the last holder's takes its name, and what is being made is waited for.
Method: segment_peer makes segments and holds them in a process of its own; expected values and means are
Python's own.

Usage: segment_python_test.py SEGMENT_PEER PYTHON_FOLDER
"""
import fcntl
import fractions
import os
import pathlib
import pickle
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))

from segments import BATCH_SIZE, BATCHES, COUNT, READER, SHAPE, SegmentTest, bits_of_bf16, make_values, pack
import nodewise_segment
from nodewise_segment import ELEMENTS, SegmentError, open_segment
from own_names import remove_openmp_file

try:
    import numpy
except ImportError:
    numpy = None

OPEN_AND = "import sys, os, signal; sys.path.insert(0, sys.argv[1]); import nodewise_segment as n; " \
           "s = n.open_segment(sys.argv[2]); "


def batches_of(values):
    step = BATCH_SIZE * SHAPE[1]
    return [values[begin : begin + step] for begin in range(0, len(values), step)]


def exact_mean(values):
    return float(sum(map(fractions.Fraction, values)) / len(values))


def rows_of(values):
    return [values[begin : begin + SHAPE[1]] for begin in range(0, len(values), SHAPE[1])]


class Elements(SegmentTest):
    def check_batch(self, segment, i, values):
        view = segment.batch(i)
        self.assertTrue(view.readonly)
        raw = bytes(view)
        self.assertEqual(raw, pack(segment.dtype, values))
        code = ELEMENTS[segment.dtype].code
        if code is None or (code == "e" and sys.version_info < (3, 12)):
            self.assertEqual((view.format, view.shape), ("B", (len(values) // SHAPE[1], SHAPE[1], 2)))
        else:
            self.assertEqual((view.format, view.shape), (code, (len(values) // SHAPE[1], SHAPE[1])))
            self.assertEqual(view.tolist(), rows_of(values))
        self.assertEqual(nodewise_segment.decode(segment.dtype, raw), values)
        with self.assertRaises(TypeError):
            view[(0,) * view.ndim] = 0

    def check_array(self, segment, i, values):
        array = segment.array(i)
        self.assertEqual(array.dtype, ELEMENTS[segment.dtype].numpy)
        with self.assertRaises(ValueError):
            array[0, 0] = 0
        if segment.dtype == "bf16":
            array = (array.astype("u4") << 16).view("f4")
        self.assertEqual(array.tolist(), rows_of(values))

    def test_every_element_of_every_type(self):
        for dtype in ELEMENTS:
            with self.subTest(dtype):
                name, values = self.new_name(dtype), make_values(dtype, self.rng)
                peer = self.hold(name, dtype, values)
                with open_segment(name) as segment:
                    self.assertEqual((segment.shape, segment.dtype), (SHAPE, dtype))
                    self.assertEqual((segment.batch_size, segment.num_batches), (BATCH_SIZE, BATCHES))
                    for i, batch in enumerate(batches_of(values)):
                        self.check_batch(segment, i, batch)
                        if numpy:
                            self.check_array(segment, i, batch)
                    for i in (-1, BATCHES, 1 << 70):
                        self.assertRaises(IndexError, segment.batch, i)
                self.assertEqual(peer.end(), list(map(exact_mean, batches_of(values))))

    def test_as_a_sequence(self):
        """Its length is that of its batches, [i] and iteration give them, and flat() is all of it."""
        for dtype in ELEMENTS:
            with self.subTest(dtype):
                name, values = self.new_name(dtype), make_values(dtype, self.rng)
                self.hold(name, dtype, values)
                with open_segment(name) as segment:
                    self.assertEqual(len(segment), BATCHES)
                    expected = [bytes(segment.batch(i)) for i in range(BATCHES)]
                    self.assertEqual([bytes(batch) for batch in segment], expected)
                    self.assertEqual([bytes(segment[i]) for i in (0, -1, -BATCHES)],
                                     [expected[0], expected[-1], expected[0]])
                    for i in (BATCHES, -BATCHES - 1, 1 << 70):
                        self.assertRaises(IndexError, segment.__getitem__, i)
                    self.assertEqual(bytes(segment.flat()), pack(dtype, values))
                    self.assertEqual(len(segment.flat()), COUNT)
                    self.assertTrue(segment.flat().readonly)

    def test_a_pickle_is_its_name(self):
        name, values = self.new_name("i32"), make_values("i32", self.rng)
        self.hold(name, "i32", values)
        with open_segment(name, writable=True) as segment:
            data = pickle.dumps(segment)
            self.assertLess(len(data), 1024)
            with pickle.loads(data) as other:
                self.assertTrue(other.writable)
                segment.flat()[0] = 42
                self.assertEqual(other.flat()[0], 42)
                self.assertEqual(other.batch(0)[0, 0], 42)
        self.assertRaises(ValueError, pickle.dumps, segment)
        self.assertRaises(ValueError, segment.flat)

    def test_every_layout(self):
        """Elements lie where element_offset says; NumPy shows columns by strides, and tiles not at all."""
        for layout in nodewise_segment.LAYOUTS:
            with self.subTest(layout):
                name, values = self.new_name(layout), make_values("i32", self.rng)
                self.hold(name, "i32", values, layout=layout, batch_size=40)  # batches of 40, 40 and 23 rows
                with open_segment(name) as segment:
                    self.assertEqual(segment.layout, layout)
                    for i, first in enumerate(range(0, SHAPE[0], 40)):
                        rows = rows_of(values)[first : first + 40]
                        raw = nodewise_segment.decode("i32", bytes(segment._batch_bytes(i)[0]))
                        self.assertEqual([[raw[segment.element_offset(len(rows), row, column)]
                                           for column in range(SHAPE[1])] for row in range(len(rows))], rows)
                        if layout != "rows":
                            self.assertRaisesRegex(ValueError, f"in {layout}", segment.batch, i)
                        if numpy and layout != "tiles":
                            self.assertEqual(segment.array(i).tolist(), rows)
                            self.assertFalse(segment.array(i).flags.writeable)
                        elif numpy:
                            self.assertRaisesRegex(ValueError, "tiles", segment.array, i)
                done = subprocess.run([sys.executable, READER / "nodewise_segment.py", name], text=True,
                                      capture_output=True, check=True)
                lines = done.stdout.splitlines()
                self.assertIn(f"layout   {layout}", lines)
                self.assertEqual([list(map(float, line.split())) for line in lines[-5:]], rows_of(values)[:5])

    def test_what_python_writes_others_see(self):
        for dtype in ELEMENTS:
            with self.subTest(dtype):
                name, values = self.new_name(dtype), make_values(dtype, self.rng)
                peer = self.hold(name, dtype, values)
                reader = open_segment(name)
                with open_segment(name, writable=True) as segment:
                    element = pack(dtype, [3])
                    for i in range(BATCHES):
                        values[i * BATCH_SIZE * SHAPE[1] + 8] = 3  # row 1, column 1
                        segment.batch(i).cast("B")[8 * len(element) : 9 * len(element)] = element
                    if numpy:
                        segment.array(10)[2, 6] = bits_of_bf16(5) if dtype == "bf16" else 5
                        values[-1] = 5
                self.assertEqual(bytes(reader.batch(10)), pack(dtype, batches_of(values)[10]))
                reader.close()
                self.assertEqual(peer.end(), list(map(exact_mean, batches_of(values))))

    def test_what_the_segment_says_of_itself(self):
        name = self.new_name("says")
        peer = self.hold(name)
        with open_segment(name) as segment:
            self.assertEqual((segment.name, segment.path), (name, self.path(name)))
            self.assertEqual((segment.kind, segment.kept, segment.writable), ("dataset", False, False))
            self.assertEqual(segment.owner[:2], (peer.process.pid, os.geteuid()))
            self.assertEqual(segment.owner.pid_namespace, os.stat("/proc/self/ns/pid").st_ino)
            stat = pathlib.Path(f"/proc/{peer.process.pid}/stat").read_text()
            self.assertEqual(segment.owner.start_ticks, int(stat.rpartition(")")[2].split()[19]))
            self.assertLess(abs(time.time() - segment.created.timestamp()), 60)
            self.assertEqual(segment.origin, (peer.source, (1, 2), (3, 4)))
            self.assertEqual((segment.plan["schema"], segment.plan["samples"]), ("nodewise.plan/1", SHAPE[0]))
        self.assertRaises(ValueError, segment.batch, 0)
        segment.close()

    def test_an_empty_dataset(self):
        name = self.new_name("empty")
        peer = self.hold(name, "f64", [], shape=(0, 3))
        segment = open_segment(name)
        self.assertEqual((segment.shape, segment.num_batches), ((0, 3), 0))
        self.assertRaises(IndexError, segment.batch, 0)
        peer.end()
        self.assertTrue(self.exists(name))
        segment.close()
        self.assertFalse(self.exists(name))


class Names(SegmentTest):
    def run_python(self, name, code, expected=0):
        """Another Python that opens the segment and then does what `code` says."""
        done = subprocess.run([sys.executable, "-c", OPEN_AND + code, READER, name], text=True,
                              capture_output=True)
        self.assertEqual(done.returncode, expected, done.stderr)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def test_no_end_of_a_reader_takes_the_segment_from_others(self):
        name = self.new_name("survives")
        peer = self.hold(name)
        for code in ("s.close()", "s.batch(0)", "v = s.batch(0)", "sys.exit()", "os._exit(0)", "del s",
                     "x = s; y = [s]; y.append(y)"):
            self.assertEqual(self.run_python(name, code), "")
        self.run_python(name, "os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL)
        self.assertTrue(self.exists(name))
        self.assertEqual(len(peer.end()), BATCHES)
        self.assertFalse(self.exists(name))

    def test_the_command_line(self):
        for dtype in ("f32", "bf16", "f16", "i8"):
            name, values = self.new_name(dtype), make_values(dtype, self.rng)
            peer = self.hold(name, dtype, values)
            done = subprocess.run([sys.executable, READER / "nodewise_segment.py", name], text=True,
                                  capture_output=True, check=True)
            lines = done.stdout.splitlines()
            self.assertIn(f"shape    103 x 7 of {dtype}", lines)
            self.assertIn("batches  11 of 10", lines)
            self.assertIn(f"origin   {peer.source!r}", lines)
            self.assertEqual([list(map(float, line.split())) for line in lines[-5:]], rows_of(values)[:5])
            peer.end()
            done = subprocess.run([sys.executable, READER / "nodewise_segment.py", name], text=True,
                                  capture_output=True, check=False)
            self.assertEqual(done.returncode, 1)
            self.assertRegex(done.stderr, "^nodewise_segment: .*No such file")

    def test_the_last_holder_takes_the_name_away(self):
        for writable in (False, True):
            with self.subTest(writable=writable):
                name = self.new_name("last")
                peer = self.hold(name)
                first, second = open_segment(name, writable), open_segment(name)
                peer.end()
                first.close()
                self.assertTrue(self.exists(name))
                second.close()
                self.assertFalse(self.exists(name))
                peer = self.hold(name)
                last = open_segment(name, writable)
                peer.end()
                self.assertTrue(self.exists(name))
                last.close()
                self.assertFalse(self.exists(name))

    def test_a_process_that_is_last_and_forgets_to_close(self):
        name = self.new_name("forgets")
        peer = self.hold(name)
        process = subprocess.Popen([sys.executable, "-c", OPEN_AND + "print(flush=True); sys.stdin.read()",
                                    READER, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdout.readline()
        peer.end()
        self.assertTrue(self.exists(name))
        process.communicate()
        self.assertFalse(self.exists(name))

    def test_a_view_holds_the_segment(self):
        name = self.new_name("view")
        peer = self.hold(name)
        segment = open_segment(name)
        view = segment.batch(2)
        peer.end()
        segment.close()
        self.assertTrue(self.exists(name))
        self.assertEqual(view[0, 0], 20 * 7)
        del view
        self.assertFalse(self.exists(name))

    def test_a_kept_segment_stays(self):
        name = self.new_name("kept")
        peer = self.hold(name, keep=True)
        with open_segment(name) as segment:
            peer.end()
            self.assertTrue(segment.kept)
        self.assertTrue(self.exists(name))
        self.run_python(name, "s.close()")
        self.assertTrue(self.exists(name))

    def check_fork(self, writable, child_has_last):
        name = self.new_name("fork")
        peer = self.hold(name)
        segment = open_segment(name, writable)
        read_end, write_end = os.pipe()
        child = os.fork()
        if child == 0:
            for end in (write_end, peer.process.stdin.fileno()):
                os.close(end)
            os.read(read_end, 1)  # ends when the parent has closed its end
            os._exit(0 if segment.batch(0)[0, 5] == 5 else 1)
        child_that_closes = os.fork()
        if child_that_closes == 0:
            segment.close()
            os._exit(0 if self.exists(name) else 1)
        self.assertEqual(os.waitpid(child_that_closes, 0)[1], 0)
        other = open_segment(name)
        peer.end()
        first, last = (other, segment) if child_has_last else (segment, other)
        first.close()
        self.assertTrue(self.exists(name))
        last.close()
        self.assertFalse(self.exists(name))
        os.close(write_end)
        os.close(read_end)
        self.assertEqual(os.waitpid(child, 0)[1], 0)

    def test_a_forked_child_is_no_holder(self):
        for writable in (False, True):
            for child_has_last in (False, True):
                with self.subTest(writable=writable, child_has_last=child_has_last):
                    self.check_fork(writable, child_has_last)

    def test_a_forked_child_does_not_keep_the_lock_of_a_parent_that_is_killed(self):
        for writable in (False, True):
            name = self.new_name("orphan")
            peer = self.hold(name)
            parent = os.fork()
            if parent == 0:
                segment = open_segment(name, writable)
                threads = [threading.Thread(target=lambda: open_segment(name).close()) for _ in range(3)]
                for thread in threads:
                    thread.start()
                for _ in range(3):
                    if os.fork() == 0:
                        seen = segment.batch(0)[0, 5] == 5
                        signal.alarm(20)  # the children live on
                        while seen:
                            signal.pause()
                        os._exit(1)
                for thread in threads:
                    thread.join()
                os.kill(os.getpid(), signal.SIGKILL)
            os.waitpid(parent, 0)
            peer.process.kill()
            peer.process.communicate()
            remove_openmp_file(peer.process.pid)
            with open(self.path(name), "r+b") as file:
                until = time.monotonic() + 10  # a child that has just been forked may not have run yet
                while not nodewise_segment._lock(file.fileno(), nodewise_segment.HOLDER_BYTE, fcntl.F_WRLCK,
                                                 nodewise_segment.F_OFD_SETLK):
                    self.assertLess(time.monotonic(), until)
            os.unlink(self.path(name))

    def test_no_descriptor_stays_open(self):
        name = self.new_name("descriptors")
        peer = self.hold(name)
        before = sorted(os.listdir("/proc/self/fd"))
        for writable in (False, True):
            open_segment(name, writable).close()
            self.assertRaises(FileNotFoundError, open_segment, name + "x", writable)
        self.assertEqual(sorted(os.listdir("/proc/self/fd")), before)
        last = open_segment(name)
        peer.end()
        with open(self.path(name), "r+b") as file:
            file.write(b"?")
        self.assertRaises(SegmentError, open_segment, name)
        last.close()
        self.assertLessEqual(len(os.listdir("/proc/self/fd")), len(before))

    def test_names_that_are_not_there_or_none(self):
        self.assertRaises(FileNotFoundError, open_segment, self.new_name("unknown"))
        for name in ("", "a/b", "../x", ".hidden", "-x", "a b", "x\n", "x" * 201, "ä"):
            with self.subTest(name), self.assertRaises(ValueError) as caught:
                open_segment(name)
            self.assertNotIsInstance(caught.exception, SegmentError)
        name, target = self.new_name("link"), self.new_name("target")
        self.hold(target)
        os.symlink(self.path(target), self.path(name))
        self.assertRaises(OSError, open_segment, name)

    def test_a_segment_in_a_folder_of_huge_pages(self):
        name = self.new_name("huge")
        self.hold(name, keep=True).end()
        with tempfile.TemporaryDirectory(prefix="nodewise huge ") as folder:
            table = pathlib.Path(folder, "mounts")
            blanks = folder.replace(" ", r"\040")
            table.write_text(f"tmpfs /dev/shm tmpfs rw 0 0\nnone {blanks} hugetlbfs rw,pagesize=2M 0 0\n")
            self.assertEqual(list(nodewise_segment._huge_page_folders(table)), [folder])
            self.assertEqual(list(nodewise_segment._huge_page_folders(table / "none")), [])
            moved = shutil.move(self.path(name), folder)
            with unittest.mock.patch("nodewise_segment._huge_page_folders", return_value=["/none", folder]):
                with open_segment(name) as segment:
                    self.assertEqual((segment.path, segment.batch(0)[0, 3]), (moved, 3))
                shutil.copy(moved, self.path(name))
                with open_segment(name) as segment:
                    self.assertEqual(segment.path, self.path(name))

    @unittest.skipIf(os.geteuid() != 0, "SKIP: only root can give a file away")
    def test_another_users_file(self):
        name = self.new_name("foreign")
        self.hold(name)
        os.chown(self.path(name), 65534, 65534)
        with self.assertRaisesRegex(PermissionError, "65534"):
            open_segment(name)
        os.chown(self.path(name), 0, 0)
        open_segment(name).close()
        pipe = self.new_name("pipe")
        os.mkfifo(self.path(pipe))
        self.assertRaises(SegmentError, open_segment, pipe)


class Makers(SegmentTest):
    """A file that is being made, by this process: it has the locks that the library would take."""

    def setUp(self):
        super().setUp()
        original = self.new_name("original")
        self.hold(original, keep=True).end()
        self.whole = pathlib.Path(self.path(original)).read_bytes()
        self.name = self.new_name("made")
        self.maker = os.open(self.path(self.name), os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        self.addCleanup(os.close, self.maker)
        nodewise_segment._lock(self.maker, 0, fcntl.F_WRLCK)
        nodewise_segment._lock(self.maker, 1, fcntl.F_RDLCK)
        os.pwrite(self.maker, self.whole[8:], 8)
        self.outcome = None
        self.reader = threading.Thread(target=self.read)
        self.reader.start()
        deadline = time.monotonic() + 5  # where /proc/locks is silent, that is long enough too
        while not self.somebody_waits() and time.monotonic() < deadline:
            time.sleep(0.01)
        self.assertIsNone(self.outcome)

    def read(self):
        try:
            with open_segment(self.name) as segment:
                self.outcome = segment.batch(1)[0, 1]
                self.free = nodewise_segment._lock(self.maker, 0, fcntl.F_WRLCK, nodewise_segment.F_OFD_SETLK)
        except OSError as error:
            self.outcome = error

    def somebody_waits(self):
        """/proc/locks shows those that wait by an arrow."""
        inode = str(os.fstat(self.maker).st_ino)
        lines = pathlib.Path("/proc/locks").read_text().splitlines()
        return any("->" in line and f":{inode} " in line for line in lines)

    def test_is_waited_for(self):
        os.pwrite(self.maker, self.whole[:8], 0)
        nodewise_segment._lock(self.maker, 0, fcntl.F_UNLCK)
        self.reader.join()
        self.assertEqual(self.outcome, 71)
        self.assertTrue(self.free)  # who opens it keeps nothing of the maker's

    def test_that_dies_leaves_nothing_to_open(self):
        nodewise_segment._lock(self.maker, 0, fcntl.F_UNLCK)
        self.reader.join()
        self.assertIsInstance(self.outcome, FileNotFoundError)
        self.assertRegex(str(self.outcome), "never finished")

    def test_that_gives_up_takes_its_name_along(self):
        os.unlink(self.path(self.name))
        nodewise_segment._lock(self.maker, 0, fcntl.F_UNLCK)
        self.reader.join()
        self.assertIsInstance(self.outcome, FileNotFoundError)
        self.assertRegex(str(self.outcome), "No such file")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
