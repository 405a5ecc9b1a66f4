#!/usr/bin/env python3
"""Each public header compiles alone, as every C and C++ that a host may speak; each header of lib/ alone as C11.

usage: headers.py ROOT | headers.py --self-test
"""
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile

import source

STRICT = ["-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only"]
STANDARDS = {"c": ("c99", "c11", "c17"), "c++": ("c++98", "c++11", "c++17", "c++20")}
COMPILERS = {"c": ("gcc", "clang"), "c++": ("g++", "clang++")}


def compile_alone(root, compiler, language, standard, header, flags):
    """The compiler's complaint, or None. Twice, so that the guard works too."""
    text = f'#include "{header}"\n#include "{header}"\nint use_of_header;\n'
    command = [compiler, "-x", language, f"-std={standard}", *STRICT, *flags, f"-I{root}/include", f"-I{root}/lib", "-"]
    result = subprocess.run(command, input=text, capture_output=True, text=True)
    if result.returncode == 0:
        return None
    lines = [line for line in result.stderr.splitlines() if "error" in line] or [f"exit status {result.returncode}"]
    return f"{header} as {standard} with {compiler}: {lines[0]}"


AVX2 = ["-DLLI_ISA_AVX2", "-mavx2", "-mfma", "-mf16c"]
AVX512 = ["-DLLI_ISA_AVX512", "-DLLI_ISA_AVX512_VNNI", *AVX2[1:], "-mavx512f", "-mavx512bw", "-mavx512vl", "-mavx512dq", "-mavx512vnni"]
NEON = ["-DLLI_ISA_NEON"]


def instruction_set(header):
    """The flags with which a header of the vector kernels means something here, or None."""
    x86 = platform.machine() == "x86_64"
    for suffix, flags in (("_avx2", AVX2 if x86 else None), ("_avx512", AVX512 if x86 else None), ("_vnni", AVX512 if x86 else None), ("_neon", None if x86 else NEON)):
        if suffix in header:
            return flags
    return AVX2 if x86 else NEON


def cases(root):
    """(compiler, language, standard, header, flags), for every compiler that is installed."""
    public = [path.relative_to(f"{root}/include").as_posix() for path in sorted(pathlib.Path(root, "include").rglob("*.h"))]
    inner = [path.relative_to(f"{root}/lib").as_posix() for path in sorted(pathlib.Path(root, "lib").rglob("*.h"))]
    for language, compilers in COMPILERS.items():
        for compiler in filter(shutil.which, compilers):
            for standard in STANDARDS[language]:
                for header in public:
                    yield compiler, language, standard, header, []
    for header in inner:
        if header.startswith("backend/wide/"):
            flags = instruction_set(header)
            if flags:
                yield "cc", "c", "c11", header, ["-D_GNU_SOURCE", *flags]
            continue
        yield "cc", "c", "c11", header, ["-D_GNU_SOURCE"]


def check(root):
    return [finding for case in cases(root) for finding in [compile_alone(root, *case)] if finding]


GOOD = {
    "include/llminf/a.h": "#ifndef A_H\n#define A_H\n#include <stddef.h>\nenum { A = 1 };\nsize_t llminf_a(void);\n#endif\n",
    "lib/kv/b.h": "#ifndef B_H\n#define B_H\n#include \"llminf/a.h\"\nstruct b {\n    size_t n;\n};\n#endif\n",
}
BAD = [
    ("a.h as c99", {"include/llminf/a.h": "typedef int a;\n"}),
    ("a.h as c++98", {"include/llminf/a.h": "#ifndef A_H\n#define A_H\nenum { A, };\n#endif\n"}),
    ("a.h as c++20", {"include/llminf/a.h": "#ifndef A_H\n#define A_H\nvoid llminf_a(int new);\n#endif\n"}),
    ("a.h as c11", {"include/llminf/a.h": "#ifndef A_H\n#define A_H\nsize_t llminf_a(void);\n#endif\n"}),
    ("b.h as c11", {"lib/kv/b.h": "struct b {\n    size_t n;\n};\n"}),
]

if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        source.end("headers self-test", source.self_test(check, GOOD, BAD), len(BAD) + 1)
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    source.end("headers", check(sys.argv[1]), sum(1 for _ in cases(sys.argv[1])))
