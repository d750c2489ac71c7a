"""The rows on sessions: each request in each form, and the rules of channels, message by message."""

import os

import pytest

from rawssh import (
    CHANNEL_CLOSE,
    CHANNEL_DATA,
    CHANNEL_EOF,
    CHANNEL_FAILURE,
    CHANNEL_OPEN,
    CHANNEL_REQUEST,
    CHANNEL_SUCCESS,
    EXTENDED_DATA,
    OPEN_CONFIRMATION,
    OPEN_FAILURE,
    WINDOW_ADJUST,
    Raw,
    Reader,
    boolean,
    string,
    u32,
)

LATER = ["later", "thread", "work", "call"]
PTY = string("vt220") + u32(100) + u32(30) + u32(800) + u32(600)


@pytest.fixture
def login(server):
    made = []

    def start(user="user", to=None, **options):
        raw = Raw((to or server).port, login=(user, "secret"), **options)
        made.append(raw)
        return raw

    yield start
    for raw in made:
        raw.sock.close()


def pty(modes=b"\0"):
    return PTY + string(modes)


def collect(raw, theirs=None):
    """Reads one channel to its end: output, error, requests as (name, rest)."""
    out, err, requests = b"", b"", []
    while True:
        payload = raw.receive()
        reader = Reader(payload[1:])
        if payload[0] == CHANNEL_DATA:
            reader.u32()
            out += reader.string()
        elif payload[0] == EXTENDED_DATA:
            reader.u32()
            assert reader.u32() == 1
            err += reader.string()
        elif payload[0] == CHANNEL_REQUEST:
            reader.u32()
            name = reader.text()
            assert not reader.boolean()
            requests.append((name, reader.rest()))
        elif payload[0] == CHANNEL_CLOSE:
            if theirs is not None:
                raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
            return out, err, requests


def status_of(requests):
    return [Reader(rest).u32() for name, rest in requests if name == "exit-status"]


# ---- session_requested --------------------------------------------------------------------------


def test_session_requested_default(start_server, login):
    server = start_server("--absent", "session_requested")
    raw = login(to=server)
    ours = raw.open()
    reader = Reader(raw.expect(OPEN_FAILURE)[1:])
    assert (reader.u32(), reader.u32(), reader.text()) == (ours, 2, "Session refused")


def test_session_requested_accept(login):
    raw = login()
    _, _, window, packet = raw.open_session()
    assert (window, packet) == (2 << 20, 32768)


def test_session_requested_plain_accept(login):
    """SP_ACCEPT without a session to serve it is a refusal."""
    raw = login("pw-check.open-plain")
    raw.open()
    assert Reader(raw.expect(OPEN_FAILURE)[5:]).u32() == 2


def test_session_requested_reject(login):
    raw = login("pw-check.open-reject")
    raw.open()
    reader = Reader(raw.expect(OPEN_FAILURE)[5:])
    assert (reader.u32(), reader.text()) == (2, "Session refused")


@pytest.mark.parametrize("when", ["call", "later"])
def test_session_requested_refuse_with_reason(login, when):
    raw = login(f"pw-check.open-refuse-{when}")
    raw.open()
    reader = Reader(raw.expect(OPEN_FAILURE)[5:])
    assert (reader.u32(), reader.text()) == (1, "Not today")


@pytest.mark.parametrize("when", LATER)
def test_session_requested_later(login, when):
    """A later answer may take every form that an immediate one may."""
    raw = login(f"pw-check.open-accept-{when}")
    _, theirs = raw.run("exit 4")
    assert status_of(collect(raw, theirs)[2]) == [4]
    raw = login(f"pw-check.open-reject-{when}")
    raw.open()
    raw.expect(OPEN_FAILURE)


def test_session_requested_released(login):
    raw = login("pw-check.open-release-later")
    raw.open()
    raw.expect(OPEN_FAILURE)


