"""As much of PromQL as tests need: which series an expression asks for. Whether it is PromQL at all is left to Prometheus."""
import re

# Labels, not metrics, stand in these.
CLAUSES = re.compile(r"\b(by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
STRINGS = re.compile(r'"(?:[^"\\]|\\.)*"')
WORDS = {"and", "or", "unless", "bool", "offset", "inf", "nan"}
SELECTOR = re.compile(r"(?<![\w:$.])([A-Za-z_:][\w:]*)(\{[^}]*\})?(?!\s*\(|[\w:])")


def selectors(expr):
    """Its vector selectors, (name, matchers in braces or ""), in the order in which they stand there."""
    # Aggregations put their clauses before or after the parentheses; once the clauses are gone, a word before a parenthesis is a function.
    kept = []

    def keep(match):
        kept.append(match.group())
        return f'"{len(kept) - 1}"'

    text = re.sub(r"\[[^\]]*\]", "", STRINGS.sub(keep, expr))
    text = CLAUSES.sub("", text)
    found = []
    for match in SELECTOR.finditer(text):
        if match[1].lower() not in WORDS:
            found.append((match[1], re.sub(r'"(\d+)"', lambda number: kept[int(number[1])], match[2] or "")))
    return found
