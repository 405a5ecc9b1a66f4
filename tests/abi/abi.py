#!/usr/bin/env python3
"""The gates of the ABI: what the library shows today against what tests/abi/ stores of release 1.0's line.

usage: abi.py symbols   ROOT LIBRARY              functions and types, by abidiff against llminf-1.0.abi
       abi.py schema    ROOT SCHEMA_PROGRAM       option keys and values by key, against schema.txt
       abi.py constants ROOT CC...                every number in the public headers, against constants.txt
       abi.py renew     ROOT LIBRARY SCHEMA_PROGRAM CC...
       abi.py --self-test

Additions pass; what is gone, retyped, narrower or renumbered fails. tests/abi/renew.sh stores today's state on purpose.
"""
import json
import pathlib
import re
import subprocess
import sys
import tempfile

SKIP = 77
STORED = "llminf-1.0.abi"


def run(*command, **more):
    return subprocess.run(command, check=True, capture_output=True, text=True, **more).stdout


# ---- symbols

def dump(root, library):
    """No --short-locs: with it abidiff 2.2 overlooks a parameter that became int64_t."""
    return run("abidw", "--no-corpus-path", "--no-comp-dir-path", "--drop-private-types", "--exported-interfaces-only",
               "--headers-dir", f"{root}/include", library)


def count_recorded(dumped):
    return len(re.findall(r"<elf-symbol [^>]*type='func-type'", dumped))


def check_symbols(root, library):
    stored = pathlib.Path(root, "tests/abi", STORED)
    if ".debug_info" not in run("readelf", "-SW", library):
        print("abi: the library has no debug information; abidiff needs it")
        sys.exit(SKIP)
    findings = []
    names = {line.split()[-1] for line in run("nm", "-D", "--defined-only", library).splitlines() if " T " in line}
    dumped = dump(root, library)
    if count_recorded(dumped) != len(names):
        findings.append(f"abidw sees {count_recorded(dumped)} functions, nm {len(names)}: was identical code folded?")
    declared = len(re.findall(r"<function-decl [^>]*elf-symbol-id='", dumped))
    if declared < len(names):
        findings.append(f"abidw describes {declared} of {len(names)} functions")
    diff = subprocess.run(["abidiff", "--no-added-syms", "--headers-dir2", f"{root}/include", str(stored), library],
                          capture_output=True, text=True)
    if diff.returncode != 0:
        findings.append(f"abidiff ends with {diff.returncode}:\n{diff.stdout}{diff.stderr}")
    return findings


# ---- schema

def parse_schema(text):
    """{(kind, key): entry}"""
    rows = {}
    for line in text.splitlines():
        kind, key, value = line.split(" ", 2)
        rows[kind, key] = {"name": value} if kind == "status" else json.loads(value)
    return rows


def narrower(field, old, new):
    """Does a field of an entry allow less than it did, or mean something else?"""
    if field == "doc":
        return False
    if field in ("min", "above"):
        return new is not None and (old is None or new > old)
    if field in ("max", "max_bytes", "max_items"):
        return new is not None and (old is None or new < old)
    if field == "values":
        return new is not None and (old is None or not set(old) <= set(new))
    if field == "zero":
        return bool(old) and not new
    return old != new


def compare_schema(old, new):
    findings = []
    for row, entry in sorted(old.items()):
        name = " ".join(row)
        if row not in new:
            findings.append(f"{name} is gone")
            continue
        for field in sorted(set(entry) | set(new[row])):
            before, now = entry.get(field), new[row].get(field)
            if narrower(field, before, now):
                findings.append(f"{name}: {field} was {before}, is {now}")
    return findings


# ---- constants

def constants(root, cc):
    """{name: number} of every enum constant and version macro, as the compiler sees them."""
    paths = sorted(pathlib.Path(root, "include/llminf").glob("*.h"))
    includes = "".join(f"#include <llminf/{path.name}>\n" for path in paths)
    headers = "".join(path.read_text(encoding="utf-8") for path in paths)
    headers = re.sub(r"/\*.*?\*/", " ", headers, flags=re.S)
    names = {name for body in re.findall(r"enum\s*\{(.*?)\}", headers, re.S) for name in re.findall(r"\b(LLMINF_\w+)", body)}
    rows = "".join(f'    printf("{name} %lld\\n", (long long){name});\n' for name in sorted(names))
    program = f'{includes}#include <stdio.h>\nint main(void)\n{{\n{rows}' \
              '    printf("sizeof_llminf_error %d\\n", (int)sizeof(llminf_error));\n    return 0;\n}\n'
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "constants.c")
        path.write_text(program, encoding="utf-8")
        run(*cc, f"-I{root}/include", "-o", f"{folder}/constants", str(path))
        return run(f"{folder}/constants")


def compare_constants(old, new):
    new_rows = dict(line.split() for line in new.splitlines())
    findings = []
    for line in old.splitlines():
        name, number = line.split()
        if new_rows.get(name) != number:
            findings.append(f"{name} was {number}, is {new_rows.get(name, 'gone')}")
    return findings


# ---- the gates

