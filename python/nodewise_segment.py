#!/usr/bin/env python3
"""Segments of nodewise in Python: a dataset that another process placed, opened by name and never copied.

    from nodewise_segment import open_segment

    with open_segment("train") as segment:
        for rows in segment:             # memoryviews; segment[i] is one of them, segment.flat() has all
            ...
        rows = segment.array(0)          # of NumPy, where it is installed

One file, standard library alone, Python 3.9 or newer, Linux on 64 bits. What lies in a segment's file is
described in docs/segment-format.md, and everything that it says of itself is checked before it is believed.

From the command line, `python3 nodewise_segment.py NAME` prints a segment's header and its first rows.

Nothing goes through multiprocessing.shared_memory, which unlinks what a mere reader opened (before 3.13).
"""
import argparse
import collections
import contextlib
import datetime
import errno
import fcntl
import io
import json
import mmap
import os
import re
import stat
import struct
import sys
import threading
import time
import weakref
import zlib

__all__ = ["Segment", "SegmentError", "Owner", "Origin", "open_segment"]

# name and struct code of each field; none is padded
FIELDS = (
    ("magic", "8s"), ("byte_order", "I"), ("version", "I"), ("layout_hash", "Q"), ("required_features", "Q"),
    ("optional_features", "Q"), ("header_bytes", "I"), ("checksum", "I"), ("kind", "I"), ("keep", "I"),
    ("content_hash", "Q"), ("total_bytes", "Q"), ("data_offset", "Q"), ("data_bytes", "Q"),
    ("page_bytes", "Q"), ("owner_pid", "I"), ("owner_uid", "I"), ("owner_start_ticks", "Q"),
    ("owner_pid_namespace", "Q"), ("created_ns", "Q"), ("placing_rung", "I"), ("plan_bytes", "I"),
    ("origin_bytes", "I"), ("reserved_word", "I"), ("dtype", "8s"), ("samples", "Q"), ("features", "Q"),
    ("batch_size", "Q"), ("origin_state", "16s"), ("origin_content", "16s"), ("parameters", "64s"),
    ("reserved", "48s"),
)  # fmt: skip
HEADER = struct.Struct("=" + "".join(code for _, code in FIELDS))
Header = collections.namedtuple("Header", [name for name, _ in FIELDS])
CHECKSUM = 44  # where it is

MAGIC, BYTE_ORDER, VERSION = b"nodewise", 0x01020304, 1
LAYOUT_FEATURE = 2  # of required_features: reserved_word is a layout, else batches are in rows
LAYOUTS, TILE_ROWS = ("rows", "columns", "tiles"), 16
LONGEST_HEADER = 1 << 20
KINDS, PLACING_RUNGS = ("dataset", "objects", "ring"), ("mbind", "first_touch", "none")

# bytes, what memoryview and struct call it, NumPy's name; bf16 has neither, and NumPy gets its bits
Element = collections.namedtuple("Element", "bytes code numpy")
ELEMENTS = {
    "f64": Element(8, "d", "float64"), "f32": Element(4, "f", "float32"), "f16": Element(2, "e", "float16"),
    "bf16": Element(2, None, "uint16"),
    "i64": Element(8, "q", "int64"), "i32": Element(4, "i", "int32"), "i16": Element(2, "h", "int16"),
    "i8": Element(1, "b", "int8"),
    "u64": Element(8, "Q", "uint64"), "u32": Element(4, "I", "uint32"), "u16": Element(2, "H", "uint16"),
    "u8": Element(1, "B", "uint8"),
}  # fmt: skip
LONG_NAMES = {element.numpy: name for name, element in ELEMENTS.items() if name != "bf16"}
LONG_NAMES["bfloat16"] = "bf16"

# Linux's locks of an opening, not of a process; struct flock as on every 64-bit Linux
F_OFD_SETLK, F_OFD_SETLKW = 37, 38
FLOCK = struct.Struct("hhqqi4x")
MAKER_BYTE, HOLDER_BYTE = 0, 1

