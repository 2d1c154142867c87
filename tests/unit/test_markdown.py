"""Text that nobody vouches for, in Markdown: it stays text, and every size has an end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from slipway import markdown

PARSER = MarkdownIt("commonmark", {"html": True}).enable("table")


@given(st.text(max_size=400))
def test_a_text_is_one_code_span_wherever_it_stands(text: str) -> None:
    """In a sentence, a list and a cell it is one code span, or a dash, and no row gets another cell."""
    told = markdown.code(text)
    for page in (f"See {told} there.", f"- {told}", markdown.table(("a", "b"), [(told, "end")])):
        tokens = [child for token in PARSER.parse(page) for child in token.children or ()]
        assert {token.type for token in tokens} <= {"text", "code_inline"}
        assert [token.type for token in tokens].count("code_inline") == (told != markdown.UNSEEN)
    rendered = PARSER.render(markdown.table(("a", "b"), [(told, "end")]))
    assert rendered.count("<td>") == 2


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("two\nlines\tof it", "`two lines of it`"),
        ("turned \u202eround", "`turned round`"),
        ("a `b` | c", "`a 'b' / c`"),
        ("x" * 500, f"`{'x' * (markdown.LONGEST - 1)}…`"),
        (" \n", "-"),
    ],
)
def test_what_becomes_of_a_text(text: str, told: str) -> None:
    """Line ends, what cannot be seen, backticks and bars are replaced; what is long is cut, and shows it."""
    assert markdown.code(text) == told


def test_a_long_table_says_what_it_leaves_out() -> None:
    """The first rows stand there, and how many more there are."""
    text = markdown.table(("n",), [(str(n),) for n in range(markdown.ROWS + 1_000)])
    assert f"| {markdown.ROWS - 1} |" in text
    assert f"| {markdown.ROWS} |" not in text
    assert text.endswith("\n1,000 more are left out.")
    assert "left out" not in markdown.table(("n",), [("0",)] * markdown.ROWS)


def test_what_does_not_fit_is_named() -> None:
    """Parts go in while there is room, a later small one in place of an earlier large one; bytes count, not letters."""
    parts = [("first", "a" * 50), ("large", "é" * 40), ("small", "b" * 20)]
    assert markdown.fitting(parts, 1000) == "\n\n".join(text for _, text in parts) + "\n"
    told = markdown.fitting(parts, 100)
    assert told == "\n\n".join(["a" * 50, "b" * 20, "Left out, as a comment takes no more: large."]) + "\n"


@pytest.mark.parametrize(("share", "full"), [(-1.0, 0), (0.0, 0), (0.44, 4), (1.0, 10), (7.0, 10)])
def test_a_bar_has_one_length(share: float, full: int) -> None:
    """Ten characters, as many of them full as tenths."""
    assert markdown.bar(share) == "█" * full + "░" * (10 - full)
