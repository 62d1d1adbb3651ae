"""Segments for tests in Python: held by segment_peer, a process with the library in it.

Arguments of a test that uses this: SEGMENT_PEER PYTHON_FOLDER.
"""
import math
import os
import pathlib
import random
import struct
import subprocess
import sys
import tempfile
import unittest

PEER, READER = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
sys.dont_write_bytecode = True
sys.path.insert(0, str(READER))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "support"))

from nodewise_segment import ELEMENTS
from own_names import OWN_PREFIX

SHAPE = (103, 7)
BATCH_SIZE = 10
BATCHES = 11
COUNT = SHAPE[0] * SHAPE[1]
PATIENT = os.environ | {"OMP_WAIT_POLICY": "passive"}  # spinning workers crawl on a busy machine


def bits_of_bf16(value):
    return struct.unpack("=I", struct.pack("=f", value))[0] >> 16


def pack(dtype, values):
    if dtype == "bf16":
        return struct.pack(f"={len(values)}H", *map(bits_of_bf16, values))
    return struct.pack(f"={len(values)}{ELEMENTS[dtype].code}", *values)


def make_values(dtype, rng):
    """Integers over the whole type; floats that the type has exactly."""
    if dtype[0] in "ui":
        bits = int(dtype[1:])
        low = -(1 << bits - 1) if dtype[0] == "i" else 0
        return [low, low + (1 << bits) - 1] + [low + rng.getrandbits(bits) for _ in range(COUNT - 2)]
    bits = {"f64": 53, "f32": 24, "f16": 11, "bf16": 8}[dtype]
    return [math.ldexp(rng.getrandbits(bits) - (1 << bits - 1), 3 - bits) for _ in range(COUNT)]


class Peer:
    """A process that holds a segment of `elements`."""

    def __init__(self, name, dtype, elements, shape=SHAPE, keep=False, layout="rows", batch_size=BATCH_SIZE):
        with tempfile.NamedTemporaryFile(prefix="nodewise-segment-") as file:
            file.write(elements)
            file.flush()
            self.source = file.name
            command = [PEER, "hold", name, dtype, *map(str, shape), str(batch_size), file.name,
                       layout]
            self.process = subprocess.Popen(command + ["keep"] * keep, stdin=subprocess.PIPE, text=True,
                                            stdout=subprocess.PIPE, env=PATIENT)
            line = self.process.stdout.readline()
        if line != "ready\n":
            raise AssertionError(f"segment_peer said {line!r}")

    def end(self):
        """Makes it give the segment up; its means as they were then."""
        if self.process.stdin.closed:
            return None
        out, _ = self.process.communicate()
        if self.process.returncode != 0:
            raise AssertionError(f"segment_peer ended with {self.process.returncode}")
        return [float.fromhex(word) for word in out.split()]


class SegmentTest(unittest.TestCase):
    names = 0

    def setUp(self):
        self.rng = random.Random(20231)

    def new_name(self, about):
        SegmentTest.names += 1
        name = f"{OWN_PREFIX}{os.getpid()}.{SegmentTest.names}.{about}"
        self.addCleanup(lambda: self.exists(name) and os.unlink(self.path(name)))
        return name

    def path(self, name):
        return f"/dev/shm/nodewise.{os.geteuid()}.{name}"

    def exists(self, name):
        return os.path.lexists(self.path(name))

    def hold(self, name, dtype="u8", values=None, **options):
        elements = pack(dtype, values) if values is not None else bytes(range(256)) * 2 + bytes(COUNT - 512)
        peer = Peer(name, dtype, elements, **options)
        self.addCleanup(peer.end)
        return peer
