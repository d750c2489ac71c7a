"""A client on paramiko with the command line of tests/tools/client_options.h."""

import os
import select
import signal
import socket
import sys
import threading
import warnings

warnings.simplefilter("ignore")

import paramiko  # noqa: E402

from client_options import RawTerminal, parse, write_report  # noqa: E402


def load_key(path):
    for kind in (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey):
        try:
            return kind.from_private_key_file(path)
        except paramiko.SSHException:
            continue
    raise SystemExit(f"{path}: no key")


def authenticate(transport, options, report):
    """Tries what was asked for, going on after a partial success."""
    responses = list(options.kbdint)

    def answer(name, instructions, prompts):
        report.setdefault("rounds", []).append([name, instructions, [list(p) for p in prompts]])
        given, responses[:] = responses[: len(prompts)], responses[len(prompts) :]
        return given

    attempts = []
    if options.none:
        attempts.append(lambda: transport.auth_none(options.user))
    if options.key:
        key = load_key(options.key)
        attempts.append(lambda: transport.auth_publickey(options.user, key))
    if options.password is not None:
        attempts.append(
            lambda: transport.auth_password(options.user, options.password, fallback=False)
        )
    if options.kbdint:
        attempts.append(lambda: transport.auth_interactive(options.user, answer))
    if not attempts:
        attempts.append(lambda: transport.auth_none(options.user))
    for attempt in attempts:
        try:
            report["methods"] = attempt()
        except paramiko.AuthenticationException as error:
            report["error"] = str(error)
        if transport.is_authenticated():
            return True
        if not transport.is_active():
            return False
    return False


def copy(receive, fd):
    while True:
        data = receive(65536)
        if not data:
            return
        while data:
            data = data[os.write(fd, data) :]


def feed(channel):
    try:
        while True:
            data = os.read(0, 65536)
            if not data:
                break
            channel.sendall(data)
        channel.shutdown_write()
    except OSError:
        pass


def limit(security, name, text):
    if text:
        setattr(security, name, [a for a in text.split(",") if a in getattr(security, name)])


def run(options, report):
    sock = socket.create_connection(("127.0.0.1", options.port))
    transport = paramiko.Transport(sock, default_window_size=1 << 21)
    transport.daemon = True
    security = transport.get_security_options()
    limit(security, "kex", options.kex)
    limit(security, "ciphers", options.cipher)
    limit(security, "digests", options.mac)
    limit(security, "key_types", options.host_key)
    if options.compression and options.compression != "none":
        transport.use_compression(True)
    if options.rekey_bytes:
        transport.packetizer.REKEY_BYTES = options.rekey_bytes
    try:
        transport.start_client(timeout=60)
        if options.keepalive:
            transport.set_keepalive(options.keepalive)
        good = authenticate(transport, options, report)
    except (paramiko.SSHException, EOFError, OSError) as error:
        report["auth"] = "no connection" if not transport.is_authenticated() else "ok"
        print(f"client_paramiko: {error}", file=sys.stderr)
        return 255
    banner = transport.get_banner()
    if banner:
        report["banner"] = banner.decode()
    report["auth"] = "ok" if good else "denied"
    report["cipher"] = transport.local_cipher
    if not good:
        return 255
    try:
        channel = transport.open_session()
        terminal = RawTerminal(options.pty)
        if options.env:
            channel.set_environment_variable(*options.env.split("=", 1))
        if options.pty:
            channel.get_pty("xterm", *terminal.size())
        if options.subsystem:
            channel.invoke_subsystem(options.subsystem)
        elif options.command is not None:
            channel.exec_command(options.command)
        else:
            channel.invoke_shell()
    except paramiko.SSHException as error:
        report["session"] = "refused"
        print(f"client_paramiko: {error}", file=sys.stderr)
        return 255
    wake, waker = os.pipe()
    signal.signal(signal.SIGWINCH, lambda *unused: os.write(waker, b"w"))
    signal.siginterrupt(signal.SIGWINCH, False)
    readers = [
        threading.Thread(target=copy, args=(channel.recv, 1), daemon=True),
        threading.Thread(target=copy, args=(channel.recv_stderr, 2), daemon=True),
    ]
    threading.Thread(target=feed, args=(channel,), daemon=True).start()

    def wait():
        for reader in readers:
            reader.join()
        channel.status_event.wait()
        # Leaving with the server's CLOSE unread would reset the connection.
        with channel.out_buffer_cv:
            channel.out_buffer_cv.wait_for(lambda: channel.closed, 60)
        os.write(waker, b"e")

    with terminal:
        for reader in readers:
            reader.start()
        threading.Thread(target=wait, daemon=True).start()
        while True:
            select.select([wake], [], [])
            if b"e" in os.read(wake, 100):
                break
            channel.resize_pty(*terminal.size())
    status = channel.exit_status
    report["status"] = status if status >= 0 else None
    report["signal"] = None
    transport.close()
    return status if status >= 0 else 255


def main():
    options = parse(sys.argv[1:])
    report = {}
    code = run(options, report)
    write_report(options, report)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    main()
