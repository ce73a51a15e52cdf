"""Energy of pieces of a Python program, through libperjoule (docs/library.md). Standard library only.

    import perjoule

    with perjoule.window("decode") as decode:
        model.generate(...)
    print(decode.energy)            # 12.3 J ± 0.4 J (95 %), counter

    with perjoule.Session(interval_ms=10, trace="trace.jsonl") as session:
        with session.window("request") as request:
            with session.window("prefill") as prefill:
                ...
        for part in request.parts:
            print(part.name, part.energy.value_j, part.energy.u_j)

An energy that is missing has value_j None and a reason, never 0. The energy is computed when it is
first asked for, which may wait some milliseconds for the instruments; begin and end do not wait.
The shared library is found by the dynamic linker as libperjoule.so.0, or named in
$PERJOULE_LIBRARY. CUDA_VISIBLE_DEVICES, CUDA_DEVICE_ORDER, HIP_VISIBLE_DEVICES and
ROCR_VISIBLE_DEVICES are honoured.
"""
import atexit
import ctypes
import dataclasses
import os
import threading

__all__ = ["Energy", "Error", "Missing", "Part", "Session", "Source", "Window", "window"]

_ORIGINS = ("missing", "counter", "integrated", "modelled", "constant")
_EARLY = 1  # PJ_WINDOW_EARLY