def self_test():
    """Each gate must be able to fail."""
    row = ("context", "threads")
    entry = {"type": "int", "default": 0, "min": 0, "max": 1024, "doc": "workers"}
    text = {"type": "text", "default": "f16", "values": ["f16", "f32"]}
    schema = [
        ("", {row: entry}, {row: {**entry, "max": 2048, "doc": "threads"}, ("context", "new"): entry}),
        ("is gone", {row: entry}, {}),
        ("type was", {row: entry}, {row: {**entry, "type": "float"}}),
        ("default was", {row: entry}, {row: {**entry, "default": 1}}),
        ("min was", {row: entry}, {row: {**entry, "min": 1}}),
        ("max was", {row: entry}, {row: {**entry, "max": 512}}),
        ("zero was", {row: {**entry, "zero": True}}, {row: entry}),
        ("values was", {row: text}, {row: {**text, "values": ["f16"]}}),
        ("name was", {("status", "-1"): {"name": "A"}}, {("status", "-1"): {"name": "B"}}),
    ]
    numbers = [("", "A 1\n", "A 1\nB 2\n"), ("A was 1, is 2", "A 1\n", "A 2\n"), ("is gone", "A 1\n", "")]
    findings = [f"schema: '{want}'" for want, old, new in schema if not matches(want, compare_schema(old, new))]
    findings += [f"constants: '{want}'" for want, old, new in numbers if not matches(want, compare_constants(old, new))]
    return findings + symbols_self_test()


def matches(want, findings):
    return any(want in finding for finding in findings) if want else not findings


HEADER = "typedef int llminf_id;\ntypedef struct llminf_a llminf_a;\nint llminf_get(llminf_a *a, llminf_id id);\n"
SOURCE = '#include "../include/llminf/a.h"\nstruct llminf_a { int n; };\n' \
         "int llminf_get(llminf_a *a, llminf_id id) { return a->n + (int)id; }\n"


def symbols_self_test():
    """A library of one function, and what may and may not happen to it."""
    samples = [
        # what must be found, header, source
        ("", HEADER, SOURCE),
        ("", HEADER, SOURCE.replace("int n;", "double d; int n, m;")),
        ("", HEADER + "int llminf_b(void);\n", SOURCE + "int llminf_b(void) { return 1; }\n"),
        ("abidiff ends with", HEADER.replace("llminf_id id", "long id"), SOURCE.replace("llminf_id id", "long id")),
        ("abidiff ends with", HEADER.replace("typedef int", "typedef long"), SOURCE),
        ("abidiff ends with", HEADER.replace("_get", "_put"), SOURCE.replace("_get", "_put")),
    ]
    findings = []
    with tempfile.TemporaryDirectory() as folder:
        for name in ("include/llminf", "lib", "tests/abi"):
            pathlib.Path(folder, name).mkdir(parents=True)

        def build(header, text):
            pathlib.Path(folder, "include/llminf/a.h").write_text(header, encoding="utf-8")
            pathlib.Path(folder, "lib/a.c").write_text(text, encoding="utf-8")
            run("cc", "-g", "-shared", "-fPIC", "-o", "a.so", "lib/a.c", cwd=folder)
            return f"{folder}/a.so"

        pathlib.Path(folder, "tests/abi", STORED).write_text(dump(folder, build(HEADER, SOURCE)), encoding="utf-8")
        for want, header, text in samples:
            found = check_symbols(folder, build(header, text))
            if not matches(want, found):
                findings.append(f"symbols: want '{want}', found {found}")
    return findings


def stored(root, name):
    path = pathlib.Path(root, "tests/abi", name)
    if not path.exists():
        sys.exit(f"abi: {path} is not there; tests/abi/renew.sh makes it")
    return path.read_text(encoding="utf-8")


def renew(root, library, schema_program, *cc):
    folder = pathlib.Path(root, "tests/abi")
    texts = {STORED: dump(root, library), "schema.txt": run(schema_program), "constants.txt": constants(root, cc)}
    if "../../" in texts[STORED]:
        sys.exit("abi renew: the build does not lie in the source folder; its paths would be stored")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"tests/abi/{name}: {text.count(chr(10))} lines")


def main():
    gate, arguments = (sys.argv[1], sys.argv[2:]) if len(sys.argv) > 1 else ("", [])
    if gate == "--self-test":
        findings = self_test()
    elif gate == "symbols":
        stored(arguments[0], STORED)
        findings = check_symbols(*arguments)
    elif gate == "schema":
        findings = compare_schema(parse_schema(stored(arguments[0], "schema.txt")), parse_schema(run(*arguments[1:])))
    elif gate == "constants":
        findings = compare_constants(stored(arguments[0], "constants.txt"), constants(arguments[0], arguments[1:]))
    elif gate == "renew":
        renew(*arguments)
        return
    else:
        sys.exit(__doc__)
    for finding in findings:
        print(f"abi {gate}: {finding}")
    print(f"abi {gate}: {len(findings)} findings")
    sys.exit(1 if findings else 0)


if __name__ == "__main__":
    main()
