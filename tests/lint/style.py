#!/usr/bin/env python3
"""Shape of the sources: lengths, first include, guards, names of files, and calls that a guest of a host never makes."""
import re

import source

MAX_FILE, MAX_FUNCTION, MAX_KERNEL, MAX_LINE = 800, 80, 120, 128
BAD_NAMES = {"common", "internal", "utils", "util", "misc", "helpers"}
BAD_HEADERS = {"assert.h", "ctype.h", "locale.h", "setjmp.h", "stdio.h", "wchar.h", "wctype.h"}

# A call in lib/ -> the files that may make it.
ANYWHERE_ELSE = {name: {"lib/base/alloc.c"} for name in "malloc calloc realloc free aligned_alloc posix_memalign".split()}
BANNED = {
    **ANYWHERE_ELSE,
    **{name: set() for name in """
        alloca memalign valloc strdup strndup asprintf vasprintf
        printf fprintf sprintf snprintf vprintf vfprintf vsprintf vsnprintf dprintf puts fputs putchar
        fopen fdopen fread fwrite fclose scanf fscanf sscanf perror getline
        assert abort exit _exit _Exit quick_exit atexit raise kill signal sigaction fork vfork system popen longjmp setjmp
        getenv secure_getenv setenv putenv setlocale localeconv nl_langinfo
        strtod strtof strtold strtol strtoll strtoul strtoull atoi atol atoll atof strtok strtok_r strcoll strxfrm strerror strerror_r
        isalpha isdigit isalnum isspace isupper islower ispunct isprint iscntrl isxdigit tolower toupper
        strcasecmp strncasecmp
        qsort qsort_r bsearch_s rand srand random srandom drand48 time gettimeofday localtime gmtime strftime dlopen dlsym
        exp expf exp2 exp2f expm1 log logf log2 log2f log1p pow powf sin sinf cos cosf tan tanf tanh tanhf erf erff
        fma fmaf cbrt hypot lgamma tgamma
        __builtin_cpu_supports __builtin_cpu_init __builtin_alloca __builtin_trap __builtin_exp __builtin_log __builtin_pow
    """.split()},
}
WORDS = {
    "_Thread_local": "thread-local", "__thread": "thread-local", "thread_local": "thread-local",
    "constructor": "constructor", "target_clones": "a constructor of libgcc", "ifunc": "a constructor of libgcc",
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(sorted(BANNED)) + r")\s*\(")
WORD = re.compile(r"\b(" + "|".join(WORDS) + r")\b")


def functions(text):
    """(first line, lines) of each function: a brace in the first column opens it, one there closes it."""
    start, found = None, []
    for number, line in enumerate(text.split("\n"), 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            found.append((start, number - start + 1))
            start = None
    return found


def check_text(name, text):
    """What holds for every C file of the repository."""
    lines = text.split("\n")
    if len(lines) - 1 > MAX_FILE:
        yield f"{len(lines) - 1} lines, want at most {MAX_FILE}"
    if not text.endswith("\n") or text.endswith("\n\n"):
        yield "want one newline at the end"
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            yield f"line {number}: {len(line)} columns, want at most {MAX_LINE}"
        if line != line.rstrip():
            yield f"line {number}: blank at the end"
        if "\t" in line:
            yield f"line {number}: tab"
    limit = MAX_KERNEL if re.match(r"lib/backend/[^/]+/", name) else MAX_FUNCTION
    for number, length in functions(source.code(text)):
        if length > limit:
            yield f"line {number}: function of {length} lines, want at most {limit}"


def check_calls(name, text):
    """What holds in lib/: nothing that ends, prints, reads the environment or keeps hidden state."""
    for number, line in enumerate(source.code(text).split("\n"), 1):
        for call in CALL.findall(line):
            if name not in BANNED[call]:
                yield f"line {number}: {call}() is not for lib/"
        for word in WORD.findall(line):
            yield f"line {number}: {word}: {WORDS[word]}"
    for header in re.findall(r"#\s*include\s*<([^>]+)>", source.uncommented(text)):
        if header in BAD_HEADERS:
            yield f"<{header}> is not for lib/"


def check_head(path, name, text):
    """X.c includes X.h first; a header has a guard and says what it is."""
    stem = path.stem
    if stem in BAD_NAMES:
        yield f"a file named {stem} owns no one idea"
    if path.suffix == ".h":
        if not text.startswith("/*"):
            yield "a header starts with what it owns"
        if not re.search(r"^#ifndef (\w+)\n#define \1\n", text, re.M):
            yield "no include guard"
    elif path.with_suffix(".h").exists():
        own = name[len("lib/"):-1] + "h"
        first = re.search(r'#\s*include\s*[<"]([^>"]+)[>"]', source.uncommented(text))
        if not first or first.group(1) != own:
            yield f"first include is {first.group(1) if first else 'none'}, want {own}"


def check(root):
    findings, owner = [], {}
    for path, name in source.c_files(root, "lib", "include", "examples", "bench", "tests"):
        text = path.read_text(encoding="utf-8")
        found = list(check_text(name, text))
        if name.startswith("lib/"):
            found += list(check_calls(name, text)) + list(check_head(path, name, text))
        if name.startswith("lib/") and not name.startswith("lib/api/"):
            other = owner.setdefault(path.name, name)
            if other != name:
                found.append(f"the name is taken by {other}")
        findings += [f"{name}: {what}" for what in found]
    return findings


HEADER = "/* kv/pool.h - blocks */\n#ifndef LLI_KV_POOL_H\n#define LLI_KV_POOL_H\n#endif\n"
GOOD = {
    "lib/kv/pool.h": HEADER,
    "lib/kv/pool.c": '/* malloc( */\n#include "kv/pool.h"\nstatic int f(struct s *p)\n'
                     '{\n    p->free(p);\n    return g("abort()");\n}\n',
    "lib/base/alloc.c": "void *g(void)\n{\n    return malloc(1);\n}\n",
    "tests/unit/test_pool.c": "int main(void)\n{\n    printf(\"%d\", 1);\n}\n",
}


def one(text):
    return {"lib/kv/bad.c": text}


BAD = [
    ("lines, want at most 800", one("int a;\n" * 801)),
    ("function of 81 lines", one("void f(void)\n{\n" + "    ;\n" * 79 + "}\n")),
    ("function of 121 lines", {"lib/backend/scalar/norm.c": "void f(void)\n{\n" + "    ;\n" * 119 + "}\n"}),
    ("129 columns", one("int " + "a" * 124 + ";\n")),
    ("one newline at the end", one("int a;")),
    ("blank at the end", one("int a; \n")),
    ("tab", one("int\ta;\n")),
    ("<stdio.h>", one("#include <stdio.h>\n")),
    ("_Thread_local", one("static _Thread_local int a;\n")),
    ("constructor", one("__attribute__((constructor)) void f(void);\n")),
    ("owns no one idea", {"lib/base/common.h": HEADER}),
    ("no include guard", {"lib/kv/bad.h": "/* bad */\nint a;\n"}),
    ("starts with what it owns", {"lib/kv/bad.h": HEADER.split("\n", 1)[1]}),
    ("first include is base/alloc.h", {"lib/kv/pool.c": '#include "base/alloc.h"\n#include "kv/pool.h"\n'}),
    ("name is taken", {"lib/text/pool.h": HEADER}),
] + [(f"{call}() is not for lib/", one(f"int f(void)\n{{\n    return {call}(1);\n}}\n")) for call in sorted(BANNED)]

if __name__ == "__main__":
    source.main("style", check, GOOD, BAD)