def test_session_requested_later_after_disconnect(server, login):
    raw = login("pw-check.open-accept-gone")
    raw.open()
    server.wait("question", handler="session_requested")
    raw.sock.close()
    server.wait("lost")
    assert server.wait("answer", handler="session_requested")["result"] == "SP_ECONN"


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_session_requested_answered_twice(server, login, when):
    raw = login(f"pw-check.open-accept-{when}")
    raw.open_session()
    answer = server.wait("answer", handler="session_requested")
    assert (answer["result"], answer["second"]) == ("ok", "SP_EALREADY")


def test_session_options(login):
    raw = login("pw-check.open-small")
    _, _, window, packet = raw.open_session()
    assert (window, packet) == (16384, 4096)


def test_sessions_answered_out_of_order(server, login):
    """Two opens wait; a later connection's are answered meanwhile."""
    raw = login("pw-check.open-accept-held")
    raw.open()
    raw.open()
    other = login()
    other.open_session()
    server.order("answer")
    raw.expect(OPEN_CONFIRMATION)
    raw.expect(OPEN_CONFIRMATION)


def test_unknown_channel_type(login):
    raw = login()
    for kind in ("x11", "nonsense@example.com", "forwarded-tcpip"):
        raw.open(kind=kind, more=string("h") + u32(1) + string("o") + u32(2))
        reader = Reader(raw.expect(OPEN_FAILURE)[5:])
        assert reader.u32() == 3


@pytest.mark.parametrize("packet", [0, 1, 31])
def test_tiny_maximum_packet(login, packet):
    """Refused at the open."""
    raw = login()
    raw.open(packet=packet)
    raw.expect(OPEN_FAILURE)
    raw.open_session()


def test_maximum_packet_is_kept(login):
    raw = login()
    _, theirs, _, _ = raw.open_session(packet=100)
    raw.channel_request(theirs, "exec", string("source 5000"))
    raw.expect(CHANNEL_SUCCESS)
    total = 0
    while total < 5000:
        payload = raw.expect(CHANNEL_DATA, EXTENDED_DATA)
        assert payload[0] == CHANNEL_DATA
        piece = Reader(payload[5:]).string()
        assert len(piece) <= 100
        total += len(piece)


def test_session_limit(start_server, login):
    server = start_server("--max-sessions", 2)
    raw = login(to=server)
    _, theirs, _, _ = raw.open_session()
    raw.open_session()
    raw.open()
    reader = Reader(raw.expect(OPEN_FAILURE)[5:])
    assert reader.u32() in (1, 2, 4)
    raw.channel_request(theirs, "exec", string("exit 0"))
    collect(raw, theirs)
    raw.open_session()  # there is room again


def test_many_sessions_in_one_connection(login):
    raw = login()
    channels = {}
    for number in range(20):
        ours, theirs = raw.run("echo")
        channels[ours] = (theirs, f"session {number}\n".encode())
    for theirs, text in channels.values():
        raw.data(theirs, text)
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
    got = dict.fromkeys(channels, b"")
    closed = 0
    while closed < len(channels):
        payload = raw.receive()
        reader = Reader(payload[1:])
        if payload[0] == CHANNEL_DATA:
            got[reader.u32()] += reader.string()
        elif payload[0] == CHANNEL_CLOSE:
            closed += 1
    assert got == {ours: text for ours, (_, text) in channels.items()}


def test_opened_and_refused_channels_leave_nothing(server, login):
    raw = login("pw-check.open-reject")
    for _ in range(2000):
        raw.open()
        raw.expect(OPEN_FAILURE)
    assert server.stats()["channels"] == 0


def test_opened_and_closed_channels_leave_nothing(server, login):
    raw = login()
    for _ in range(300):
        _, theirs = raw.run("exit 0")
        collect(raw, theirs)
    # The number of a channel that is gone is free again.
    assert raw.open_session()[1] < 10
    assert server.stats()["channels"] == 1


