"""Direct style when something goes: the client in each wait, memory at each allocation, the server."""

import contextlib

import pytest

from direct_style import (  # noqa: F401 - fixtures too
    connect,
    direct,
    DirectServer,
    ECONN,
    run,
    session,
    start_direct,
)
from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_FAILURE,
    CHANNEL_OPEN,
    CHANNEL_REQUEST,
    OPEN_CONFIRMATION,
    OPEN_FAILURE,
    Closed,
    Raw,
    Reader,
    boolean,
    string,
    u32,
)
from servers import wait_until

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
            wait_until(lambda: command == "drain" or direct.stats()["fibers"] != 0)
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
    # A child that was hung up may take its time.
    wait_until(lambda: direct.descriptors() <= descriptors)


def test_everything_after_loss(direct):
    async def ask():
        async with connect(direct) as conn:
            await conn.create_process("stubborn")
            wait_until(lambda: direct.stats()["fibers"] != 0)
            conn.abort()

    run(ask())
    direct.said("stubborn 1")


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
            wait_until(lambda: server.stats()["fibers"] != 0)
            if command.startswith("work"):
                server.said("working")
            server.close()
            with contextlib.suppress(Exception):
                await conn.wait_closed()

    run(ask())
    assert f"end {command.split()[0]} {ECONN}" in server.out.items
    assert "released session" in server.out.items
