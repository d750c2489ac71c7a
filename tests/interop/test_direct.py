"""Direct style: functions on fibers that serve sessions and streams (tests/tools/direct_server.c): each
call, each event, each way of losing the client, and the same program in both styles."""

import asyncio
import contextlib
import hashlib
import os
import re
import socket
import subprocess
import threading
import time

import pytest

from clients import Nothing, OpenSSH
from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_FAILURE,
    CHANNEL_OPEN,
    CHANNEL_REQUEST,
    CHANNEL_SUCCESS,
    OPEN_CONFIRMATION,
    OPEN_FAILURE,
    Closed,
    Raw,
    Reader,
    boolean,
    string,
    u32,
)
from servers import PATIENCE, Example, Program, built

asyncssh = pytest.importorskip("asyncssh")

ECONN, EOF, ESIGNAL = -5, -24, -25


class DirectServer(Program):
    """tests/tools/direct_server"""

    def __init__(self, *arguments):
        super().__init__([built("tools", "direct_server"), *arguments])
        line = self.out.wait(lambda text: text.startswith("listening on "))
        self.port = int(line.rsplit(":", 1)[1])

    def mark(self):
        with self.out.condition:
            return len(self.out.items)

    def said(self, text, start=0, times=1):
        """Waits until a line was said so many times."""
        seen = 0

        def wanted(line):
            nonlocal seen
            seen += line == text
            return seen >= times

        return self.out.wait(wanted, start=start)

    def stats(self):
        start = self.mark()
        self.tell("stats")
        line = self.out.wait(lambda text: text.startswith("stats "), start=start)
        fibers, channels, connections, held = (int(word) for word in line.split()[1:])
        return {"fibers": fibers, "channels": channels, "connections": connections, "bytes": held}

    def settle(self, **wanted):
        """The statistics, when these values are reached."""
        deadline = time.monotonic() + PATIENCE
        while True:
            stats = self.stats()
            if all(stats[name] == value for name, value in wanted.items()):
                return stats
            assert time.monotonic() < deadline, stats

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def close(self):
        code = self.finish(self.process.stdin.close)
        assert code == 0, f"direct_server ended with {code}"
        assert self.out.items[-1] == "bytes 0"  # all memory is back


@pytest.fixture
def start_direct():
    running = []

    def start(*arguments):
        running.append(DirectServer(*arguments))
        return running[-1]

    yield start
    for server in running:
        server.close()


@pytest.fixture
def direct(start_direct):
    return start_direct()


@pytest.fixture(scope="module")
def openssh(tmp_path_factory, keys):
    return OpenSSH(tmp_path_factory.mktemp("openssh"), keys)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 3 * PATIENCE))


def connect(server, user="user"):
    return asyncssh.connect(
        "127.0.0.1", server.port, username=user, known_hosts=None, client_keys=None, config=None,
        agent_path=None,
    )


USERS = ["user", "later"]

