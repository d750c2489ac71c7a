#!/usr/bin/python3
"""The handler contract and the tests that show it: rows.txt lists each row of the contract with its
forms, and for each form the tests. This fails when a form has none, when a named test does not
exist, or when a handler of the public headers has no row; and it writes docs/handlers-tests.md.

    check.py            checks, and writes the table
    check.py --check    checks; fails when the written table is not this one
    check.py --strict   also fails for forms whose test is still to come
    check.py --settle   takes the mark off those that have come, in rows.txt, and writes the table

rows.txt:
    [Section] form form ...     a section, and the forms that each of its rows must have
    > text                      a line for the table, below the section's title
    name                        a row
      form  test test ...       its tests: file.py::function[value, value] of tests/interop, or
                                unit/file::case, engine/file::case (cmocka)
      form  - why               the form does not apply to this row
      form  pending test ...    the tests come with a part that is not in this tree yet
      form  pending - what      likewise, and they have no names yet
"""
import ast
import os
import re
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
ROWS = os.path.join(ROOT, "tests", "handlers", "rows.txt")
TABLE = os.path.join(ROOT, "docs", "handlers-tests.md")
CASE = re.compile(r"cmocka_unit_test\w*\(\s*(\w+)")
TEST = re.compile(r"([\w/]+(?:\.py)?)::(\w+)(?:\[([^]]*)\])?")
HANDLER_TABLE = re.compile(r"typedef struct (sp_\w+_handlers) \{(.*?)\n\} \1;", re.S)


def read(*path):
    with open(os.path.join(ROOT, *path), encoding="utf-8") as file:
        return file.read()


# ---- what tests there are -----------------------------------------------------------------------


def values_of(node, constants):
    """The names that pytest gives to a list of parameters, as far as they are plain."""
    if isinstance(node, ast.Call) and node.args:  # list(X), sorted(X)
        return values_of(node.args[0], constants)
    if isinstance(node, ast.Name):
        return values_of(constants.get(node.id), constants)
    if isinstance(node, ast.Dict):
        return values_of(ast.List(elts=node.keys), constants)
    if not isinstance(node, (ast.List, ast.Tuple, ast.Set)):
        return set()
    found = set()
    for item in node.elts:
        for part in item.elts if isinstance(item, ast.Tuple) else [item]:
            if isinstance(part, ast.Constant) and isinstance(part.value, (str, int, bool)):
                found.add(str(part.value))
    return found


def is_call(node, name):
    return isinstance(node, ast.Call) and ast.unparse(node.func) == name


def fixture_values(function, constants):
    for mark in function.decorator_list:
        if is_call(mark, "pytest.fixture"):
            for keyword in mark.keywords:
                if keyword.arg == "params":
                    return values_of(keyword.value, constants)
    return set()


def python_tests(path):
    """{function: names of its parameters' values} of one file."""
    tree = ast.parse(read(path))
    constants = {target.id: node.value for node in tree.body if isinstance(node, ast.Assign)
                 for target in node.targets if isinstance(target, ast.Name)}
    functions = [n for n in tree.body if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef))]
    fixtures = {f.name: fixture_values(f, constants) for f in functions}
    tests = {}
    for function in functions:
        if not function.name.startswith("test_"):
            continue
        values = set()
        for mark in function.decorator_list:
            if is_call(mark, "pytest.mark.parametrize"):
                values |= values_of(mark.args[1], constants)
        for argument in function.args.args:
            values |= fixtures.get(argument.arg, set())
        tests[function.name] = values
    return tests


class Tests:
    """The tests of the tree; files are read when they are first asked for."""

    def __init__(self):
        self.files = {}

    def load(self, name):
        if name.endswith(".py"):
            path = os.path.join("tests", "interop", name)
            reader = python_tests
        else:
            path = os.path.join("tests", name + ".c")

            def reader(path):
                return {case: set() for case in CASE.findall(read(path))}
        return reader(path) if os.path.exists(os.path.join(ROOT, path)) else None

    def missing(self, test):
        """Why there is no such test; None: there is."""
        file, function, values = test
        if file not in self.files:
            self.files[file] = self.load(file)
        known = self.files[file]
        if known is None:
            return "no such file"
        if function not in known:
            return "no such test"
        for value in filter(None, (v.strip() for v in (values or "").split(","))):
            if value not in known[function]:
                return f"no such parameter: {value}"
        return None


# ---- the rows -----------------------------------------------------------------------------------


class Form:
    def __init__(self, line, name, text):
        self.line = line
        self.name = name
        self.pending = text.startswith("pending ")
        text = text.removeprefix("pending ").strip()
        self.why = text[1:].strip() if text.startswith("-") else None
        self.tests = TEST.findall(text) if self.why is None else []
        self.odd = TEST.sub("", text).strip() if self.why is None else ""


class Row:
    def __init__(self, line, name):
        self.line = line
        self.name = name
        self.forms = []


class Section:
    def __init__(self, title, forms):
        self.title = title
        self.forms = forms
        self.notes = []
        self.rows = []


