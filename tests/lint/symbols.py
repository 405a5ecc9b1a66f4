#!/usr/bin/env python3
"""What the built library shows to the loader: exports equal lib/llminf.map, imports are on a list, and no hidden state.

usage: symbols.py [--tools PREFIX] SOURCE_ROOT libllminf.so libllminf.a | symbols.py [--tools PREFIX] --self-test CC...
PREFIX stands before the names nm, objdump, readelf and ar: those of a cross compiler.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

import source

FORBIDDEN = set("""
    abort exit _exit _Exit quick_exit atexit __cxa_atexit raise kill __assert_fail __assert __assert_perror_fail
    signal sigaction fork vfork system popen execve dlopen dlsym longjmp setjmp _setjmp __longjmp_chk __fortify_fail
    printf fprintf sprintf snprintf vprintf vfprintf vsprintf vsnprintf dprintf puts putchar fputs perror
    __printf_chk __fprintf_chk __snprintf_chk __vsnprintf_chk __sprintf_chk
    fopen fopen64 fdopen fclose fread fwrite fseek fgets getline scanf sscanf stdin stdout stderr
    getenv secure_getenv setenv putenv setlocale localeconv newlocale uselocale strtok rand srand random
    strtod strtof strtol strtoll strtoul strtoull __isoc99_sscanf __ctype_b_loc __ctype_tolower_loc tolower toupper qsort strerror
