"""Runs a command on a pseudo terminal: run-on-terminal.py <columns> <rows> <command> <arguments...>

What the terminal shows goes to standard output, standard input goes to it as keys; ends with the command's exit code, or 128 and its signal.
After the command has ended, a line "echo=1 canonical=1" on standard error says how it left the terminal's mode.
SIGTERM is passed on.
"""
import fcntl, os, pty, select, signal, struct, sys, termios

columns, rows = int(sys.argv[1]), int(sys.argv[2])
leader, follower = pty.openpty()
fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack('HHHH', rows, columns, 0, 0))
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(follower, termios.TIOCSCTTY, 0)
    for descriptor in (0, 1, 2):
        os.dup2(follower, descriptor)
    os.close(leader)
    os.close(follower)
    os.execvp(sys.argv[3], sys.argv[3:])
signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
inputs = [leader, 0]
status = None
while True:
    ready, _, _ = select.select(inputs, [], [], 0.05)
    for descriptor in ready:
        data = os.read(descriptor, 65536)
        if descriptor == leader:
            sys.stdout.buffer.write(data)
            sys.stdout.flush()
        elif data:
            os.write(leader, data)
        else:
            inputs.remove(0)
    if status is not None and leader not in ready:
        break
    if status is None:
        ended, code = os.waitpid(child, os.WNOHANG)
        status = code if ended else None
local = termios.tcgetattr(follower)[3]
sys.stderr.write('echo=%d canonical=%d\n' % (bool(local & termios.ECHO), bool(local & termios.ICANON)))
sys.exit(os.waitstatus_to_exitcode(status) if os.WIFEXITED(status) else 128 + os.WTERMSIG(status))
