#!/usr/bin/env python3
"""Installs into a temporary folder and uses only what lies there: headers, llminf.pc, both libraries, the programs.

usage: installed.py BUILD SOURCE PREFIX LIBDIR CC

Hosts that need a model take the bundled one; without it they are left out, and the last line says so.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

PROMPT = "Once upon a time"


class Failed(Exception):
    pass


def run(*command, **more):
    result = subprocess.run([str(part) for part in command], capture_output=True, text=True, **more)
    if result.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: exit status {result.returncode}\n{result.stdout}{result.stderr}")
    return result.stdout


def want(ok, what):
    if not ok:
        raise Failed(what)


class Installed:
    def __init__(self, build, source, prefix, libdir, cc, destdir):
        self.source, self.cc, self.work = pathlib.Path(source), cc, pathlib.Path(destdir, "work")
        self.work.mkdir()
        run("meson", "install", "-C", build, "--no-rebuild", "--destdir", destdir)
        self.root = pathlib.Path(destdir + prefix)
        self.lib = self.root / libdir
        self.environment = {**os.environ, "PKG_CONFIG_PATH": str(self.lib / "pkgconfig"), "LD_LIBRARY_PATH": str(self.lib)}
        self.n_passed = 0

    def run(self, *command):
        return run(*command, env=self.environment, cwd=self.work)

    def pkg_config(self, *arguments):
        return self.run("pkg-config", f"--define-variable=prefix={self.root}", *arguments, "llminf").split()

    def compile(self, name, language, source, static):
        compiler = {"c": self.cc, "c++": "c++"}[language]
        if not shutil.which(compiler):
            return None
        flags = self.pkg_config("--cflags", "--libs", *(["--static"] if static else []))
        out = self.work / name
        self.run(compiler, "-x", language, "-Wall", "-Wextra", "-Werror", source, "-x", "none", "-o", out, *flags,
                 *(["-static"] if static else []))
        return out

    def passed(self, what):
        self.n_passed += 1
        print(f"ok {what}")


def check_files(at):
    for name in ("llminf.h", "status.h", "version.h"):
        want((at.root / "include/llminf" / name).read_bytes() == (at.source / "include/llminf" / name).read_bytes(), name)
    want(os.readlink(at.lib / "libllminf.so") == "libllminf.so.1", "libllminf.so -> libllminf.so.1")
    want((at.lib / "libllminf.so.1").exists() and (at.lib / "libllminf.a").exists(), "both libraries")
    dynamic = at.run("readelf", "-d", at.lib / "libllminf.so")
    want(re.search(r"SONAME\).*\[(.*)\]", dynamic).group(1) == "libllminf.so.1", "SONAME")
    at.passed("files")


def check_pc(at):
    header = (at.source / "include/llminf/version.h").read_text(encoding="utf-8")
    version = ".".join(re.findall(r"define LLMINF_VERSION_\w+ (\d+)", header))
    want(at.pkg_config("--modversion") == [version], f"llminf.pc: Version is not {version}")
    want(at.pkg_config("--variable=abi_version") == ["1"], "llminf.pc: abi_version is not 1")
    libraries = [flag for flag in at.pkg_config("--libs") if flag.startswith("-l")]
    want(libraries == ["-lllminf"], "llminf.pc: Libs is not -lllminf alone")
    private = at.pkg_config("--static", "--libs")
    want({"-lpcre2-8", "-lxxhash"} <= set(private), f"llminf.pc: static libraries are {private}")
    at.passed("llminf.pc")


def check_consumer(at, language, static):
    name = f"consumer as {language}, {'static' if static else 'shared'}"
    program = at.compile(name.replace(" ", "-").replace(",", ""), language, at.source / "tests/install/consumer.c", static)
    if not program:
        print(f"left out: {name}: no compiler")
        return
    needed = re.findall(r"NEEDED\).*\[(.*?)\]", at.run("readelf", "-d", program))
    want("libllminf.so.1" in needed or static, f"{name}: needs {needed}, want libllminf.so.1")
    want(not needed or not static, f"{name}: needs {needed}, want nothing")
    at.run(program)
    at.passed(name)


def readme_block(at, language):
    text = (at.source / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)
    want(len(blocks) == 1, f"README.md has {len(blocks)} blocks of {language}, want one")
    path = at.work / f"readme.{language}"
    path.write_text(blocks[0], encoding="utf-8")
    return path


def check_hosts(at, model):
    """Four hosts in two languages tell the same story; the bits do not depend on who asks."""
    host = at.compile("host", "c", at.source / "tests/api/host.c", static=False)
    minimal = at.compile("minimal", "c", readme_block(at, "c"), static=False)
    commands = {
        "host.c": [host],
        "host.py": [sys.executable, at.source / "tests/api/host.py"],
        "README's C program": [minimal],
        "README's Python": [sys.executable, readme_block(at, "python")],
    }
    stories = {name: at.run(*command, model, PROMPT).rstrip("\n") for name, command in commands.items()}
    for name, story in stories.items():
        want(len(story) > 100, f"{name}: a story of {len(story)} bytes")
        want(story == stories["host.c"], f"{name} tells another story than host.c:\n{story}\n{stories['host.c']}")
        at.passed(name)
    short = at.run(host, model, PROMPT, "5")
    want(stories["host.c"].startswith(short.rstrip("\n")), "five tokens are not the start of the story")
    story = at.run(at.root / "bin/llminf-generate", "-m", model, "-p", PROMPT, "-n", "8", "--temp", "0")
    want(story, "llminf-generate: no text")
    at.passed("installed llminf-generate")


def main(build, source, prefix, libdir, cc):
    with tempfile.TemporaryDirectory() as destdir:
        at = Installed(build, source, prefix, libdir, cc, destdir)
        check_files(at)
        check_pc(at)
        for language in ("c", "c++"):
            for static in (False, True):
                check_consumer(at, language, static)
        model = at.source / "examples/demo-model/stories.gguf"
        if model.exists():
            check_hosts(at, model)
        else:
            print(f"left out: the hosts that need {model}")
        print(f"installed: {at.n_passed} checks passed")


if __name__ == "__main__":
    if len(sys.argv) != 6:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except Failed as failure:
        sys.exit(f"installed: {failure}")