# ---- sessions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("user", USERS)
def test_calls(direct, openssh, user):
    """Each reading and writing call, at once and later, with OpenSSH."""

    def ask(command, data=b"", **options):
        result = openssh.run(direct, command, user=user, auth=Nothing(), input=data, **options)
        return result.code, result.text

    assert ask(None, b"ann\n") == (0, "Your name? Hello, ann!\n")
    assert ask("echo", b"a" * 100000) == (0, "a" * 100000)
    assert ask("gets", b"one\r\n\ntwo\nquit\nthree\n") == (7, "[one] 3\n[] 0\n[two] 3\n")
    assert ask("gets", b"last") == (255, "[last] 4\n")
    assert ask("gets 4", b"abc\nabcd\nabcde\nabc\r\nabcd\r\n" + b"x" * 200000 + b"\nok\n") == (
        255, "[abc] 3\ntoo long\ntoo long\n[abc] 3\ntoo long\ntoo long\n[ok] 2\n"
    )
    assert ask("exactly 4", b"abcdefghij") == (0, "4 abcd\n4 efgh\n2 ij\n")
    assert ask("until --", b"ab--cd-e--f-") == (255, "<ab-->\n<cd-e-->\n<f->\n")
    assert ask("until --", b"x" * 150 + b"--y--") == (255, "limit\n<" + "x" * 50 + "-->\n<y-->\n")
    assert ask("until --") == (255, "")
    assert ask("status 3") == (3, "so\n")
    assert ask("status 255") == (255, "so\n")
    assert ask("status 256") == (255, "so\n")
    assert ask("exit") == (9, "out\n")
    assert ask("about", env="LANG=C.x") == (0, f"about - 0 0 C.x {user}\n")
    assert ask("missing") == (0, "no such file or name\n")
    assert ask("nothing") == (127, "")
    result = openssh.run(direct, "print", user=user, auth=Nothing())
    assert (result.code, result.text) == (0, "x" * 100000 + ".5\n")
    assert "100003\nerr\n" in result.err
    assert ask("echo", b"sub", subsystem="other")[0] == 127  # "other" is accepted, and no task
    assert ask("echo", b"sub", subsystem="echo") == (0, "sub")
    assert ask("echo", b"sub", subsystem="sftp")[0] == 255
    direct.settle(fibers=0, channels=0, connections=0)


def test_what_is_granted(direct):
    """Options: a terminal and a shell are refused, a command is not."""

    async def ask():
        async with connect(direct, "strict") as conn:
            with pytest.raises(asyncssh.ChannelOpenError):
                await conn.create_process()
            with pytest.raises(asyncssh.ChannelOpenError):
                await conn.create_process("about", term_type="vt100")
            assert (await conn.run("status 4")).exit_status == 4
        async with connect(direct) as conn:
            result = await conn.run("about", term_type="vt100", term_size=(90, 20))
            assert result.stdout.startswith("about vt100 90 20 - user")
            result = await conn.run("kill TERM")
            assert result.exit_signal[0] == "TERM"

    run(ask())
    direct.said("released session", times=5)


def test_half_close(direct, openssh):
    process = openssh.start(direct, "half", user="user", auth=Nothing())
    assert process.stdout.read() == b"last word\n"  # to its end, and the function goes on
    process.stdin.write(b"still here\n")
    process.stdin.close()
    assert process.wait(PATIENCE) == 0
    direct.said("heard still here")
    for stream in (process.stdout, process.stderr):
        stream.close()


async def until(process, text):
    line = await process.stdout.readline()
    assert line.rstrip("\r\n") == text, line


async def until_line(process, text):
    """Skips what a terminal's editor draws meanwhile."""
    while True:
        line = await process.stdout.readline()
        assert line, f"never came: {text}"
        if re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", line).rstrip("\r\n").endswith(text):
            return


def test_events_in_reads(direct):
    """Signals, resizes and breaks as what reading calls return; a line begun is not lost."""

    async def ask():
        async with connect(direct) as conn:
            process = await conn.create_process("events", term_type="vt100", term_size=(80, 24))
            await until_line(process, "ready")
            process.send_signal("INT")
            await until_line(process, "signal INT")
            process.stdin.write("begun, ")
            process.change_terminal_size(132, 50)
            await until_line(process, "resize 132 50")
            process.stdin.write("done\r")
            await until_line(process, "line begun, done")
            process.send_break(750)
            await until_line(process, "break 750")
            process.send_signal("USR1@example.com")
            process.send_signal("x" * 40)  # too long a name: nothing
            process.send_signal("TERM")
            await until_line(process, "signal USR1@example.com")
            await until_line(process, "signal TERM")
            process.stdin.write_eof()
            await process.wait()
            assert process.exit_status == 255

    run(ask())
    direct.said(f"end events {EOF}")


