"""Markdown for GitHub, made of text that nobody vouches for: whatever it says, it stays text.

Such text stands in code spans, and nowhere else. In a code span GitHub sees no HTML, no link or image, no mention, and
no reference to an issue or a commit. What could end one is not in it: no backtick, no end of a line, and no `|`, which
ends the cell of a table before code spans are looked for.
"""

from collections.abc import Iterable, Sequence

LONGEST = 240  # characters of one text
ROWS = 60  # of one table
BLOCKS = 10  # of a bar
UNSEEN = "-"


def plain(text: str) -> str:
    """A text on one line, cut to LONGEST characters, for a code span or block; what cannot be seen in it is a blank."""
    line = " ".join("".join(each if each.isprintable() else " " for each in text).split())
    line = line.replace("`", "'").replace("|", "/")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"


def code(text: str) -> str:
    """A text as a code span."""
    return f"`{line}`" if (line := plain(text)) else UNSEEN


def codes(texts: Sequence[str], most: int) -> str:
    """The first `most` texts, and how many more there are."""
    more = f" and {len(texts) - most:,} more" if len(texts) > most else ""
    return ", ".join(code(text) for text in texts[:most]) + more


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of Markdown; beyond ROWS rows it says how many it leaves out. No cell may have a `|` of its own."""
    told = list(rows)
    lines = [f"| {' | '.join(line)} |" for line in (header, ["---"] * len(header), *told[:ROWS])]
    left = [f"\n{len(told) - ROWS:,} more are left out."] if len(told) > ROWS else []
    return "\n".join([*lines, *left])


def bar(share: float) -> str:
    """A share from 0 to 1, drawn in characters; what lies beyond is drawn as the end."""
    full = round(BLOCKS * min(max(share, 0.0), 1.0))
    return "█" * full + "░" * (BLOCKS - full)


def folded(summary: str, text: str) -> str:
    """A part that a reader opens; without HTML it is read as it stands."""
    return f"<details><summary>{summary}</summary>\n\n{text}\n\n</details>"


def fitting(parts: Iterable[tuple[str, str]], most: int) -> str:
    """Join parts, given by name, that fit into `most` bytes, the first ones first; the end says what does not fit."""
    kept, left, room = list[str](), list[str](), most
    for name, text in parts:
        size = len(text.encode()) + 2
        if size <= room:
            kept.append(text)
            room -= size
        else:
            left.append(name)
    said = [f"Left out, as a comment takes no more: {', '.join(left)}."] if left else []
    return "\n\n".join([*kept, *said]) + "\n"