Owner = collections.namedtuple("Owner", "pid uid start_ticks pid_namespace")
Origin = collections.namedtuple("Origin", "name state content")


class SegmentError(ValueError):
    """What the file says cannot be: it is no segment, damaged, truncated, or of a version to come."""


def _refuse_if(wrong, what, message):
    if wrong:
        raise SegmentError(f"{what} {message}")


def layout_hash():
    """64-bit FNV-1a over "NAME OFFSET BYTES\\n" of every field."""
    value, offset = 0xCBF29CE484222325, 0
    for name, code in FIELDS:
        size = struct.calcsize("=" + code)
        for byte in f"{name} {offset} {size}\n".encode():
            value = (value ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
        offset += size
    return value


def _start_of(start, what):
    """The fixed part, believed as far as the length of the rest."""
    _refuse_if(len(start) < HEADER.size, what,
               f"is no segment: it has {len(start)} bytes, a header has {HEADER.size}")
    raw = Header._make(HEADER.unpack_from(start))
    _refuse_if(raw.magic != MAGIC, what, f"is no segment: it begins with {raw.magic!r}")
    _refuse_if(raw.byte_order != BYTE_ORDER, what, "was written in another byte order, or is damaged")
    rest = ", which never was" if raw.version < VERSION else f"; this reader knows {VERSION}: use a newer"
    _refuse_if(raw.version != VERSION, what, f"is of version {raw.version}{rest}")
    _refuse_if(not HEADER.size <= raw.header_bytes <= LONGEST_HEADER, what,
               f"says that its header has {raw.header_bytes} bytes")
    return raw


def _check_words(raw, what):
    _refuse_if(raw.layout_hash != layout_hash(), what,
               "has a header of another layout: use the reader of the build that made it")
    _refuse_if(raw.required_features & ~LAYOUT_FEATURE, what,
               f"needs features ({raw.required_features}) that this reader does not have")
    _refuse_if(raw.kind >= len(KINDS), what, f"is of unknown kind {raw.kind}")
    _refuse_if(raw.keep > 1, what, f"has {raw.keep} for its mark of being kept")
    _refuse_if(raw.placing_rung >= len(PLACING_RUNGS), what,
               f"names placing rung {raw.placing_rung}, which there is not")
    _refuse_if(raw.required_features & LAYOUT_FEATURE and raw.reserved_word >= len(LAYOUTS), what,
               f"arranges its batches by layout {raw.reserved_word}, which there is not")


def _check_sizes(raw, dtype, file_bytes, what):
    _refuse_if(raw.total_bytes != file_bytes, what,
               f"says that it has {raw.total_bytes} bytes, and has {file_bytes}: it was truncated?")
    _refuse_if(raw.page_bytes == 0 or raw.page_bytes & (raw.page_bytes - 1), what,
               f"has pages of {raw.page_bytes} bytes")
    _refuse_if(raw.data_offset % raw.page_bytes or raw.data_offset < raw.header_bytes, what,
               f"has its data at byte {raw.data_offset}")
    _refuse_if(raw.data_offset + raw.data_bytes > raw.total_bytes, what,
               f"says that {raw.data_bytes} bytes of data begin at {raw.data_offset} of {raw.total_bytes}")
    if KINDS[raw.kind] != "dataset":
        return
    _refuse_if(raw.features == 0 or raw.batch_size == 0, what,
               f"holds a dataset of {raw.features} features in batches of {raw.batch_size}")
    _refuse_if(raw.samples * raw.features * ELEMENTS[dtype].bytes > raw.data_bytes, what,
               f"says that {raw.samples} x {raw.features} elements of {dtype} are in {raw.data_bytes} bytes")


def parse_header(start, file_bytes, what="the file"):
    """(fixed part, element type, plan, origin's name) of a file of `file_bytes` that begins with `start`. The
    texts are bytes. Raises SegmentError."""
    raw = _start_of(start, what)
    _refuse_if(raw.header_bytes > len(start), what,
               f"says that its header has {raw.header_bytes} bytes, of which {len(start)} are there")
    start = start[: raw.header_bytes]
    _refuse_if(zlib.crc32(start[:CHECKSUM] + bytes(4) + start[CHECKSUM + 4 :]) != raw.checksum, what,
               "has a damaged header: its checksum does not hold")
    _check_words(raw, what)
    dtype = raw.dtype.partition(b"\0")[0].decode("latin-1")
    dtype = LONG_NAMES.get(dtype, dtype)
    _refuse_if(dtype not in ELEMENTS, what, f"has elements of unknown type {ascii(dtype)}")
    _check_sizes(raw, dtype, file_bytes, what)
    plan_end = HEADER.size + raw.plan_bytes
    _refuse_if(plan_end + raw.origin_bytes != raw.header_bytes, what, f"has texts of {raw.plan_bytes} and "
               f"{raw.origin_bytes} bytes in a header of {raw.header_bytes}")
    return raw, dtype, start[HEADER.size : plan_end], start[plan_end:]


def _lock(descriptor, byte, lock, command=F_OFD_SETLKW):
    """Whether the byte could be locked; with F_OFD_SETLKW it is waited for. Unlocks by fcntl.F_UNLCK."""
    try:
        fcntl.fcntl(descriptor, command, FLOCK.pack(lock, os.SEEK_SET, byte, 1, 0))
        return True
    except OSError as error:
        if command == F_OFD_SETLK and error.errno in (errno.EAGAIN, errno.EACCES):
            return False
        raise


def _huge_page_folders(table="/proc/self/mounts"):
    try:
        with open(table, "rb") as file:
            mounts = [line.split(b" ") for line in file]
    except OSError:
        return
    for _, folder, kind, *_ in mounts:
        if kind == b"hugetlbfs":  # blanks in a folder's name are written as \040
            yield os.fsdecode(re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), folder))