def test_events_by_wait(direct):
    async def ask():
        async with connect(direct) as conn:
            process = await conn.create_process("wait")
            await until(process, "ready")
            process.send_signal("HUP")
            await until(process, "kind 2")
            process.send_break(1)
            await until(process, "kind 8")
            process.stdin.write("text\n")
            await until(process, "kind 1")
            await until(process, "line text")
            process.stdin.write_eof()
            await until(process, "kind 1")
            await process.wait()
            timed = await conn.run("wait 20")
            assert timed.stdout == "ready\nkind 0\n"
            assert (await conn.run("wait 0")).stdout == "ready\nkind 0\n"

    run(ask())


def test_break_needs_to_be_asked_for(direct):
    for command, answer in (("events", CHANNEL_SUCCESS), ("gets", CHANNEL_FAILURE)):
        with Raw(direct.port, login=("user", "x")) as raw:
            theirs = session(raw, command)
            if command == "events":
                assert raw.expect(CHANNEL_DATA)
            raw.send(bytes([CHANNEL_REQUEST]) + u32(theirs) + string("break") + boolean(True) + u32(1))
            raw.expect(answer)


def test_many_signals_are_bounded(direct):
    """Eight are kept while the function sleeps; the server lives on."""

    async def ask():
        async with connect(direct) as conn:
            process = await conn.create_process("sleep 200")
            for _ in range(2000):
                process.send_signal("USR1")
            await process.wait()
            assert process.stdout is not None

    run(ask())


def test_five_hundred_sleep_at_once(direct):
    """In one thread, and much faster than one after another."""

    async def ask():
        async with contextlib.AsyncExitStack() as stack:
            conns = [await stack.enter_async_context(connect(direct)) for _ in range(5)]
            started = time.monotonic()
            results = await asyncio.gather(*(conns[i % 5].run("sleep 1000") for i in range(500)))
            assert all(result.stdout == "awake\n" for result in results)
            return time.monotonic() - started

    assert run(ask()) < 250
    direct.settle(fibers=0, channels=0)
    with open(f"/proc/{direct.pid}/status", encoding="ascii") as file:
        threads = int(re.search(r"Threads:\s+(\d+)", file.read()).group(1))
    assert threads <= 6  # the loop's, the orders', four of libuv's pool at the most


def test_too_many_fibers(start_direct):
    """The limit refuses, and nothing else is hurt."""
    server = start_direct("2")

    async def ask():
        async with connect(server) as conn:
            first = await conn.create_process("echo")
            second = await conn.create_process("echo")
            with pytest.raises(asyncssh.ChannelOpenError):
                await conn.create_process("echo")
            reader, writer = await conn.open_connection("echo", 1)
            assert await reader.read() == b""
            writer.close()
            first.stdin.write_eof()
            await first.wait()
            assert (await conn.run("status 0")).exit_status == 0
            second.stdin.write_eof()
            await second.wait()

    run(ask())


def test_blocking_work_delays_nobody(direct):
    async def ask():
        async with connect(direct) as conn:
            slow = await conn.create_process("work 1500")
            await asyncio.get_running_loop().run_in_executor(None, direct.said, "working")
            assert (await conn.run("status 0")).exit_status == 0
            assert "worked" not in direct.out.items
            await until(slow, "worked 1")
            await slow.wait()
            assert slow.exit_status == 0

    run(ask())


def test_one_wakes_another(direct):
    async def ask():
        async with connect(direct) as conn:
            first = await conn.create_process("wake")
            await asyncio.get_running_loop().run_in_executor(None, direct.said, "waits")
            assert (await conn.run("wake")).exit_status == 0
            await until(first, "from the other one")
            await until(first, "woken")
            await first.wait()
            assert first.exit_status == 0

    run(ask())


# ---- children -----------------------------------------------------------------------------------


