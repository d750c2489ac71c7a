"""Direct style: functions on fibers that serve sessions and streams (tests/tools/direct_server.c): each
call, each event, and bytes both ways."""

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

from clients import Nothing
from direct_style import (  # noqa: F401 - fixtures too
    connect,
    direct,
    ECONN,
    EOF,
    openssh,
    run,
    session,
    start_direct,
)
from rawssh import (
    CHANNEL_DATA,
    CHANNEL_FAILURE,
    CHANNEL_REQUEST,
    CHANNEL_SUCCESS,
    Raw,
    boolean,
    string,
    u32,
)
from servers import PATIENCE, wait_until

asyncssh = pytest.importorskip("asyncssh")

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
    wait_until(lambda: os.path.exists(path) or process.poll() is not None)
    assert process.poll() is None
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
