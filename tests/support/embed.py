#!/usr/bin/env python3
"""Turns data files into one C++ source: embed.py TARGET BASE_DIRECTORY OUTPUT FILE..."""
import pathlib
import sys

CHUNK = 8000  # Compilers bound the length of one string literal; adjacent literals are joined.


def literal(text: str) -> str:
    chunks = [text[i:i + CHUNK] for i in range(0, len(text), CHUNK)] or [""]
    return "\n".join('R"EMBED(' + chunk + ')EMBED"' for chunk in chunks)


def main() -> None:
    target, base, output, *files = sys.argv[1:]
    lines = ['#include <span>', '#include "core/base/embedded_file.h"', "namespace planner::base {",
             f"std::span<const EmbeddedFile> EmbeddedFiles_{target}();",
             f"std::span<const EmbeddedFile> EmbeddedFiles_{target}() {{",
             "  static constexpr EmbeddedFile kFiles[] = {"]
    for name in files:
        text = pathlib.Path(base, name).read_text()
        lines.append(f'    {{"{name}", {literal(text)}}},')
    lines += ["  };", "  return kFiles;", "}", "}  // namespace planner::base", ""]
    pathlib.Path(output).write_text("\n".join(lines))


main()