def test_spawn(direct, openssh):
    def ask(command, data=b"", **options):
        return openssh.run(direct, command, user="user", auth=Nothing(), input=data, **options)

    result = ask("spawn cat; echo also >&2; exit 5", b"through a child")
    assert (result.code, result.text) == (5, "through a child")
    assert "also" in result.err
    assert ask("spawn kill -KILL $$").code == 128 + 9
    result = ask("two", b"mine\nabcdef")
    assert result.text == "first mine\nabcdefstatus 3\nstatus 143\nend of input\n"
    assert "to stderr" in result.err
    assert result.code == 4


def test_spawn_with_a_terminal(direct):
    async def ask():
        async with connect(direct) as conn:
            process = await conn.create_process(
                "spawn tty; stty size; read a; stty size; echo got $a; exit 6",
                term_type="vt100", term_size=(90, 20),
            )
            await until_line(process, "20 90")
            process.change_terminal_size(100, 30)
            process.stdin.write("typed\n")
            await until_line(process, "30 100")
            await until_line(process, "got typed")
            await process.wait()
            assert process.exit_status == 6

    run(ask())


def test_transfer_through_a_child(direct, openssh, random_file):
    path, digest, _ = random_file
    result = openssh.run(direct, "spawn cat", user="user", auth=Nothing(), input_path=path)
    assert result.code == 0
    assert hashlib.sha256(result.out).hexdigest() == digest


# ---- transfers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("user", USERS)
def test_transfer_both_ways(direct, openssh, random_file, user):
    path, digest, _ = random_file
    result = openssh.run(direct, "echo", user=user, auth=Nothing(), input_path=path)
    assert result.code == 0
    assert hashlib.sha256(result.out).hexdigest() == digest
    direct.settle(fibers=0)


def test_a_slow_reader_holds_only_itself(direct, openssh):
    """Two that never read what is flooded, one that never is read: memory stays bounded, others go on."""
    slow = [openssh.start(direct, "flood", user="user", auth=Nothing()) for _ in range(2)]
    deaf = openssh.start(direct, "sleep 1000000", user="user", auth=Nothing())
    sent = 0
    os.set_blocking(deaf.stdin.fileno(), False)
    direct.settle(fibers=3)
    quiet = time.monotonic() + 1
    while time.monotonic() < quiet:
        with contextlib.suppress(BlockingIOError):
            sent += os.write(deaf.stdin.fileno(), b"x" * 65536)
            quiet = time.monotonic() + 1
    assert sent < 16 << 20
    result = openssh.run(direct, "echo", user="user", auth=Nothing(), input=b"y" * 1000000)
    assert result.out == b"y" * 1000000
    stats = direct.stats()
    assert stats["fibers"] == 3
    assert stats["bytes"] < 32 << 20
    for process in slow + [deaf]:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            with contextlib.suppress(BrokenPipeError):
                stream.close()
    direct.said(f"end flood {ECONN}", times=2)
    direct.said(f"end sleep {ECONN}")


def test_drain(direct, openssh):
    assert len(openssh.run(direct, "drain", user="user", auth=Nothing()).out) == 4 << 20
    direct.said("drained 0 0")


# ---- streams ------------------------------------------------------------------------------------


@pytest.mark.parametrize("user", USERS)
def test_streams(direct, user):
    async def ask():
        async with connect(direct, user) as conn:
            for opens in (lambda: conn.open_connection("gets", 1),
                          lambda: conn.open_unix_connection("gets")):
                reader, writer = await opens()
                writer.write(b"one\ntwo\n")
                assert await reader.readline() == b"[one] 3\n"
                assert await reader.readline() == b"[two] 3\n"
                writer.write_eof()
                assert await reader.read() == b""
                writer.close()
                await writer.wait_closed()
            reader, writer = await conn.open_connection("print", 1)
            assert (await reader.read()).endswith(b"xx.5\n")
            writer.close()

    run(ask())
    direct.said(f"end gets {EOF}", times=2)
    direct.said("released gets", times=2)
    direct.said("released print")
    direct.settle(fibers=0, channels=0)


