"""A client on asyncssh with the command line of tests/tools/client_options.h."""

import asyncio
import os
import signal
import sys
import warnings

warnings.simplefilter("ignore")

import asyncssh  # noqa: E402

from client_options import RawTerminal, parse, write_report  # noqa: E402


class Client(asyncssh.SSHClient):
    def __init__(self, options, report):
        self.options = options
        self.report = report
        self.responses = list(options.kbdint)
        self.kbdint_used = False

    def auth_banner_received(self, msg, lang):
        self.report["banner"] = self.report.get("banner", "") + msg

    def public_key_auth_requested(self):
        return None

    def password_auth_requested(self):
        password, self.options.password = self.options.password, None
        return password

    def password_change_requested(self, prompt, lang):
        self.report["change_prompt"] = prompt
        if self.options.new_password is None:
            return NotImplemented
        return self.report["old_password"], self.options.new_password

    def password_changed(self):
        self.report["password_changed"] = True

    def kbdint_auth_requested(self):
        if not self.responses or self.kbdint_used:
            return None
        self.kbdint_used = True
        return ""

    def kbdint_challenge_received(self, name, instructions, lang, prompts):
        self.report.setdefault("rounds", []).append([name, instructions, [list(p) for p in prompts]])
        answers, self.responses = self.responses[: len(prompts)], self.responses[len(prompts) :]
        return answers


def chosen(text):
    return text.split(",") if text else ()


async def feed(process):
    loop = asyncio.get_running_loop()
    while True:
        data = await loop.run_in_executor(None, os.read, 0, 65536)
        if not data:
            break
        try:
            process.stdin.write(data)
            await process.stdin.drain()
        except (BrokenPipeError, ConnectionError):
            return
    try:
        process.stdin.write_eof()
    except (BrokenPipeError, OSError):
        pass


async def copy(stream, fd):
    while True:
        data = await stream.read(65536)
        if not data:
            return
        while data:
            data = data[os.write(fd, data) :]


async def run(options, report):
    report["old_password"] = options.password
    extra = {}
    if options.rekey_bytes:
        extra["rekey_bytes"] = options.rekey_bytes
    if options.keepalive:
        extra["keepalive_interval"] = options.keepalive
        extra["keepalive_count_max"] = 3
    wanted = []
    if options.key:
        wanted.append("publickey")
    if options.kbdint:
        wanted.append("keyboard-interactive")
    if options.password is not None:
        wanted.append("password")
    try:
        conn, _ = await asyncssh.create_connection(
            lambda: Client(options, report),
            "127.0.0.1",
            options.port,
            username=options.user,
            known_hosts=None,
            config=None,
            agent_path=None,
            client_keys=[options.key] if options.key else [],
            preferred_auth=wanted or ["publickey"],
            kex_algs=chosen(options.kex),
            encryption_algs=chosen(options.cipher),
            mac_algs=chosen(options.mac),
            compression_algs=chosen(options.compression),
            server_host_key_algs=chosen(options.host_key),
            **extra,
        )
    except asyncssh.PermissionDenied as error:
        report["auth"] = "denied"
        print(f"client_asyncssh: {error}", file=sys.stderr)
        return 255
    except (OSError, asyncssh.Error) as error:
        report["auth"] = "no connection"
        print(f"client_asyncssh: {error}", file=sys.stderr)
        return 255
    report["auth"] = "ok"
    report["cipher"] = conn.get_extra_info("send_cipher")
    report["mac"] = conn.get_extra_info("send_mac")
    async with conn:
        terminal = RawTerminal(options.pty)
        arguments = {"encoding": None, "env": dict([options.env.split("=", 1)] if options.env else [])}
        if options.pty:
            arguments.update(term_type="xterm", term_size=terminal.size())
        if options.subsystem:
            arguments["subsystem"] = options.subsystem
        try:
            process = await conn.create_process(options.command, **arguments)
        except asyncssh.Error as error:
            report["session"] = "refused"
            print(f"client_asyncssh: {error}", file=sys.stderr)
            return 255
        loop = asyncio.get_running_loop()
        loop.add_signal_handler(
            signal.SIGWINCH, lambda: process.change_terminal_size(*terminal.size())
        )
        feeder = asyncio.ensure_future(feed(process))
        with terminal:
            await asyncio.gather(copy(process.stdout, 1), copy(process.stderr, 2))
            await process.wait_closed()
        feeder.cancel()
        if process.exit_signal:
            report["signal"], report["core"], report["message"] = process.exit_signal[:3]
            report["status"] = None
            return 255
        report["status"] = process.exit_status
        return 255 if process.exit_status is None else process.exit_status


async def run_and_leave(options):
    report = {}
    code = await run(options, report)
    write_report(options, report)
    sys.stdout.flush()
    os._exit(code)  # a thread may still wait for standard input


def main():
    asyncio.run(run_and_leave(parse(sys.argv[1:])))


if __name__ == "__main__":
    main()
