"""The structs of DLPack for tests: a consumer that reads capsules, a producer that counts its releases."""

import ctypes

UNVERSIONED, VERSIONED = b"dltensor", b"dltensor_versioned"
PYTHON = ctypes.pythonapi
PYTHON.PyCapsule_New.restype = ctypes.py_object
PYTHON.PyCapsule_New.argtypes = (ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p)
PYTHON.PyCapsule_GetName.restype = ctypes.c_char_p
PYTHON.PyCapsule_GetName.argtypes = (ctypes.py_object,)
PYTHON.PyCapsule_GetPointer.restype = ctypes.c_void_p
PYTHON.PyCapsule_GetPointer.argtypes = (ctypes.py_object, ctypes.c_char_p)
PYTHON.PyCapsule_SetName.argtypes = (ctypes.py_object, ctypes.c_char_p)


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", ctypes.c_int32 * 2),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


class Managed(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class ManagedVersioned(ctypes.Structure):
    _fields_ = [
        ("version", ctypes.c_uint32 * 2),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    ]


STRUCTS = {UNVERSIONED: Managed, VERSIONED: ManagedVersioned}
DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)  # a call of it releases the interpreter
_USED = {name: b"used_" + name for name in STRUCTS}  # capsules keep the pointers


class Consumed:
    """A tensor that was taken out of a capsule, as an array library takes it."""

    def __init__(self, capsule):
        self.name = PYTHON.PyCapsule_GetName(capsule)
        self.address = PYTHON.PyCapsule_GetPointer(capsule, self.name)
        self.managed = STRUCTS[self.name].from_address(self.address)
        self.deleter = self.managed.deleter
        name = next(used for used in _USED.values() if used == b"used_" + self.name)
        PYTHON.PyCapsule_SetName(capsule, name)
        tensor = self.managed.tensor
        self.shape = tuple(tensor.shape[: tensor.ndim])
        self.strides = tuple(tensor.strides[: tensor.ndim])  # null is a fault
        self.data = tensor.data
        self.dtype = (tensor.code, tensor.bits, tensor.lanes)
        self.flags = self.managed.flags if self.name == VERSIONED else 0

    def release(self):
        DELETER(self.deleter)(self.address)


class Producer:
    """An array library that exports `array`, and counts how often the tensors were released."""

    def __init__(self, array, *, versioned=True, **wrong):
        self.array, self.versioned, self.wrong = array, versioned, wrong
        self.made = self.released = 0
        self.asked = []
        self._alive = []

    def __dlpack_device__(self):
        return (1, 0)

    def __dlpack__(self, **asked):
        self.asked.append(asked)
        if not self.versioned and asked:
            raise TypeError("this library is older than DLPack 1.0")
        return self.capsule()

    def capsule(self):
        array, wrong = self.array, self.wrong
        name = VERSIONED if self.versioned else UNVERSIONED
        managed = STRUCTS[name]()
        tensor = managed.tensor
        sizes = ctypes.c_int64 * array.ndim
        shape = sizes(*array.shape)
        strides = sizes(*(stride // array.itemsize for stride in array.strides))
        tensor.data = array.ctypes.data
        tensor.device[:] = wrong.get("device", (1, 0))
        tensor.ndim = array.ndim
        tensor.code = wrong.get("code", {"i": 0, "u": 1, "f": 2}[array.dtype.kind])
        tensor.bits, tensor.lanes = 8 * array.itemsize, wrong.get("lanes", 1)
        tensor.shape = ctypes.cast(shape, ctypes.POINTER(ctypes.c_int64))
        tensor.strides = None if wrong.get("no_strides") else ctypes.cast(strides, type(tensor.shape))
        if self.versioned:
            managed.version[:] = wrong.get("version", (1, 0))
            managed.flags = wrong.get("flags", 0)

        def release(_):
            self.released += 1

        deleter = DELETER(release)
        managed.deleter = ctypes.cast(deleter, ctypes.c_void_p).value
        self._alive.append((managed, shape, strides, deleter))
        self.made += 1
        return PYTHON.PyCapsule_New(ctypes.addressof(managed), name, None)