@contextlib.contextmanager
def forwarding(openssh, server, path, target):
    """ssh -L from a UNIX socket."""
    arguments = openssh.options(server, "user", Nothing(), {"more": ["-N", "-L", f"{path}:{target}"]})
    process = subprocess.Popen(
        arguments + ["127.0.0.1"], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**os.environ, **openssh.environment()},
    )
    deadline = time.monotonic() + PATIENCE
    while not os.path.exists(path):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    try:
        yield
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("target", ["echo:1", "/nothing"])
def test_transfer_on_a_stream(direct, openssh, random_file, tmp_path, target):
    """64 MiB both ways through ssh -L to a TCP name; and a path that is no task ends at once."""
    path, digest, size = random_file
    with forwarding(openssh, direct, str(tmp_path / "s"), target):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(tmp_path / "s"))
            sock.settimeout(PATIENCE)
            if target == "/nothing":
                assert sock.recv(1) == b""
                direct.said("end unknown 127")
                return

            def send():
                with open(path, "rb") as file:
                    sock.sendfile(file)
                sock.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=send)
            thread.start()
            check, got = hashlib.sha256(), 0
            while piece := sock.recv(1 << 16):
                check.update(piece)
                got += len(piece)
            thread.join()
            assert (got, check.hexdigest()) == (size, digest)


# ---- loss ---------------------------------------------------------------------------------------

WAITS = ["gets", "echo", "exactly 9", "until x", "wait", "sleep 1000000", "flood", "work 300",
         "spawn sleep 1000", "spawn trap '' HUP; sleep 0.3", "password", "drain"]


@pytest.mark.parametrize("how", ["abort", "disconnect", "close"])
def test_client_vanishes_in_each_wait(direct, how):
    """The call returns SP_ECONN; nothing is left: counted."""

    async def ask(command):
        async with connect(direct) as conn:
            process = await conn.create_process(command)
            if command == "drain":
                process.channel.pause_reading()
            deadline = time.monotonic() + PATIENCE
            while direct.stats()["fibers"] == 0 and command != "drain":
                assert time.monotonic() < deadline
            if command.startswith("work"):
                direct.said("working", start=mark)
            if how == "abort":
                conn.abort()
            elif how == "close":
                process.close()
                await process.wait_closed()
            # else: an orderly disconnection

    def settled():
        return direct.settle(fibers=0, channels=0, connections=0)

    mark = direct.mark()
    for command in WAITS:
        run(ask(command))  # what is made once is made now
    base = settled()
    descriptors = direct.descriptors()
    for command in WAITS:
        mark = direct.mark()
        run(ask(command))
        name = command.split()[0]
        line = direct.out.wait(lambda text: text.startswith(f"end {name} "), start=mark)
        if command != "drain":  # it may have been through
            assert line == f"end {name} {ECONN}"
        direct.said("released session", start=mark)
        if command.startswith("work"):
            direct.said("worked", start=mark)
    assert settled()["bytes"] <= base["bytes"] + 4096
    deadline = time.monotonic() + PATIENCE
    while direct.descriptors() > descriptors:  # a child that was hung up may take its time
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_everything_after_loss(direct):
    async def ask():
        async with connect(direct) as conn:
            await conn.create_process("stubborn")
            deadline = time.monotonic() + PATIENCE
            while direct.stats()["fibers"] == 0:
                assert time.monotonic() < deadline
            conn.abort()

    run(ask())
    direct.said("stubborn 1")


def session(raw, command=None, number=7):
    raw.send(bytes([CHANNEL_OPEN]) + string("session") + u32(number) + u32(1 << 20) + u32(32768))
    reply = Reader(raw.expect(OPEN_CONFIRMATION)[1:])
    reply.u32()
    theirs = reply.u32()
    if command is not None:
        raw.send(
            bytes([CHANNEL_REQUEST]) + u32(theirs) + string("exec") + boolean(True) + string(command)
        )
        raw.expect(CHANNEL_SUCCESS)
    return theirs