def _path_of(name):
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}", name):
        raise ValueError(f"{name!r} cannot be a segment's name: letters, digits, '.', '_' and '-', a letter "
                         "or digit first, at most 200")
    file = f"nodewise.{os.geteuid()}.{name}"
    for folder in ("/dev/shm", *_huge_page_folders()):
        if os.path.lexists(os.path.join(folder, file)):
            return os.path.join(folder, file)
    return os.path.join("/dev/shm", file)


def _open_file(path, writable):
    access = os.O_RDWR if writable else os.O_RDONLY
    return os.open(path, access | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)  # never waits at a pipe


def _join_holders(descriptor, path):
    """Takes part in holding the file, waiting for a maker. False: its name was removed meanwhile."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise SegmentError(f"{path} is no regular file")
    if status.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"belongs to user {status.st_uid}, this is user {os.geteuid()}: "
                              "another user's memory is not to be trusted", path)
    _lock(descriptor, HOLDER_BYTE, fcntl.F_RDLCK)
    if not any(os.pread(descriptor, len(MAGIC), 0)):  # not published yet
        _lock(descriptor, MAKER_BYTE, fcntl.F_RDLCK)
        _lock(descriptor, MAKER_BYTE, fcntl.F_UNLCK)
    if os.fstat(descriptor).st_nlink == 0:
        return False
    if not any(os.pread(descriptor, len(MAGIC), 0)):
        raise FileNotFoundError(errno.ENOENT, "this segment was never finished, its maker died over it", path)
    return True


def _leave_holders(descriptor, path, writable):
    """Gives up this process's hold. A process that is then alone removes the name."""
    # A lock that excludes others needs a descriptor that may write.
    alone = descriptor if writable else _open_file(path, True)
    try:
        if alone is not descriptor and not os.path.samestat(os.fstat(descriptor), os.fstat(alone)):
            return
        _lock(descriptor, HOLDER_BYTE, fcntl.F_UNLCK)  # first: of two who leave each would see the other
        if _lock(alone, HOLDER_BYTE, fcntl.F_WRLCK, F_OFD_SETLK) and any(  # nobody else removes it now
                _lock(alone, MAKER_BYTE, fcntl.F_WRLCK, F_OFD_SETLK) or time.sleep(1e-3) for _ in range(100)):
            if os.path.samestat(os.fstat(alone), os.stat(path)):
                os.unlink(path)
    finally:
        if alone is not descriptor:
            os.close(alone)


