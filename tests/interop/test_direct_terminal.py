"""Direct style on a terminal: lines that are edited, passwords, output above the line; and the
examples, the same program in both styles among them."""

import asyncio
import time

import pytest

from clients import Nothing
from direct_style import (  # noqa: F401 - fixtures too
    connect,
    direct,
    EOF,
    openssh,
    run,
    screen,
    session,
    start_direct,
)
from rawssh import (
    MODERN,
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_REQUEST,
    Raw,
    Reader,
    string,
    u32,
)
from servers import Example

asyncssh = pytest.importorskip("asyncssh")


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


def test_editing_delays_nobody(direct):
    """A line made of regional indicators, of which any two may be a flag, is as dear as editing
    gets: each key may look at all of it. Others have their turn meanwhile, and it comes to an end."""

    async def ask(keys):
        async with screen(direct, "gets") as s, connect(direct) as other:
            await other.run("status 0")
            s.types("\U0001f1e9" * 1000)
            begin = time.monotonic()
            s.types(keys)
            s.types("\r")
            assert (await other.run("status 3")).exit_status == 3
            served = time.monotonic() - begin
            await s.shows("] 4000\r\n")
            return served, time.monotonic() - begin

    served, over = run(ask("\x14" * 20000))  # ^T
    assert served < over / 3
    run(ask("\x1bb\x05" * 10000))  # Alt-B, ^E: a word to the left


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
    with Example(name) as server, Raw(server.port, login=("user", "x"), cipher=MODERN) as raw:
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
