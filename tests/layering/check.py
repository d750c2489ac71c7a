#!/usr/bin/python3
"""Fails when a file includes from a room above its own, when a library's header appears outside the
one room that may include it, when sallyportd/ or examples/ include anything but public headers, or
when a source file has outgrown its room. check.py [TREE]"""
import os
import re
import sys

ROOMS = ["base", "editor", "crypto", "key", "transport", "auth", "connection", "engine", "loop",
         "fs", "server", "sftp", "scp"]
ONLY_IN = {"openssl/": "crypto", "uv.h": "loop", "uv/": "loop", "zlib.h": "transport",
           "stringprep.h": "auth", "idna.h": "auth", "punycode.h": "auth",
           "utf8proc.h": "editor"}
LINES_MAX = 800
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')


def includes(path):
    with open(path, encoding="utf-8") as text:
        for number, line in enumerate(text, 1):
            match = INCLUDE.match(line)
            if match:
                yield number, match.group(1), match.group(2)


def sources(folder):
    """Every C file and header below a folder, in order."""
    return sorted(os.path.join(base, name) for base, _, names in os.walk(folder)
                  for name in names if name.endswith((".c", ".h")))


def in_room(target):
    """Is this the name of a header of one of src/'s rooms?"""
    return "/" in target and target.split("/")[0] in ROOMS


def check_library_headers(path, number, target, room):
    for prefix, owner in ONLY_IN.items():
        if (target == prefix or (prefix.endswith("/") and target.startswith(prefix))) \
                and room != owner:
            yield f"{path}:{number}: <{target}> belongs to src/{owner} only"


def check_room(tree, room):
    for path in sources(os.path.join(tree, "src", room)):
        with open(path, encoding="utf-8") as text:
            lines = sum(1 for _ in text)
        if lines > LINES_MAX:
            yield f"{path}: {lines} lines; split it along its concerns"
        for number, mark, target in includes(path):
            yield from check_library_headers(path, number, target, room)
            other = target.split("/")[0]
            if mark != '"' and not in_room(target):
                continue
            if mark != '"' or not in_room(target):
                yield f'{path}:{number}: write "{target}" from src/, with its room'
            elif ROOMS.index(other) > ROOMS.index(room):
                yield f"{path}:{number}: {room} is below {other}"


def check_users(tree, folder):
    files = sources(os.path.join(tree, folder))
    own = {os.path.basename(file) for file in files if file.endswith(".h")}
    for file in files:
        for number, mark, target in includes(file):
            yield from check_library_headers(file, number, target, None)
            public = target in own if mark == '"' else not in_room(target) and ".." not in target
            if not public:
                yield f'{file}:{number}: "{target}" is not public'


def check_public(tree):
    for path in sources(os.path.join(tree, "include")):
        for number, mark, target in includes(path):
            yield from check_library_headers(path, number, target, None)
            if mark == '"':
                yield f'{path}:{number}: public headers include with <>'
            elif in_room(target):
                yield f'{path}:{number}: <{target}> is not public'


def main():
    tree = sys.argv[1] if len(sys.argv) > 1 else "."
    found = list(check_public(tree))
    for room in sorted(os.listdir(os.path.join(tree, "src"))):
        if room not in ROOMS:
            found.append(f"src/{room}: unknown room")
        else:
            found += check_room(tree, room)
    for folder in ("sallyportd", "examples"):
        found += check_users(tree, folder)
    print("\n".join(found) if found else "layering: clean")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