class _Opening(int):  # a descriptor; a later one of the same number is another one
    __hash__, __eq__ = object.__hash__, object.__eq__


# A forked child has its parent's openings, and so the locks. It closes them at once: otherwise a parent that
# is killed would hold on. The lock is reentrant, as garbage may be collected at any moment.
_forks_wait, _open = threading.RLock(), set()


def _close_in_child():
    while _open:
        os.close(_open.pop())
    _forks_wait.release()


os.register_at_fork(before=_forks_wait.acquire, after_in_parent=_forks_wait.release,
                    after_in_child=_close_in_child)


def _close(opening):
    with _forks_wait:
        _open.remove(opening)
        os.close(opening)


def _release(opening, path, writable, kept):
    """What a mapping's end brings with it; nothing in a forked child."""
    with _forks_wait:
        if opening in _open:
            with contextlib.suppress(OSError):  # the name then stays, and `nodewise segments gc` removes it
                if not kept:
                    _leave_holders(opening, path, writable)
            _close(opening)


def open_segment(name, writable=False):
    """The user's own segment of that name; one that is just being made is waited for.

    Raises FileNotFoundError (there is none, or its maker died over it), PermissionError (another user's),
    SegmentError (no segment, damaged, truncated, of a version to come), ValueError (no name for a segment),
    OSError (anything else that the system says).
    """
    if struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, "segments are opened on 64-bit Linux alone")
    path = _path_of(name)
    while True:
        with _forks_wait:
            opening = _Opening(_open_file(path, writable))
            _open.add(opening)
        try:
            if _join_holders(opening, path):
                return Segment(name, path, opening, writable)
        except BaseException:
            _close(opening)
            raise
        _close(opening)