""".split())


PREFIX = sys.argv[2] if sys.argv[1:2] == ["--tools"] else ""


def run(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def tool(name, *args):
    return run(PREFIX + name, *args)


def map_names(text):
    """{(name, node)} of a version script; nothing but explicit names may be global."""
    names = set()
    for node, body in re.findall(r"(\w[\w.]*)\s*\{(.*?)\}", source.uncommented(text), re.S):
        for name in re.findall(r"[\w*?]+(?=\s*;)", body.split("local:")[0]):
            names.add((name, node))
    return names


def exported(library):
    """{(name, node)} of the dynamic symbols, and what else is wrong with them."""
    names, findings = set(), []
    for line in tool("nm", "-D", "--defined-only", "--with-symbol-versions", library).splitlines():
        fields = line.split()
        kind, symbol = fields[-2], fields[-1]
        name, _, node = symbol.partition("@@")
        if kind == "A" and not node:
            continue
        if kind != "T":
            findings.append(f"{name} is exported as {kind}, want a function (T)")
        names.add((name, node or "no node"))
    return names, findings


def check_exports(library, map_text, header_text):
    want = map_names(map_text)
    have, findings = exported(library)
    findings += [f"{name} ({node}) is exported and not in the map" for name, node in sorted(have - want)]
    findings += [f"{name} ({node}) is in the map and not exported" for name, node in sorted(want - have)]
    declarations = re.sub(r"^\s*#.*$", "", source.code(header_text), flags=re.M)
    declared = set(re.findall(r"LLMINF_API[^;(]*?\b(\w+)\s*\(", declarations))
    listed = {name for name, _ in want}
    findings += [f"{name} is declared and not in the map" for name in sorted(declared - listed)]
    findings += [f"{name} is in the map and not declared" for name in sorted(listed - declared)]
    return findings


def check_imports(library, allowed_text):
    allowed = {line for line in allowed_text.splitlines() if line and not line.startswith("#")}
    findings = [f"imports.txt: {name} is forbidden" for name in sorted(allowed & FORBIDDEN)]
    for line in tool("nm", "-D", "--undefined-only", library).splitlines():
        name = line.split()[-1].partition("@")[0]
        if name in FORBIDDEN:
            findings.append(f"imports {name}: forbidden")
        elif name not in allowed:
            findings.append(f"imports {name}: not in imports.txt")
    return findings


def check_image(library):
    """Segments and sections: no thread-local storage, no text relocation, nothing both writable and executable."""
    findings = []
    for line in tool("readelf", "-lW", library).splitlines():
        fields = line.split()
        if fields and fields[0] == "TLS":
            findings.append("has a thread-local segment")
        flags = "".join(fields[6:-1])
        if fields and fields[0] in ("LOAD", "GNU_STACK") and "W" in flags and "E" in flags:
            findings.append(f"segment {fields[0]} is writable and executable")
    if re.search(r"\bTEXTREL\b", tool("readelf", "-dW", library)):
        findings.append("has text relocations")
    section = re.compile(r"\s(\.(?:init_array|fini_array|ctors|dtors))\s+\w+\s+\w+\s+\w+\s+(\w+)")
    for name, size in section.findall(tool("readelf", "-SW", library)):
        if int(size, 16) > 8:
            findings.append(f"{name} has {int(size, 16)} bytes, want the 8 of the start files: a constructor or destructor")
    return findings


def check_objects(archive):
    """No mutable data in our objects; .data.rel.ro holds constant tables with pointers."""
    findings, member = [], "?"
    for line in tool("objdump", "-t", archive).splitlines():
        head = re.match(r"(\S+):\s+file format", line)
        if head:
            member = head.group(1)
        symbol = re.match(r"[0-9a-f]+ (.{7}) (\S+)\s+([0-9a-f]+)\s+(?:\.hidden )?(\S+)$", line)
        if not symbol or "d" in symbol.group(1) and int(symbol.group(3), 16) == 0:
            continue
        section, size, name = symbol.group(2), int(symbol.group(3), 16), symbol.group(4)
        mutable = re.match(r"\.(data|bss|tdata|tbss|init_array|ctors)|\*COM\*", section)
        if mutable and size and not section.startswith(".data.rel.ro"):
            findings.append(f"{member}: {name} lies in {section}: mutable state of the process")
    return findings


def check(root, library, archive):
    root = pathlib.Path(root)
    header = "".join(path.read_text(encoding="utf-8") for path in sorted(root.glob("include/llminf/*.h")))
    return (check_exports(library, (root / "lib/llminf.map").read_text(encoding="utf-8"), header)
            + check_imports(library, (root / "tests/lint/imports.txt").read_text(encoding="utf-8"))
            + check_image(library) + check_objects(archive))


MAP = "LLMINF_1.0 {\nglobal:\n    llminf_a;\n    llminf_b;\nlocal:\n    *;\n};\n"
HEADER = "#define LLMINF_API __attribute__((visibility(\"default\")))\nLLMINF_API int llminf_a(void);\nLLMINF_API int llminf_b(void);\n"
BODY = "int llminf_a(void)\n{\n    return 1;\n}\nint llminf_b(void)\n{\n    return 2;\n}\n"
IMPORTS = "__cxa_finalize\n__gmon_start__\n_ITM_deregisterTMCloneTable\n_ITM_registerTMCloneTable\n"
SAMPLES = [
    # what must be found, C source added, files changed, flags of the link
    (None, "static int (*const table[])(void) = {llminf_a}; int llminf_b2(int i) { return table[i](); }", {}, []),
    ("llminf_c (LLMINF_1.0) is in the map and not exported", "", {"lib/llminf.map": MAP.replace("b;", "b; llminf_c;")}, []),
    ("llminf_b (no node) is exported and not in the map", "", {}, ["plain"]),
    ("llminf_c is declared and not in the map", "", {"include/llminf/llminf.h": HEADER + "LLMINF_API int llminf_c(void);\n"}, []),
    ("llminf_b is in the map and not declared", "", {"include/llminf/llminf.h": HEADER.replace("LLMINF_API int llminf_b(void);\n", "")}, []),
    ("want a function", "int llminf_c = 1;", {"lib/llminf.map": MAP.replace("b;", "b; llminf_c;")}, []),
    ("imports abort: forbidden", "void abort(void); void f(void) { abort(); }", {}, []),
    ("imports.txt: getenv is forbidden", "", {"tests/lint/imports.txt": IMPORTS + "getenv\n"}, []),
    ("imports usleep: not in imports.txt", "int usleep(unsigned); void f(void) { usleep(1); }", {}, []),
    ("thread-local segment", "static _Thread_local int a; int f(void) { return a++; }", {}, []),
    ("GNU_STACK is writable and executable", "", {}, ["-Wl,-z,execstack"]),
    ("a constructor", "static volatile int a; __attribute__((constructor)) static void f(void) { a++; }", {}, []),
    ("counter lies in .bss", "static int counter; int f(void) { return counter++; }", {}, []),
    ("counter lies in .data", "static int counter = 7; int f(void) { return counter++; }", {}, []),
]


def self_test(cc):
    failures = []
    for want, extra, files, flags in SAMPLES:
        with tempfile.TemporaryDirectory() as root:
            texts = {"lib/llminf.map": MAP, "include/llminf/llminf.h": HEADER, "tests/lint/imports.txt": IMPORTS}
            texts["a.c"] = BODY + extra + "\n"
            for name, text in {**texts, **files}.items():
                source.write(root, name, text)
            version = [] if "plain" in flags else [f"-Wl,--version-script={root}/lib/llminf.map"]
            run(*cc, "-fPIC", "-O1", "-c", "-o", f"{root}/a.o", f"{root}/a.c")
            flags = [flag for flag in flags if flag != "plain"]
            run(*cc, "-shared", "-Wl,-z,now", "-o", f"{root}/a.so", f"{root}/a.o", *version, *flags)
            tool("ar", "rcs", f"{root}/a.a", f"{root}/a.o")
            findings = check(root, f"{root}/a.so", f"{root}/a.a")
        if want is None and findings:
            failures.append("good sample: found " + findings[0])
        elif want is not None and not any(want in finding for finding in findings):
            failures.append(f"bad sample: '{want}' was not found, but {findings}")
    return failures


if __name__ == "__main__":
    argv = sys.argv[3:] if PREFIX else sys.argv[1:]
    if len(argv) > 1 and argv[0] == "--self-test":
        source.end("symbols self-test", self_test(argv[1:]), len(SAMPLES))
    if len(argv) != 3:
        sys.exit(__doc__)
    source.end("symbols", check(*argv), len(exported(argv[1])[0]))
