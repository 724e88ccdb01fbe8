"""Issues system calls for the POSIX suite: one process a user, JSON lines on standard input and output.

    agent.py UID GID [GROUP,GROUP...]

A request names a function of the C library and its arguments: numbers, {"int": digits}, texts (paths), {"in": base64}, {"out": size},
{"inout": base64} or null. The reply is {"value": number, "errno": name or null, "out": [base64, ...]}.
"""
import base64
import ctypes
import errno
import json
import os
import signal
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)

# What returns more than an int.
LONG = set(
    """read write pread pwrite preadv pwritev readv writev lseek readlink readlinkat getxattr lgetxattr fgetxattr
    listxattr llistxattr flistxattr copy_file_range sendfile splice getdents64 syscall mmap recv send""".split()
)
ALIASES = {"ENOTSUP": "EOPNOTSUPP", "EDEADLOCK": "EDEADLK", "EWOULDBLOCK": "EAGAIN"}


def become(uid, gid, groups):
    os.setgroups(groups)
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)


def marshal(arg, outs):
    if arg is None:
        return ctypes.c_void_p(0)
    if isinstance(arg, int):
        return ctypes.c_long(arg)
    if isinstance(arg, str):
        return ctypes.c_char_p(arg.encode())
    if "int" in arg:
        return ctypes.c_long(int(arg["int"]))
    if "in" in arg:
        return ctypes.create_string_buffer(base64.b64decode(arg["in"]))
    if "out" in arg:
        buffer = ctypes.create_string_buffer(max(1, arg["out"]))
        outs.append((buffer, arg["out"]))
        return buffer
    data = base64.b64decode(arg["inout"])
    buffer = ctypes.create_string_buffer(data, len(data) + 1)
    outs.append((buffer, len(data)))
    return buffer


def error_name(number):
    name = errno.errorcode.get(number, str(number))
    return ALIASES.get(name, name)


def call(name, args):
    outs = []
    function = getattr(libc, name)
    function.restype = ctypes.c_long if name in LONG else ctypes.c_int
    values = [marshal(arg, outs) for arg in args]
    ctypes.set_errno(0)
    value = function(*values)
    failed = value == -1
    return {
        "value": value,
        "errno": error_name(ctypes.get_errno()) if failed else None,
        "out": [base64.b64encode(buffer.raw[:size]).decode() for buffer, size in outs],
    }


def reset():
    os.chdir("/")
    os.closerange(3, 1024)
    os.umask(0o022)
    return {"value": 0, "errno": None, "out": []}


def peek(address, size):
    return {"value": 0, "errno": None, "out": [base64.b64encode(ctypes.string_at(address, size)).decode()]}


def poke(address, data):
    data = base64.b64decode(data)
    ctypes.memmove(address, data, len(data))
    return {"value": 0, "errno": None, "out": []}


def run(argv):
    """The exit status of a program, or why it could not be started."""
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, close_fds=True)
        return {"value": done.returncode, "errno": None, "out": [base64.b64encode(done.stdout).decode()]}
    except OSError as error:
        return {"value": -1, "errno": error_name(error.errno), "out": []}


OPERATIONS = {"reset": reset, "peek": peek, "poke": poke, "run": run}


def main():
    uid, gid = int(sys.argv[1]), int(sys.argv[2])
    groups = [int(group) for group in sys.argv[3].split(",")] if len(sys.argv) > 3 and sys.argv[3] else []
    become(uid, gid, groups)
    os.umask(0o022)
    # Interrupts a call that waits, and does nothing else.
    signal.signal(signal.SIGUSR1, lambda *_: None)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    while True:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        name, args = json.loads(line)
        try:
            reply = OPERATIONS[name](*args) if name in OPERATIONS else call(name, args)
        except Exception as error:  # A mistake in a test, told to its author.
            reply = {"value": -1, "errno": f"agent: {error!r}", "out": []}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


main()