def test_client_leaves_before_it_starts(direct):
    """A session that never asked for anything, and one that is gone before its answer: the data is
    released, and no function runs."""
    with Raw(direct.port, login=("user", "x")) as raw:
        theirs = session(raw)
        raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
        raw.expect(CHANNEL_CLOSE)
        direct.said("released session")
        session(raw)
    direct.said("released session", times=2)
    with Raw(direct.port, login=("later", "x")) as raw:
        raw.send(bytes([CHANNEL_OPEN]) + string("session") + u32(7) + u32(1 << 20) + u32(32768))
    direct.settle(connections=0, channels=0, fibers=0)
    assert not [line for line in direct.out.items if line.startswith("end ")]


def test_bytes_before_an_orderly_close_are_read(direct):
    with Raw(direct.port, login=("user", "x")) as raw:
        theirs = session(raw, "half")
        raw.expect(CHANNEL_DATA)
        raw.send(bytes([CHANNEL_DATA]) + u32(theirs) + string("last line\n"))
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
        direct.said("heard last line")


def whole_session(raw, command, data):
    """A session on a terminal from its open to its end, whichever that is."""
    raw.send(bytes([CHANNEL_OPEN]) + string("session") + u32(7) + u32(1 << 20) + u32(32768))
    while (payload := raw.receive())[0] != OPEN_CONFIRMATION:
        if payload[0] == OPEN_FAILURE:
            return
    reader = Reader(payload[1:])
    reader.u32()
    theirs = reader.u32()
    size = u32(80) + u32(24) + u32(0) + u32(0)
    raw.send(bytes([CHANNEL_REQUEST]) + u32(theirs) + string("pty-req") + boolean(False)
             + string("xterm") + size + string(b"\0"))
    raw.send(bytes([CHANNEL_REQUEST]) + u32(theirs) + string("exec") + boolean(True) + string(command))
    raw.send(bytes([CHANNEL_DATA]) + u32(theirs) + string(data))
    raw.send(bytes([CHANNEL_REQUEST]) + u32(theirs) + string("window-change") + boolean(False) + size)
    raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
    closed = False
    while (message := raw.receive()[0]) != CHANNEL_CLOSE:
        if message == CHANNEL_FAILURE:
            raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
            closed = True
    if not closed:
        raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))


@pytest.mark.parametrize("command,data", [
    ("password", b"secret\rshown\r"),
    ("print", b""),
    ("two", b"x\rabcdef"),
    ("work 1", b""),
    ("sleep 1", b""),
    ("gets", b"one\r\x1b[Atwo\r" + b"z" * 9000 + b"\r"),
], ids=["password", "print", "two", "work", "sleep", "gets"])
def test_every_allocation_fails_once(direct, command, data):
    """The n-th one in a session, for all n: the session or its connection ends, nothing else does."""
    n, failed, raw = 0, True, None
    while failed:
        if raw is None:
            raw = Raw(direct.port, login=("user", "x"))
        mark = direct.mark()
        direct.tell(f"fail {n}")
        direct.said(f"fails at {n}", start=mark)
        try:
            whole_session(raw, command, data)
        except (Closed, OSError):
            raw.sock.close()
            raw = None
        mark = direct.mark()
        direct.tell("fail -1")
        failed = "1" in direct.out.wait(lambda line: line.startswith("failed "), start=mark)
        direct.settle(fibers=0, channels=0)
        n += 1
    assert n > 10
    with Raw(direct.port, login=("user", "x")) as raw:
        whole_session(raw, "status 0", b"")


@pytest.mark.parametrize("command", ["gets", "sleep 1000000", "work 700", "flood", "spawn sleep 99"])
def test_server_ends_with_functions_running(command):
    """sp_server_stop and sp_server_free let each function run to its end."""
    server = DirectServer()

    async def ask():
        async with connect(server) as conn:
            await conn.create_process(command)
            deadline = time.monotonic() + PATIENCE
            while server.stats()["fibers"] == 0:
                assert time.monotonic() < deadline
            if command.startswith("work"):
                server.said("working")
            server.close()
            with contextlib.suppress(Exception):
                await conn.wait_closed()

    run(ask())
    assert f"end {command.split()[0]} {ECONN}" in server.out.items
    assert "released session" in server.out.items


