"""Agent and X11 forwarding when a client or a program vanishes at each step: nothing is left."""

import contextlib
import os
import signal

import pytest

from lending import (  # noqa: F401 - fixtures too
    AGENT,
    confirm,
    connect_unix,
    connect_x11,
    hold,
    login,
    place,
    read_cookie,
    request,
    server,
    setup_message,
    start,
    take_data,
    take_open,
    x11_fields,
)
from rawssh import CHANNEL_CLOSE, CHANNEL_EOF, string, u32
from servers import PATIENCE, wait_until


def stage_requested(server, raw, stack):
    _, theirs, _, _ = raw.open_session()
    assert request(raw, theirs, AGENT)
    assert request(raw, theirs, "x11-req", *x11_fields())


def stage_started(server, raw, stack):
    hold(server, raw, agent=True, x11=x11_fields())


def stage_asked(server, raw, stack):
    _, lent = hold(server, raw, agent=True, x11=x11_fields())
    stack.enter_context(connect_unix(lent["agent"])).sendall(b"question")
    stack.enter_context(connect_x11(lent["display"])).sendall(setup_message(read_cookie(lent)))
    take_open(raw)
    take_open(raw)


def stage_half_a_setup(server, raw, stack):
    _, lent = hold(server, raw, x11=x11_fields())
    stack.enter_context(connect_x11(lent["display"])).sendall(setup_message(read_cookie(lent))[:20])


def stage_relayed(server, raw, stack):
    _, lent = hold(server, raw, agent=True, x11=x11_fields(single=True))
    stack.enter_context(connect_unix(lent["agent"])).sendall(b"question")
    confirm(raw, take_open(raw)[1])
    take_data(raw, 8)
    stack.enter_context(connect_x11(lent["display"])).sendall(setup_message(read_cookie(lent)))
    confirm(raw, take_open(raw)[1], 78)
    take_data(raw, 48)


def stage_closing(server, raw, stack):
    theirs, lent = hold(server, raw, agent=True)
    stack.enter_context(connect_unix(lent["agent"]))
    take_open(raw)
    raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))


def stage_program(server, raw, stack):
    _, theirs, _, _ = raw.open_session()
    assert request(raw, theirs, AGENT)
    assert request(raw, theirs, "exec", string("cat"))


@pytest.mark.parametrize(
    "stage",
    [stage_requested, stage_started, stage_asked, stage_half_a_setup, stage_relayed, stage_closing,
     stage_program],
)
def test_client_vanishes(server, stage):
    with contextlib.ExitStack() as stack:
        for _ in range(3):
            with login(server) as raw:
                stage(server, raw, stack)
        server.clean()  # while the programs still have their ends


def test_program_vanishes(server):
    """The other side of it: programs that go at each step leave no channel behind."""
    with login(server) as raw:
        _, lent = hold(server, raw, agent=True, x11=x11_fields())
        before = server.descriptors()
        with connect_unix(lent["agent"]):
            _, theirs, _ = take_open(raw)
        confirm(raw, theirs)
        raw.expect(CHANNEL_EOF)
        raw.send(bytes([CHANNEL_EOF]) + u32(theirs))
        raw.expect(CHANNEL_CLOSE)
        raw.send(bytes([CHANNEL_CLOSE]) + u32(theirs))
        for length in (0, 5, 20):
            connect_x11(lent["display"]).close()
            with connect_x11(lent["display"]) as program:
                program.sendall(setup_message(read_cookie(lent))[:length])
        wait_until(lambda: server.descriptors() == before, server.left_over)


def test_server_stops(start):
    """While everything is open: close() looks that it ends cleanly and removes its files."""
    server = start()
    with contextlib.ExitStack() as stack:
        raw = stack.enter_context(login(server))
        stage_relayed(server, raw, stack)
        stage_asked(server, raw, stack)
        stage_half_a_setup(server, raw, stack)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(PATIENCE)
        assert os.listdir(server.directory) == []