# ---- requests -----------------------------------------------------------------------------------

# Handler: the request, its body, and the word for it in user names.
REQUESTS = {
    "pty_requested": ("pty-req", pty(), "pty"),
    "env_requested": ("env", string("A") + string("b"), "env"),
    "shell_requested": ("shell", b"", "shell"),
    "exec_requested": ("exec", string("echo"), "exec"),
    "subsystem_requested": ("subsystem", string("echo"), "sub"),
}


@pytest.fixture(params=REQUESTS)
def request_kind(request):
    return request.param


def word(kind):
    return REQUESTS[kind][2]


def ask(raw, kind):
    name, body, _ = REQUESTS[kind]
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, name, body)
    return theirs


def test_request_default(start_server, login, request_kind):
    """Absent: what starts something is refused; the terminal and the environment are recorded."""
    server = start_server("--absent", request_kind)
    raw = login(to=server)
    ask(raw, request_kind)
    recorded = request_kind in ("pty_requested", "env_requested")
    raw.expect(CHANNEL_SUCCESS if recorded else CHANNEL_FAILURE)


def test_request_accept(login, request_kind):
    raw = login()
    ask(raw, request_kind)
    raw.expect(CHANNEL_SUCCESS)


def test_request_reject(server, login, request_kind):
    raw = login(f"pw-check.{word(request_kind)}-reject")
    ask(raw, request_kind)
    raw.expect(CHANNEL_FAILURE)
    assert not server.seen("started")


@pytest.mark.parametrize("when", LATER)
def test_request_later(login, request_kind, when):
    raw = login(f"pw-check.{word(request_kind)}-accept-{when}")
    ask(raw, request_kind)
    raw.expect(CHANNEL_SUCCESS)
    raw = login(f"pw-check.{word(request_kind)}-reject-{when}")
    ask(raw, request_kind)
    raw.expect(CHANNEL_FAILURE)


def test_request_released(login, request_kind):
    raw = login(f"pw-check.{word(request_kind)}-release-later")
    ask(raw, request_kind)
    raw.expect(CHANNEL_FAILURE)


def test_request_garbage(login, request_kind):
    raw = login(f"pw-check.{word(request_kind)}-garbage")
    ask(raw, request_kind)
    raw.expect(CHANNEL_FAILURE)


def test_request_later_after_disconnect(server, login, request_kind):
    raw = login(f"pw-check.{word(request_kind)}-accept-gone")
    ask(raw, request_kind)
    server.wait("question", handler=request_kind)
    raw.sock.close()
    server.wait("lost")
    assert server.wait("answer", handler=request_kind)["result"] == "SP_ECONN"


def test_request_later_after_close(server, login, request_kind):
    """The channel was closed meanwhile; the connection lives on."""
    raw = login(f"pw-check.{word(request_kind)}-accept-gone")
    theirs = ask(raw, request_kind)
    server.wait("question", handler=request_kind)
    raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
    raw.expect(CHANNEL_CLOSE, skip=(CHANNEL_FAILURE,))
    assert server.wait("answer", handler=request_kind)["result"] == "SP_ECONN"
    raw.open_session()


@pytest.mark.parametrize("when", ["twice", "twicenow"])
def test_request_answered_twice(server, login, request_kind, when):
    raw = login(f"pw-check.{word(request_kind)}-accept-{when}")
    ask(raw, request_kind)
    raw.expect(CHANNEL_SUCCESS)
    answer = server.wait("answer", handler=request_kind)
    assert (answer["result"], answer["second"]) == ("ok", "SP_EALREADY")


def test_replies_keep_their_order(login):
    """The first request is answered last."""
    raw = login("pw-check.pty-accept-later.exec-reject")
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "pty-req", pty())
    raw.channel_request(theirs, "exec", string("echo"))
    assert raw.expect(CHANNEL_SUCCESS, CHANNEL_FAILURE)[0] == CHANNEL_SUCCESS
    assert raw.expect(CHANNEL_SUCCESS, CHANNEL_FAILURE)[0] == CHANNEL_FAILURE