class Segment:
    """A segment that this process has mapped; made by open_segment.

    name, path   as it was opened, and its file
    kind         "dataset", "objects" or "ring"; only a dataset has batches
    shape        (samples, features)
    dtype        "f64", "f32", "f16", "bf16", "i64" ... "u8"
    batch_size   rows of every batch but the last one; num_batches is how many there are
    layout       how the elements of each batch are arranged: "rows", "columns" or "tiles"
    owner        Owner(pid, uid, start_ticks, pid_namespace): the process that made it
    created      a datetime, in UTC
    kept         whether it stays when its last holder ends
    origin       Origin(name, state, content) of the source that its data came from, or None; the digests
                 are pairs of numbers
    plan         what the plan says that its pages were placed by, as json.loads gives it, or None
    writable

    While it is open, or a view of it lives, this process holds the segment. Whoever gives it up last takes
    the name away, unless the segment is kept. A forked child sees the memory and holds nothing.
    """

    def __init__(self, name, path, descriptor, writable):
        """Takes over the descriptor, unless it raises."""
        header = _start_of(os.pread(descriptor, HEADER.size, 0), path)  # whole, as it is memory
        start = os.pread(descriptor, header.header_bytes, 0)
        raw, self.dtype, self._plan, origin = parse_header(start, os.fstat(descriptor).st_size, path)
        if raw.page_bytes < mmap.PAGESIZE:
            raise SegmentError(f"{path} has pages of {raw.page_bytes} bytes, this machine of {mmap.PAGESIZE}")
        self.name, self.path, self.writable = name, path, writable
        self.kind, self.shape = KINDS[raw.kind], (raw.samples, raw.features)
        self.layout = LAYOUTS[raw.reserved_word if raw.required_features & LAYOUT_FEATURE else 0]
        self.batch_size, self.kept = raw.batch_size, raw.keep == 1
        self.num_batches = -(-raw.samples // raw.batch_size) if self.kind == "dataset" else 0
        self.owner = Owner(raw.owner_pid, raw.owner_uid, raw.owner_start_ticks, raw.owner_pid_namespace)
        self.created = datetime.datetime.fromtimestamp(raw.created_ns // 1000000000, datetime.timezone.utc)
        self.created += datetime.timedelta(microseconds=raw.created_ns % 1000000000 // 1000)
        digests = (struct.unpack("=2Q", word) for word in (raw.origin_state, raw.origin_content))
        self.origin = Origin(os.fsdecode(origin), *digests) if origin else None
        self._mapping = io.BytesIO()  # where there is nothing to map
        if raw.data_bytes > 0:
            access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
            # Not by the opening that has the lock: a mapping keeps its opening, in forked children too.
            other = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR if writable else os.O_RDONLY)
            try:
                self._mapping = mmap.mmap(other, raw.data_bytes, access=access, offset=raw.data_offset)
            except ValueError as error:  # shorter than it was a moment ago
                raise SegmentError(f"{path}: {error}") from None
            finally:
                os.close(other)
        self._finalizer = weakref.finalize(self._mapping, _release, descriptor, path, writable, self.kept)

    @property
    def plan(self):
        try:
            return json.loads(self._plan) if self._plan else None
        except (ValueError, RecursionError) as error:
            raise SegmentError(f"{self.path} has a plan that is no JSON: {error}") from None

    def _check_open(self):
        if self._mapping is None:
            raise ValueError(f"segment {self.name!r} is closed")

    def _batch_bytes(self, i):
        """(the bytes of batch i, its rows)"""
        self._check_open()
        if not 0 <= i < self.num_batches:
            raise IndexError(f"batch {i} of {self.num_batches}")
        first = i * self.batch_size
        rows = min(self.batch_size, self.shape[0] - first)
        row_bytes = self.shape[1] * ELEMENTS[self.dtype].bytes
        return memoryview(self._mapping)[first * row_bytes : (first + rows) * row_bytes], rows

    def batch(self, i):
        """Batch i as a memoryview of shape (rows, features), read-only unless `writable`: no copy.

        memoryview has no bfloat16, and float16 only from Python 3.12 on. Where it lacks the type, the view is
        of raw bytes, format "B" and shape (rows, features, 2): an element is the two bytes [row, column], in
        the machine's order. Raises IndexError, and ValueError where batches are not in rows.
        """
        view, rows = self._batch_bytes(i)
        if self.layout != "rows":
            raise ValueError(f"segment {self.name!r} has its batches in {self.layout}, not in rows; "
                             "array(i) shows columns, element_offset finds any element")
        return self._cast(view, rows, self.shape[1])

    def _cast(self, view, *shape):
        element = ELEMENTS[self.dtype]
        try:
            return view.cast(element.code or "", shape)
        except ValueError:
            return view.cast("B", (*shape, element.bytes))

    def flat(self):
        """All elements in the order of memory as a memoryview of one dimension, else as batch()."""
        self._check_open()
        count = self.shape[0] * self.shape[1]
        data = memoryview(self._mapping if count > 0 else b"")[: count * ELEMENTS[self.dtype].bytes]
        return self._cast(data, count) if count > 0 else data

    def __len__(self):
        return self.num_batches

    def __getitem__(self, i):  # negative numbers count from the end
        return self.batch(i + self.num_batches if -self.num_batches <= i < 0 else i)

    def __iter__(self):
        return map(self.batch, range(self.num_batches))

    def __reduce__(self):
        """Pickled as its name: another process opens the segment again."""
        self._check_open()
        return open_segment, (self.name, self.writable)

    def array(self, i):
        """Batch i as a NumPy array of shape (rows, features), read-only unless `writable`: no copy.

        NumPy has no bfloat16: of bf16 it gets the bits, as uint16, and (a.astype("u4") << 16).view("f4") is a
        copy with the values. Of batches in columns the array has strides that say so. Raises IndexError,
        ValueError where batches are in tiles, and ImportError where there is no NumPy.
        """
        import numpy  # not needed for anything else

        view, rows = self._batch_bytes(i)
        if self.layout == "tiles":
            raise ValueError(f"segment {self.name!r} has its batches in tiles; use element_offset")
        order = "F" if self.layout == "columns" else "C"
        return numpy.frombuffer(view, ELEMENTS[self.dtype].numpy).reshape((rows, self.shape[1]), order=order)

    def element_offset(self, rows, row, column):
        """Where an element of a batch of `rows` rows is, in elements from the batch's first."""
        height = {"rows": 1, "columns": rows, "tiles": TILE_ROWS}[self.layout]
        first = row - row % height
        return first * self.shape[1] + column * min(height, rows - first) + row % height

    def close(self):
        """Gives the segment up; with views of it alive, the last of them does. Once is enough."""
        mapping, self._mapping = self._mapping, None
        if mapping is None:
            return
        try:
            mapping.close()
        except BufferError:
            return  # there are views: the finalizer runs when they let go of the mapping
        self._finalizer()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def decode(dtype, raw):
    """The elements in `raw`, bytes in the machine's order, as Python's numbers."""
    element = ELEMENTS[dtype]
    if element.code:
        return list(struct.unpack(f"={len(raw) // element.bytes}{element.code}", raw))
    bits = struct.unpack(f"={len(raw) // 2}H", raw)  # bf16: the upper half of a binary32
    return [struct.unpack("=f", struct.pack("=I", half << 16))[0] for half in bits]


def _describe(segment):
    yield "name", segment.name
    yield "file", segment.path
    yield "kind", segment.kind
    yield "shape", f"{segment.shape[0]} x {segment.shape[1]} of {segment.dtype}"
    yield "batches", f"{segment.num_batches} of {segment.batch_size}"
    yield "layout", segment.layout
    yield "owner", f"process {segment.owner.pid} of user {segment.owner.uid}"
    yield "created", segment.created.isoformat()
    yield "kept", "yes" if segment.kept else "no"
    yield "origin", ascii(segment.origin.name) if segment.origin else "none"
    plan = segment.plan
    if isinstance(plan, dict):
        yield "plan", ", ".join(f"{key} {plan[key]!a}" for key in ("policy", "binding") if key in plan)


def _first_rows(segment, rows, columns=8):
    if segment.num_batches == 0:
        return
    view, batch_rows = segment._batch_bytes(0)
    size, shown = ELEMENTS[segment.dtype].bytes, min(columns, segment.shape[1])
    for row in range(min(rows, batch_rows)):
        places = [segment.element_offset(batch_rows, row, column) * size for column in range(shown)]
        numbers = decode(segment.dtype, b"".join(view[place : place + size] for place in places))
        yield " ".join(map(str, numbers)) + (" ..." if shown < segment.shape[1] else "")


def main():
    parser = argparse.ArgumentParser(description="Prints a segment's header and first rows.")
    parser.add_argument("name", metavar="NAME")
    parser.add_argument("--rows", type=int, default=5, metavar="N", help="at most (default: 5)")
    options = parser.parse_args()
    try:
        with open_segment(options.name) as segment:
            print(*(f"{label:8} {value}" for label, value in _describe(segment)), sep="\n")
            print(*(f"{row}\n" for row in _first_rows(segment, options.rows)), sep="", end="")
    except (OSError, ValueError) as error:
        sys.exit(f"nodewise_segment: {error}")


if __name__ == "__main__":
    main()
