"""
Runs a program on a terminal of its own: on-terminal.py ROWS COLUMNS PROGRAM ARGS...

Reads commands from standard input, one JSON object a line: {"send": text}, {"resize": [rows, columns]},
{"signal": number}. Writes what happens to standard output, one JSON object a line: {"data": text} of what the program
wrote, and in the end {"status": exit status, "restored": whether the terminal has its old modes}.
"""

import fcntl, json, os, select, signal, struct, sys, termios

rows, columns, *argv = sys.argv[1:]


def resize(to_rows, to_columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", to_rows, to_columns, 0, 0))


def say(**what):
    sys.stdout.write(json.dumps(what) + "\n")
    sys.stdout.flush()


# The other end stays open here, so that its modes can be looked at when the program is gone.
master, slave = os.openpty()
resize(int(rows), int(columns))
before = termios.tcgetattr(slave)
pid = os.fork()
if pid == 0:
    os.close(master)
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for number in (0, 1, 2):
        os.dup2(slave, number)
    os.execvp(argv[0], argv)

typed = b""
status = None
while status is None:
    ready, _, _ = select.select([master, 0], [], [], 0.1)
    if master in ready:
        say(data=os.read(master, 65536).decode("utf8", "replace"))
    if 0 in ready:
        more = os.read(0, 65536)
        if not more:
            os.kill(pid, signal.SIGKILL)
        *lines, typed = (typed + more).split(b"\n")
        for line in lines:
            command = json.loads(line)
            if "send" in command:
                os.write(master, command["send"].encode())
            if "resize" in command:
                resize(*command["resize"])
            if "signal" in command:
                os.kill(pid, command["signal"])
    ended, wait_status = os.waitpid(pid, os.WNOHANG)
    if ended:
        status = os.waitstatus_to_exitcode(wait_status)

while select.select([master], [], [], 0)[0]:
    say(data=os.read(master, 65536).decode("utf8", "replace"))
say(status=status, restored=termios.tcgetattr(slave) == before)