def test_data_waits_for_the_answer(login):
    """Data and EOF that came while the request was being answered are not lost."""
    raw = login("pw-check.exec-accept-later")
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "exec", string("echo"))
    raw.data(theirs, b"early bird")
    raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
    raw.expect(CHANNEL_SUCCESS)
    out, _, requests = collect(raw, theirs)
    assert out == b"early bird" and status_of(requests) == [0]


def test_unwanted_replies_are_not_sent(login):
    raw = login()
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "env", string("A") + string("b"), reply=False)
    raw.channel_request(theirs, "nonsense", reply=False)
    raw.channel_request(theirs, "exec", string("env"))
    assert raw.receive()[0] in (CHANNEL_SUCCESS, 7)
    assert collect(raw, theirs)[0] == b"A=b\n"


def test_unknown_request(login):
    raw = login()
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "nonsense@example.com", string("x"))
    raw.expect(CHANNEL_FAILURE)


def test_started_once(login):
    """RFC 4254 6.5: one shell, command or subsystem for each channel."""
    raw = login()
    _, theirs = raw.run("echo")
    raw.channel_request(theirs, "exec", string("echo"))
    raw.expect(CHANNEL_FAILURE)
    raw.channel_request(theirs, "shell")
    raw.expect(CHANNEL_FAILURE)


def test_refused_environment_is_not_recorded(login):
    raw = login("pw-check.env-reject")
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "env", string("A") + string("b"))
    raw.expect(CHANNEL_FAILURE)
    raw.channel_request(theirs, "exec", string("env"))
    raw.expect(CHANNEL_SUCCESS)
    assert collect(raw, theirs)[0] == b""


def test_environment_in_order(login):
    raw = login()
    _, theirs, _, _ = raw.open_session()
    for name, value in (("ONE", "1"), ("TWO", "zwei"), ("ONE", "eins"), ("LEER", "")):
        raw.channel_request(theirs, "env", string(name) + string(value))
        raw.expect(CHANNEL_SUCCESS)
    raw.channel_request(theirs, "exec", string("env"))
    raw.expect(CHANNEL_SUCCESS)
    lines = collect(raw, theirs)[0].decode().splitlines()
    assert sorted(lines) == ["LEER=", "ONE=eins", "TWO=zwei"]


def test_terminal_with_modes(login):
    raw = login()
    modes = bytes([53]) + u32(1) + bytes([1]) + u32(3) + bytes([128]) + u32(38400)
    modes += bytes([129]) + u32(9600) + bytes([53]) + u32(0) + b"\0"
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "pty-req", pty(modes))
    raw.expect(CHANNEL_SUCCESS)
    raw.channel_request(theirs, "exec", string("terminal"))
    raw.expect(CHANNEL_SUCCESS)
    lines = collect(raw, theirs)[0].decode().splitlines()
    assert lines[:2] == ["vt220 100 30 800 600", "speed 38400 9600"]
    assert set(lines[2:]) == {"mode 53 0", "mode 1 3"}  # the last one stands


@pytest.mark.parametrize("modes", [b"", b"\x35\0\0", b"\xa0\0\0\0\1\0", b"\1\0\0\0\1" * 500])
def test_terminal_with_odd_modes(login, modes):
    """Opcodes from 160 on end the list; one cut short, a list without an end: taken or refused, never
    fatal."""
    raw = login()
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "pty-req", pty(modes))
    raw.expect(CHANNEL_SUCCESS, CHANNEL_FAILURE)
    raw.channel_request(theirs, "exec", string("terminal"))
    raw.expect(CHANNEL_SUCCESS)


