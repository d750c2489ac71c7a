"""Interactive shells on a pseudo-terminal of sallyportd's, with each client."""

import getpass

from clients import Key

USER = getpass.getuser()
WATCH = (
    "sh -c 'trap \"stty size; exit 3\" WINCH; stty size; echo REA\"\"DY; "
    "while :; do sleep 0.05; done'"
)


def test_interactive_shell_and_resize(client, sallyportd, keys):
    server = sallyportd("-o", "AlgorithmPreset=compatible")
    with client.interact(server, user=USER, auth=Key(keys.user())) as terminal:
        terminal.send(WATCH + "\r")
        terminal.expect(r"24 80\s+READY")
        terminal.resize(132, 43)
        terminal.expect(r"43 132\s")
        terminal.send("echo status $? on $TERM; exit 7\r")
        terminal.expect(r"status 3 on \w+")
        assert terminal.wait() == 7


def test_interactive_size_from_the_start(client, sallyportd, keys):
    server = sallyportd("-o", "AlgorithmPreset=compatible")
    auth = Key(keys.user())
    with client.interact(server, user=USER, auth=auth, columns=101, rows=37) as terminal:
        terminal.send("stty size; exit 0\r")
        terminal.expect(r"37 101\s")
        assert terminal.wait() == 0


def test_interactive_keys(client, sallyportd, keys):
    """Echo, the interrupt key, and the end-of-file key."""
    server = sallyportd("-o", "AlgorithmPreset=compatible")
    with client.interact(server, user=USER, auth=Key(keys.user())) as terminal:
        terminal.send("stty -a | grep -o 'intr = [^;]*' ; sh -c 'echo WAIT\"\"ING; exec sleep 1000'\r")
        terminal.expect(r"intr = \^C")
        terminal.expect("WAITING")
        terminal.send("\x03")
        terminal.send("echo after $?; tty\r")
        terminal.expect(r"after 130")
        terminal.expect(r"/dev/pts/\d+")
        terminal.send("echo CA\"\"T; exec cat\r")
        terminal.expect("CAT")
        terminal.send("typed\r")
        terminal.expect(r"typed\r+\ntyped")
        terminal.send("\x04")
        assert terminal.wait() == 0