# ---- terminals ----------------------------------------------------------------------------------


class Screen:
    """A session on a terminal, by AsyncSSH: what is typed, and all that was shown."""

    def __init__(self, process):
        self.process = process
        self.text = ""

    async def shows(self, text, more=0):
        """Reads until this was shown since the last such call, and returns what was."""
        while text not in self.text:
            piece = await self.process.stdout.read(4096)
            assert piece, f"never shown: {text!r}; but {self.text!r}"
            self.text += piece
        at = self.text.index(text) + len(text)
        shown, self.text = self.text[:at], self.text[at:]
        return shown

    async def rest(self):
        return self.text + await self.process.stdout.read()

    def types(self, text):
        self.process.stdin.write(text)


@contextlib.asynccontextmanager
async def screen(server, command=None, user="user"):
    async with connect(server, user) as conn:
        process = await conn.create_process(command, term_type="xterm", term_size=(80, 24))
        yield Screen(process)


def test_lines_are_edited(direct):
    async def ask():
        async with screen(direct) as s:
            await s.shows("Your name? ")
            s.types("anx\x7fn\x1b[D\x1b[D\x1b[DJo\r")  # DEL; three to the left; Jo in front
            await s.shows("Hello, Joann!\r\n")
            await s.process.wait()
            assert s.process.exit_status == 0
        async with screen(direct, "gets") as s:
            s.types("first\r")
            await s.shows("[first] 5\r\n")
            s.types("\x1b[A again\r")  # up: the history
            await s.shows("[first again] 11\r\n")
            s.types("thrown away\x03")
            await s.process.wait()
            assert s.process.exit_status == 255
        async with screen(direct, "gets") as s:
            s.types("\x04")
            await s.process.wait()
        async with screen(direct, "events") as s:
            await s.shows("ready\r\n")
            s.types("no\x03")
            await s.shows("signal INT\r\n")
            s.types("yes\r")
            await s.shows("line yes\r\n")

    run(ask())
    direct.said("end gets -22")
    direct.said(f"end gets {EOF}")


def test_passwords_are_not_shown(direct, openssh):
    async def ask():
        async with screen(direct, "password") as s:
            await s.shows("Password: ")
            s.types("top secret\r")
            await s.shows("Shown: ")
            s.types("visible\r")
            shown = await s.shows("10 and visible\r\n")
            assert "secret" not in shown
            assert shown.count("visible") == 2
        async with screen(direct, "password") as s:
            await s.shows("Password: ")
            s.types("top secret\rto be seen\r")  # ahead
            shown = await s.shows("10 and to be seen\r\n")
            assert "secret" not in shown

    run(ask())
    result = openssh.run(direct, "password", user="user", auth=Nothing(), input=b"abc\nx\n")
    assert result.text == "Password: Shown: 3 and x\n"


def test_told_above_the_line(direct):
    """What another function says does not tear the line that is being edited."""

    async def ask():
        async with screen(direct, "wake") as first, connect(direct) as conn:
            await asyncio.get_running_loop().run_in_executor(None, direct.said, "waits")
            await conn.run("wake")
            await first.shows("from the other one\r\n")
            await first.shows("woken\r\n")

    run(ask())


def test_without_the_editor(direct):
    """Bytes come and go as they are; a line still ends with CR. Its client may have no terminal."""

    async def ask():
        async with connect(direct, "strict") as conn:
            result = await conn.run("gets", input="a\rb\n")
            assert result.stdout == "[a\rb] 3\n"
        async with connect(direct, "plain") as conn:
            process = await conn.create_process("gets", term_type="xterm", stdin=asyncssh.PIPE)
            process.stdin.write("a\x7f\rb\r\nc\n")
            for line in ("[a\x7f] 2\n", "[b] 1\n", "[c] 1\n"):
                assert await process.stdout.readline() == line

    run(ask())


