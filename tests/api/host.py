#!/usr/bin/env python3
"""host.py - the library from Python by ctypes alone, with the error's struct and declared argument types.

usage: host.py MODEL PROMPT [MAX_TOKENS]     The text goes to stdout, "stop_reason generated length" to stderr.
"""
import ctypes as C
import sys


class Error(C.Structure):
    _fields_ = [("status", C.c_int32), ("os_error", C.c_int32), ("position", C.c_int64), ("reserved", C.c_int64 * 2),
                ("subject", C.c_char * 112), ("text", C.c_char * 368)]


DONE, TEXT_BOUNDS = 2, 2
HANDLE, TEXT, LENGTH, SIZE = C.c_void_p, C.c_char_p, C.c_int64, C.c_size_t
SIGNATURES = {
    "model_open": [C.POINTER(HANDLE), TEXT, HANDLE],
    "context_open": [C.POINTER(HANDLE), HANDLE, HANDLE],
    "session_open": [C.POINTER(HANDLE), HANDLE, HANDLE],
    "options_open": [C.POINTER(HANDLE), TEXT],
    "options_set_int": [HANDLE, TEXT, C.c_int64],
    "session_append_text": [HANDLE, TEXT, LENGTH, C.c_int32],
    "session_generate": [HANDLE, HANDLE, HANDLE],
    "session_read": [HANDLE, C.c_char_p, SIZE, C.POINTER(SIZE), C.c_int64],
    "session_int": [HANDLE, TEXT, C.POINTER(C.c_int64)],
}
library = C.CDLL("libllminf.so.1")
for name, types in SIGNATURES.items():
    getattr(library, "llminf_" + name).argtypes = types + [C.POINTER(Error)]
for noun in ("model", "context", "session", "options"):
    getattr(library, f"llminf_{noun}_close").argtypes = [HANDLE]
    getattr(library, f"llminf_{noun}_close").restype = None


def call(name, *arguments):
    """Any function that returns a status; an error becomes an exception with its text."""
    error = Error()
    status = getattr(library, "llminf_" + name)(*arguments, C.byref(error))
    if status < 0:
        raise RuntimeError(f"{error.subject.decode()} ({status}): {error.text.decode()}")
    return status


def made(name, *arguments):
    """What an open call returns through its first parameter."""
    handle = HANDLE()
    call(name, C.byref(handle), *arguments)
    return handle


def integer(session, key):
    value = C.c_int64()
    call("session_int", session, key, C.byref(value))
    return value.value


def main(model_path, prompt, max_tokens="-1"):
    model = made("model_open", model_path.encode(), None)
    context = made("context_open", model, None)
    session = made("session_open", context, None)
    options = made("options_open", b"generate")
    call("options_set_int", options, b"max_tokens", int(max_tokens))
    call("session_append_text", session, prompt.encode(), -1, TEXT_BOUNDS)
    call("session_generate", session, None, options)
    text, length = C.create_string_buffer(64), SIZE()
    while call("session_read", session, text, len(text), C.byref(length), -1) != DONE:
        sys.stdout.write(text.raw[:length.value].decode())
    print(*[integer(session, key) for key in (b"stop_reason", b"generated", b"length")], file=sys.stderr)
    try:
        call("options_set_int", options, b"no_such_key", 1)
        sys.exit("an unknown key was taken")
    except RuntimeError:
        pass
    for noun, handle in (("model", model), ("options", options), ("session", session), ("context", context)):
        getattr(library, f"llminf_{noun}_close")(handle)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: host.py MODEL PROMPT [MAX_TOKENS]")
    main(*sys.argv[1:])