class Error(Exception):
    """A call failed: `code` is the pj_status, the text one sentence that says what to do."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


# ---- the structs of include/perjoule ----

class _Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int), ("sys_errno", ctypes.c_int), ("text", ctypes.c_char * 504)]


_LOG = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_char_p)


class _Options(ctypes.Structure):
    _fields_ = [("size", ctypes.c_size_t), ("interval_ns", ctypes.c_int64),
                ("root", ctypes.c_char_p), ("trace_path", ctypes.c_char_p),
                ("replay_path", ctypes.c_char_p), ("nvml_path", ctypes.c_char_p),
                ("cuda_visible_devices", ctypes.c_char_p), ("cuda_device_order", ctypes.c_char_p),
                ("hip_visible_devices", ctypes.c_char_p),
                ("rocr_visible_devices", ctypes.c_char_p),
                ("max_windows", ctypes.c_uint32), ("measured_only", ctypes.c_int),
                ("log", _LOG), ("log_context", ctypes.c_void_p)]


class _Energy(ctypes.Structure):
    _fields_ = [("value_j", ctypes.c_double), ("u_ind_j", ctypes.c_double),
                ("u_com_j", ctypes.c_double), ("u_gain_j", ctypes.c_double),
                ("origin", ctypes.c_int), ("quality", ctypes.c_uint32),
                ("com_id", ctypes.c_char * 64), ("reason", ctypes.c_char * 192)]


class _Source(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("instrument", ctypes.c_char_p),
                ("domain", ctypes.c_char_p), ("parent", ctypes.c_char_p),
                ("kind", ctypes.c_char_p), ("device", ctypes.c_char_p),
                ("origin", ctypes.c_int), ("refresh_ns", ctypes.c_int64)]


class _Missing(ctypes.Structure):
    _fields_ = [("domain", ctypes.c_char_p), ("instrument", ctypes.c_char_p),
                ("kind", ctypes.c_char_p), ("reason", ctypes.c_char_p), ("fix", ctypes.c_char_p)]


class _Part(ctypes.Structure):
    _fields_ = [("source", ctypes.POINTER(_Source)), ("energy", _Energy),
                ("in_total", ctypes.c_int)]


class _Result(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("start_ns", ctypes.c_int64),
                ("end_ns", ctypes.c_int64), ("total", _Energy), ("measured", _Energy),
                ("modelled", _Energy), ("label", ctypes.c_char_p),
                ("part_count", ctypes.c_size_t)]


_VOID = ctypes.c_void_p
_ERR = ctypes.POINTER(_Error)
_SIGNATURES = {
    "pj_version": (ctypes.c_char_p, []),
    "pj_energy_u": (ctypes.c_double, [ctypes.POINTER(_Energy)]),
    "pj_quality_name": (ctypes.c_char_p, [ctypes.c_uint32]),
    "pj_session_open": (ctypes.c_int, [ctypes.POINTER(_VOID), ctypes.POINTER(_Options), _ERR]),
    "pj_session_stop": (ctypes.c_int, [_VOID, _ERR]),
    "pj_session_close": (None, [_VOID]),
    "pj_session_source_count": (ctypes.c_size_t, [_VOID]),
    "pj_session_source": (ctypes.POINTER(_Source), [_VOID, ctypes.c_size_t]),
    "pj_session_missing_count": (ctypes.c_size_t, [_VOID]),
    "pj_session_missing": (ctypes.POINTER(_Missing), [_VOID, ctypes.c_size_t]),
    "pj_window_begin": (ctypes.c_int, [_VOID, ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint64),
                                       _ERR]),
    "pj_window_end": (ctypes.c_int, [_VOID, ctypes.c_uint64, _ERR]),
    "pj_window_read": (ctypes.c_int, [_VOID, ctypes.c_uint64, ctypes.c_int64,
                                      ctypes.POINTER(ctypes.POINTER(_Result)), _ERR]),
    "pj_window_free": (ctypes.c_int, [_VOID, ctypes.c_uint64, _ERR]),
    "pj_result_part": (ctypes.POINTER(_Part), [ctypes.POINTER(_Result), ctypes.c_size_t]),
    "pj_result_free": (None, [ctypes.POINTER(_Result)]),
}

_lock = threading.Lock()
_library = None


def _lib():
    global _library
    with _lock:
        if _library is None:
            path = os.environ.get("PERJOULE_LIBRARY", "libperjoule.so.0")
            try:
                library = ctypes.CDLL(path)
            except OSError as failed:
                raise Error(-5, "libperjoule cannot be loaded (%s): install it, or name it in "
                            "PERJOULE_LIBRARY" % failed) from failed
            for name, (result, arguments) in _SIGNATURES.items():
                function = getattr(library, name)
                function.restype, function.argtypes = result, arguments
            _library = library
        return _library


def _call(function, *arguments):
    """The status, when it is not a failure."""
    err = _Error()
    status = function(*arguments, ctypes.byref(err))
    if status < 0:
        raise Error(status, err.text.decode("utf-8", "replace"))
    return status


# ---- what users see ----

@dataclasses.dataclass(frozen=True)
class Energy:
    """Joules. value_j is None where it is missing; u_* are standard uncertainties (k=1): u_ind_j is
    independent between windows, u_com_j shared by all windows of the instrument com_id."""
    value_j: float
    u_j: float
    u_ind_j: float
    u_com_j: float
    u_gain_j: float
    origin: str
    quality: tuple
    com_id: str
    reason: str

    @property
    def valid(self):
        return self.value_j is not None

    def __str__(self):
        if not self.valid:
            return "missing: " + self.reason
        return " ".join(["%.4g J ± %.2g J (95 %%), %s" % (self.value_j, 1.96 * self.u_j,
                                                          self.origin), *self.quality])


@dataclasses.dataclass(frozen=True)
class Source:
    name: str
    instrument: str
    domain: str
    parent: str
    kind: str
    device: str
    origin: str
    refresh_ns: int


@dataclasses.dataclass(frozen=True)
class Missing:
    """What exists or should exist here and cannot be read."""
    domain: str
    instrument: str
    kind: str
    reason: str
    fix: str


@dataclasses.dataclass(frozen=True)
class Part:
    name: str
    source: Source
    energy: Energy
    in_total: bool


def _energy(raw):
    names = (_lib().pj_quality_name(raw.quality & 1 << i) for i in range(32))
    valid = raw.origin != 0
    numbers = [raw.value_j, _lib().pj_energy_u(ctypes.byref(raw)), raw.u_ind_j, raw.u_com_j,
               raw.u_gain_j]
    return Energy(*(numbers if valid else [None] * 5), _ORIGINS[raw.origin],
                  tuple(name.decode() for name in names if name),
                  raw.com_id.decode("utf-8", "replace"), raw.reason.decode("utf-8", "replace"))


def _texts(raw, names):
    return [getattr(raw, name).decode("utf-8", "replace") for name in names]


def _source(raw):
    return Source(*_texts(raw, ("name", "instrument", "domain", "parent", "kind", "device")),
                  _ORIGINS[raw.origin], raw.refresh_ns)


class Window:
    """Begins when it is made (or entered), ends with end() or its block. Ending and reading are for
    any thread; results are kept."""

    def __init__(self, session, name):
        self.name = name
        self._session = session
        self._read = None
        self._lock = threading.Lock()
        self._handle = ctypes.c_uint64(0)
        _call(_lib().pj_window_begin, session._open(), name.encode(), ctypes.byref(self._handle))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self):
        _call(_lib().pj_window_end, self._session._open(), self._handle)

    def read(self, wait_s=None):
        """Waits until the instruments have shown the end (at most wait_s), and returns whether they
        have; the values until then are there in any case."""
        with self._lock:
            return self._read_once(wait_s)

    def _read_once(self, wait_s):
        if self._read and self._read["whole"]:
            return True
        lib = _lib()
        result = ctypes.POINTER(_Result)()
        wait_ns = -1 if wait_s is None else int(wait_s * 1e9)
        status = _call(lib.pj_window_read, self._session._open(), self._handle, wait_ns,
                       ctypes.byref(result))
        try:
            raw = result.contents
            parts = []
            for i in range(raw.part_count):
                part = lib.pj_result_part(result, i).contents
                source = _source(part.source.contents)
                parts.append(Part(source.name, source, _energy(part.energy), bool(part.in_total)))
            self._read = {"start_ns": raw.start_ns, "end_ns": raw.end_ns, "parts": tuple(parts),
                          "energy": _energy(raw.total), "measured": _energy(raw.measured),
                          "modelled": _energy(raw.modelled), "label": raw.label.decode(),
                          "whole": status != _EARLY}
        finally:
            lib.pj_result_free(result)
        if self._read["whole"]:
            self._free()
        return self._read["whole"]

    def _free(self):
        if self._handle.value and self._session._alive():
            _lib().pj_window_free(self._session._pointer, self._handle, None)
        self._handle = ctypes.c_uint64(0)

    def __del__(self):
        if getattr(self, "_handle", None) is not None:
            self._free()

    def _value(self, key):
        with self._lock:
            if not self._read:
                self._read_once(None)
            return self._read[key]

    start_ns = property(lambda self: self._value("start_ns"), doc="CLOCK_MONOTONIC")
    end_ns = property(lambda self: self._value("end_ns"), doc="CLOCK_MONOTONIC")
    energy = property(lambda self: self._value("energy"), doc="The total, an Energy")
    measured = property(lambda self: self._value("measured"), doc="Its measured part")
    modelled = property(lambda self: self._value("modelled"), doc="Its modelled part")
    label = property(lambda self: self._value("label"), doc='"machine", or what the total is')
    parts = property(lambda self: self._value("parts"), doc="A Part for each source")


class Session:
    """The instruments of this machine, read by a thread of the library until close(). Read the
    windows before that; a session belongs to the process that opened it."""

    def __init__(self, interval_ms=100, trace=None, replay=None, root=None, measured_only=False,
                 max_windows=0, nvml=None, log=None):
        def path(value):
            return None if value is None else os.fsencode(value)

        def env(name):
            value = os.environ.get(name)
            return None if value is None else os.fsencode(value)

        self._pointer = _VOID()
        self._pid = os.getpid()
        # kept: the library calls it as long as the session lives
        self._log = _LOG(lambda _, text: log(text.decode("utf-8", "replace"))) if log else _LOG()
        options = _Options(ctypes.sizeof(_Options), round(interval_ms * 1e6), path(root),
                           path(trace), path(replay), path(nvml), env("CUDA_VISIBLE_DEVICES"),
                           env("CUDA_DEVICE_ORDER"), env("HIP_VISIBLE_DEVICES"),
                           env("ROCR_VISIBLE_DEVICES"), max_windows, int(measured_only), self._log,
                           None)
        _call(_lib().pj_session_open, ctypes.byref(self._pointer), ctypes.byref(options))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def __del__(self):
        if getattr(self, "_pointer", None):
            self.close()

    def _alive(self):
        return bool(self._pointer) and self._pid == os.getpid()

    def _open(self):
        if not self._pointer:
            raise Error(-7, "the session was closed: read its windows before")
        return self._pointer

    def window(self, name=""):
        return Window(self, name)

    def stop(self):
        """Takes the last reading and completes the trace; windows stay readable."""
        _call(_lib().pj_session_stop, self._open())

    def close(self):
        pointer, self._pointer = self._pointer, _VOID()
        if pointer:
            _lib().pj_session_close(pointer)

    @property
    def sources(self):
        lib, pointer = _lib(), self._open()
        return [_source(lib.pj_session_source(pointer, i).contents)
                for i in range(lib.pj_session_source_count(pointer))]

    @property
    def missing(self):
        lib, pointer = _lib(), self._open()
        names = [name for name, _ in _Missing._fields_]
        return [Missing(*_texts(lib.pj_session_missing(pointer, i).contents, names))
                for i in range(lib.pj_session_missing_count(pointer))]


_default = None


def window(name=""):
    """A window of this process's own session, which is opened at the first call (100 ms)."""
    global _default
    if _default is None or not _default._alive():
        session = Session()
        if _default is None:
            atexit.register(lambda: _default.close())
        _default = session
    return _default.window(name)