def test_long_output_on_a_terminal(direct):
    async def ask():
        async with screen(direct, "print") as s:
            assert "x" * 100000 + ".5\r\n" in await s.rest()

    run(ask())


def test_terminal_with_openssh(direct, openssh):
    with openssh.interact(direct, user="user", auth=Nothing(), columns=70, rows=20) as terminal:
        terminal.expect(r"Your name\? ")
        terminal.send("ann\r")
        terminal.expect("Hello, ann!")


# ---- the examples -------------------------------------------------------------------------------

SCENARIO = [
    b"first line\n", b"sec", b"ond", b" line\r\nthird\nfou", b"rth\n", b"\n", b"x" * 255 + b"\n",
    b"x" * 256 + b"\n", b"x" * 100000, b"\nafter\n", b"y" * 255 + b"\r\n", b"a\nb\nc\n" * 500,
]


def record(name, scenario, ending):
    """What a client gets, decrypted: the bytes, then the order of what ends the channel."""
    with Example(name) as server, Raw(server.port, login=("user", "x")) as raw:
        theirs = session(raw, "anything")
        for step in scenario:
            for at in range(0, len(step), 30000):
                raw.send(bytes([CHANNEL_DATA]) + u32(theirs) + string(step[at : at + 30000]))
        if ending == "eof":
            raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        else:
            raw.send(bytes([CHANNEL_DATA]) + u32(theirs) + string(ending))
        data, rest = b"", []
        while not rest or rest[-1][0] != CHANNEL_CLOSE:
            payload = raw.expect(CHANNEL_DATA, CHANNEL_REQUEST, CHANNEL_EOF, CHANNEL_CLOSE)
            if payload[0] == CHANNEL_DATA:
                assert not rest
                reader = Reader(payload[1:])
                reader.u32()
                data += reader.string()
            else:
                rest.append(payload)
        return data, rest


@pytest.mark.parametrize("ending", ["eof", b"bye\nand more\n", b"bye\r\n"])
def test_both_styles_say_the_same(ending):
    direct = record("echo_direct", SCENARIO, ending)
    assert direct == record("echo_callback", SCENARIO, ending)
    assert direct[0].count(b"\n") == 1511
    assert direct[0].count(b"That was too much.\n") == 2


def test_echo_direct(openssh):
    with Example("echo_direct") as server:
        result = openssh.run(server, user="ann", auth=Nothing(), input=b"hello\nbye\n")
        assert result.text == 'Say something; "bye" ends.\nYou said: hello\n'
        assert result.code == 0
        assert openssh.run(server, user="ann", auth=Nothing(), input=b"hello\n").code == 1


def test_device_shell(openssh):
    with Example("device_shell") as server:
        def command(text, data=b""):
            result = openssh.run(server, text, user="admin", auth=Nothing(), input=data)
            return result.code, result.text

        assert command("show") == (0, "device: the light is off\n")
        assert command("light on") == (0, "")
        assert command("light dim")[0] == 2
        assert command("rename lamp", b"no\n") == (1, "Really? ")
        assert command("rename lamp", b"yes\n") == (0, "Really? ")
        assert command("show") == (0, "lamp: the light is on\n")
        assert command("rm -rf /")[0] == 127
        assert "lamp> lamp: the light is on\n" in command(None, b"show\nexit\nshow\n")[1]

        async def ask():
            async with screen(server) as s:
                await s.shows("lamp> ")
                s.types("light off\r")
                await s.shows("lamp> ")
                s.types("\x1b[A\x17on\x03")  # recalled, changed, thrown away
                await s.shows("lamp> ")
                s.types("sho\x7fow\r")
                await s.shows("lamp: the light is off\r\n")
                s.types("exit\r")
                await s.process.wait()
                assert s.process.exit_status == 0

        run(ask())