def test_window_change(server, login):
    raw = login()
    _, theirs, _, _ = raw.open_session()
    raw.channel_request(theirs, "pty-req", pty())
    raw.expect(CHANNEL_SUCCESS)
    raw.channel_request(theirs, "exec", string("tell"))
    raw.expect(CHANNEL_SUCCESS)
    raw.channel_request(
        theirs, "window-change", u32(132) + u32(43) + u32(0) + u32(0), reply=False
    )
    server.wait("size", text="132x43")


def test_signals_and_exit_signal(server, login):
    raw = login()
    _, theirs = raw.run("tell")
    raw.channel_request(theirs, "signal", string("USR1"), reply=False)
    server.wait("signal", text="USR1")
    raw.channel_request(theirs, "signal", string("TERM"), reply=False)
    out, _, requests = collect(raw, theirs)
    assert out == b"telling\nsignal USR1\nsignal TERM\n"
    assert [name for name, _ in requests] == ["exit-signal"]
    reader = Reader(requests[0][1])
    assert (reader.text(), reader.boolean(), reader.text(), reader.text()) == ("TERM", False, "", "")


@pytest.mark.parametrize("answer", ["accept", "reject", "accept-later", "reject-later"])
def test_break(login, answer):
    """RFC 4335; with a reply if one is wanted."""
    raw = login(f"pw-check.brk-{answer}")
    _, theirs = raw.run("tell")
    raw.channel_request(theirs, "break", u32(500))
    wanted = CHANNEL_SUCCESS if answer.startswith("accept") else CHANNEL_FAILURE
    other = CHANNEL_FAILURE if answer.startswith("accept") else CHANNEL_SUCCESS
    assert raw.expect(wanted, other, skip=(CHANNEL_DATA,))[0] == wanted


def test_break_default(start_server, login):
    server = start_server("--absent", "break_received")
    raw = login(to=server)
    _, theirs = raw.run("tell")
    raw.channel_request(theirs, "break", u32(500))
    raw.expect(CHANNEL_FAILURE, skip=(CHANNEL_DATA,))


def test_exit_status_message(login):
    raw = login()
    _, theirs = raw.run("exit 4294967295")
    out, err, requests = collect(raw, theirs)
    assert (out, err, status_of(requests)) == (b"", b"", [4294967295])


def test_exit_signal_message(login):
    raw = login()
    _, theirs = raw.run("kill SEGV")
    requests = collect(raw, theirs)[2]
    reader = Reader(requests[0][1])
    assert requests[0][0] == "exit-signal"
    assert (reader.text(), reader.boolean(), reader.text(), reader.text()) == (
        "SEGV", True, "as you wished", "en",
    )


def test_exit_twice(server, login):
    raw = login()
    _, theirs = raw.run("exittwice")
    assert status_of(collect(raw, theirs)[2]) == [5]
    event = server.wait("exits")
    assert event["first"] == "ok" and event["second"] != "ok"


def test_xon_xoff(login):
    raw = login()
    _, theirs = raw.run("xon")
    requests = collect(raw, theirs)[2]
    assert ("xon-xoff", boolean(True)) in requests


def test_eow(login):
    """OpenSSH PROTOCOL 2.1: to clients of OpenSSH's."""
    raw = login(version=b"SSH-2.0-OpenSSH_9.2\r\n")
    _, theirs = raw.run("eow")
    requests = collect(raw, theirs)[2]
    assert "eow@openssh.com" in [name for name, _ in requests]


def test_eow_from_client(login):
    raw = login()
    _, theirs = raw.run("echo")
    raw.channel_request(theirs, "eow@openssh.com", reply=False)
    raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
    collect(raw, theirs)


# ---- data, EOF and close ------------------------------------------------------------------------


def test_half_close_by_client(login):
    raw = login()
    _, theirs = raw.run("sink")
    raw.data(theirs, b"x" * 1000)
    raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
    out, _, requests = collect(raw, theirs)
    assert out.startswith(b"1000 ") and status_of(requests) == [0]