def parse(text):
    sections = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        if line.startswith("["):
            title, _, forms = line[1:].partition("]")
            sections.append(Section(title, forms.split()))
        elif line.startswith(">"):
            sections[-1].notes.append(line[1:].strip())
        elif not line[0].isspace():
            sections[-1].rows.append(Row(number, line.strip()))
        else:
            name, _, rest = line.strip().partition("  ")
            sections[-1].rows[-1].forms.append(Form(number, name, rest.strip()))
    return sections


def check_form(form, tests):
    where = f"rows.txt:{form.line}"
    if form.why == "":
        yield f"{where}: {form.name}: no reason is given"
    if form.odd:
        yield f"{where}: not understood: {form.odd}"
    if form.why is None and not form.tests:
        yield f"{where}: {form.name} has no test"
    for test in form.tests:
        why = tests.missing(test)
        if why and not form.pending:
            yield f"{where}: {test[0]}::{test[1]}: {why}"


def check_rows(sections, tests):
    rows = [row.name for section in sections for row in section.rows]
    for name in sorted({name for name in rows if rows.count(name) > 1}):
        yield f"rows.txt: {name} is there twice"
    for section in sections:
        for row in section.rows:
            names = [form.name for form in row.forms]
            for name in section.forms:
                if name not in names:
                    yield f"rows.txt:{row.line}: {row.name} lacks the form {name}"
            for name in {n for n in names if names.count(n) > 1}:
                yield f"rows.txt:{row.line}: {row.name} has {name} twice"
            if not row.forms:
                yield f"rows.txt:{row.line}: {row.name} has no form"
            for form in row.forms:
                yield from check_form(form, tests)


def check_headers(sections):
    """Each handler of the public tables is a row."""
    rows = {row.name for section in sections for row in section.rows}
    folder = os.path.join(ROOT, "include", "sallyport")
    for name in sorted(os.listdir(folder)):
        for table, body in HANDLER_TABLE.findall(read(folder, name)):
            for handler in re.findall(r"\(\*(\w+)\)\(", body):
                if handler not in rows:
                    yield f"include/sallyport/{name}: {table}.{handler} has no row in rows.txt"


def pending_forms(sections):
    return [(row, form) for section in sections for row in section.rows for form in row.forms
            if form.pending]


# ---- the table ----------------------------------------------------------------------------------


def show(test):
    file, function, values = test
    name = f"{function}[{values}]" if values else function
    folder = "interop/" if file.endswith(".py") else ""
    return f"`{folder}{file}` {name}"


def cell(form):
    if form.why is not None:
        return f"to come: {form.why}" if form.pending else f"does not apply: {form.why}"
    shown = "; ".join(show(test) for test in form.tests)
    return f"to come: {shown}" if form.pending else shown


def table(sections):
    out = ["# The handler contract and its tests", "",
           "<!-- Written by tests/handlers/check.py from tests/handlers/rows.txt. -->", "",
           "Each row of the contract, each form that it has, and the tests that show it (in `tests/`).",
           "The build fails when one is missing.", ""]
    for section in sections:
        out += [f"## {section.title}", ""]
        out += section.notes + [""] if section.notes else []
        out += ["| row | form | tests |", "| --- | --- | --- |"]
        for row in section.rows:
            for number, form in enumerate(row.forms):
                name = f"`{row.name}`" if number == 0 and " " not in row.name else row.name
                out.append(f"| {name if number == 0 else ''} | {form.name} | {cell(form)} |")
        out.append("")
    return "\n".join(out)


def settle(text, sections, tests):
    """rows.txt without the marks of those tests that are there."""
    lines = text.splitlines()
    for _, form in pending_forms(sections):
        if form.tests and not any(tests.missing(test) for test in form.tests):
            lines[form.line - 1] = lines[form.line - 1].replace("pending ", "", 1)
    return "\n".join(lines) + "\n"


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def main():
    flags = set(sys.argv[1:])
    if flags - {"--check", "--strict", "--settle"}:
        sys.exit(__doc__)
    text = read("tests", "handlers", "rows.txt")
    tests = Tests()
    sections = parse(text)
    if "--settle" in flags:
        text = settle(text, sections, tests)
        write(ROWS, text)
        sections = parse(text)
    found = list(check_rows(sections, tests)) + list(check_headers(sections))
    waiting = pending_forms(sections)
    if "--strict" in flags:
        found += [f"rows.txt:{form.line}: {row.name}, {form.name}: still to come"
                  for row, form in waiting]
    new = table(sections)
    if "--check" in flags:
        if not os.path.exists(TABLE) or read(TABLE) != new:
            found.append("docs/handlers-tests.md is stale: run tests/handlers/check.py")
    elif not found:
        write(TABLE, new)
    forms = sum(len(row.forms) for section in sections for row in section.rows)
    rows = sum(len(section.rows) for section in sections)
    print("\n".join(found) if found else
          f"handlers: {rows} rows, {forms} forms, {len(waiting)} with tests still to come")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