def test_half_close_by_server(login):
    raw = login()
    _, theirs = raw.run("eof")
    assert Reader(raw.expect(CHANNEL_DATA)[5:]).string() == b"before eof\n"
    raw.expect(CHANNEL_EOF)
    raw.data(theirs, b"still listened to")
    raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
    payload = raw.expect(CHANNEL_REQUEST, CHANNEL_CLOSE)
    assert payload[0] == CHANNEL_REQUEST  # the exit status may come behind our EOF
    raw.expect(CHANNEL_CLOSE)


def test_eof_default(start_server, login):
    """Absent: the channel closes."""
    server = start_server("--absent", "eof_received")
    raw = login(to=server)
    _, theirs = raw.run("echo")
    raw.data(theirs, b"x")
    raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
    out, _, _ = collect(raw, theirs)
    assert out == b"x"


def test_close_by_client(server, login):
    raw = login()
    _, theirs = raw.run("hold")
    raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
    raw.expect(CHANNEL_CLOSE, skip=(CHANNEL_DATA, CHANNEL_EOF))
    server.wait("channel_lost", command="hold")


def test_close_while_open_is_answered(server, login):
    """The client closes nothing that was not confirmed; it leaves the number alone."""
    raw = login("pw-check.open-accept-held")
    raw.open()
    server.wait("question", handler="session_requested")
    raw.sock.close()
    server.wait("lost")
    server.order("answer")
    assert server.wait("answer", handler="session_requested")["result"] == "SP_ECONN"


def test_data_after_close_is_an_error_or_ignored(server, login):
    raw = login()
    _, theirs = raw.run("hold")
    raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
    raw.data(theirs, b"too late")
    raw.expect_closed()
    server.wait("lost")


@pytest.mark.parametrize("message", [93, 94, 95, 96, 97, 98])
def test_unknown_channel(server, login, message):
    raw = login()
    raw.send(bytes([message]) + u32(77) + u32(1) + u32(1) + string("x"))
    assert raw.expect_closed().code == 2
    server.wait("lost")


def test_data_after_eof(server, login):
    raw = login()
    _, theirs = raw.run("hold")
    raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
    raw.data(theirs, b"more")
    assert raw.expect_closed().code == 2
    server.wait("lost")


def test_extended_data_from_client(login):
    """Of a type that the application may look at; it does not mix with the stream."""
    raw = login()
    _, theirs = raw.run("echo")
    raw.send(bytes([EXTENDED_DATA]) + u32(theirs) + u32(1) + string("err"))
    raw.data(theirs, b"out")
    raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
    assert collect(raw, theirs)[0] == b"out"


# ---- windows and back-pressure ------------------------------------------------------------------


def test_data_beyond_the_window(server, login):
    raw = login("pw-check.open-small")
    _, theirs, window, packet = raw.open_session()
    raw.channel_request(theirs, "exec", string("latesink"))
    raw.expect(CHANNEL_SUCCESS)
    for _ in range(window // packet):
        raw.data(theirs, bytes(packet))
    raw.data(theirs, b"x")
    assert raw.expect_closed().code == 2
    server.wait("lost")


def test_data_beyond_the_packet_size(server, login):
    raw = login("pw-check.open-small")
    _, theirs, _, packet = raw.open_session()
    raw.channel_request(theirs, "exec", string("sink"))
    raw.expect(CHANNEL_SUCCESS)
    raw.data(theirs, bytes(packet + 1))
    assert raw.expect_closed().code == 2
    server.wait("lost")


def test_paused_reader_closes_the_window(server, login):
    """Nothing is granted until the application reads again; then all of it comes."""
    raw = login()
    _, theirs, window, packet = raw.open_session()
    raw.channel_request(theirs, "exec", string("latesink"))
    raw.expect(CHANNEL_SUCCESS)
    for _ in range(window // packet):
        raw.data(theirs, os.urandom(packet))
    raw.send(bytes([192]) + string("ping"))
    assert raw.receive()[0] == 193  # and no WINDOW_ADJUST came before
    server.order("resume")
    raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
    out, _, requests = collect(raw, theirs)
    assert out.startswith(f"{window // packet * packet} ".encode()) and status_of(requests) == [0]


def test_peer_window_is_kept(server, login):
    """The server sends as much as it may, and goes on when it may send more."""
    raw = login()
    _, theirs, _, _ = raw.open_session(window=10_000)
    raw.channel_request(theirs, "exec", string("flood 50000"))
    raw.expect(CHANNEL_SUCCESS)
    total = 0
    while total < 10_000:
        total += len(Reader(raw.expect(CHANNEL_DATA)[5:]).string())
    assert total == 10_000
    raw.send(bytes([192]) + string("ping"))
    assert raw.receive()[0] == 193
    raw.send(bytes([WINDOW_ADJUST]) + u32(theirs) + u32(40_000))
    while total < 50_000:
        total += len(Reader(raw.expect(CHANNEL_DATA)[5:]).string())
    collect(raw, theirs)


def test_write_buffer_is_bounded(server, login):
    """A client that reads nothing: the application is told to pause, and memory stays."""
    raw = login()
    _, theirs, _, _ = raw.open_session(window=0)
    raw.channel_request(theirs, "exec", string("flood 100000000"))
    server.wait("pause")
    with open(f"/proc/{server.pid}/statm", encoding="ascii") as file:
        before = int(file.read().split()[1])
    for _ in range(100):
        raw.send(bytes([192]) + string("ping"))
    server.order("nothing")
    with open(f"/proc/{server.pid}/statm", encoding="ascii") as file:
        assert int(file.read().split()[1]) < before + 4096


def test_window_overflow(server, login):
    """RFC 4254 5.2: the window must not grow beyond 2^32 - 1."""
    raw = login()
    _, theirs = raw.run("hold")
    for _ in range(3):
        raw.send(bytes([WINDOW_ADJUST]) + u32(theirs) + u32(0xFFFFFFFF))
    closed = raw.expect_closed()
    assert closed.code == 2
    server.wait("lost")


def test_stuck_session_does_not_hold_up_others(login):
    """One channel's client reads nothing; another channel of the same connection moves on."""
    raw = login()
    _, stuck, _, _ = raw.open_session(window=0)
    raw.channel_request(stuck, "exec", string("flood 10000000"))
    raw.expect(CHANNEL_SUCCESS)
    _, theirs = raw.run("echo")
    raw.data(theirs, b"hello")
    assert Reader(raw.expect(CHANNEL_DATA)[5:]).string() == b"hello"


def test_client_that_never_reads(server, login):
    """It sends requests and takes no replies: the server takes no more from it, and serves others."""
    raw = login()
    raw.sock.settimeout(2)
    packet = bytes([80]) + string("x@example.com") + boolean(True)
    try:
        for _ in range(200_000):
            body = raw.sender.seal(raw.send_seq, raw.packet(packet))
            raw.send_seq += 1
            raw.sock.sendall(body)
    except TimeoutError:
        pass  # its own buffers are full: that is the point
    other = login()
    other.run("exit 0")
    with open(f"/proc/{server.pid}/statm", encoding="ascii") as file:
        assert int(file.read().split()[1]) * 4096 < 400 << 20


def test_open_flood(server, login):
    """Opens without waiting for answers: refused beyond the limit, nothing worse."""
    raw = login("pw-check.open-accept-held")
    raw.sock.settimeout(30)
    for number in range(1500):
        raw.send(bytes([CHANNEL_OPEN]) + string("session") + u32(number) + u32(1 << 20) + u32(32768))
    raw.expect(OPEN_FAILURE)
    assert server.stats()["channels"] <= 1024
