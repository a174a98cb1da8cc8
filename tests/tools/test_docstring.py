import pytest
from hypothesis import given
from hypothesis import strategies as st

from playhead.tools._docstring import parse_docstring, without_full_stop

GOOGLE = """Add two numbers.

    Works on
    whole numbers.

    Args:
        a: the first
            number
        b (int, optional): the second number. It is
            added: to the first.
        *rest: more

    Returns:
        a: the sum
    """

NUMPY = """Add two numbers.

    Works on
    whole numbers.

    Parameters
    ----------
    a : int
        the first
        number
    b : int, optional
        the second number. It is

        added: to the first.
    *rest
        more

    Returns
    -------
    a : int
        the sum
    """

SPHINX = """Add two numbers.

    Works on
    whole numbers.

    :param a: the first
        number
    :type a: int
    :param int b: the second number. It is
      added: to the first.
    :param rest: more
    :returns: the sum
    :raises ValueError: never
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX], ids=["google", "numpy", "sphinx"])
def test_the_three_styles_say_the_same(text: str) -> None:
    found = parse_docstring(text)
    assert found.description == "Add two numbers.\n\nWorks on whole numbers."
    assert found.parameters == {
        "a": "the first number",
        "b": "the second number. It is added: to the first.",
        "rest": "more",
    }


@pytest.mark.parametrize("title", ["Args:", "Arguments:", "Parameters:", "Params:", "Keyword Args:", "args :"])
def test_a_google_section_has_many_names(title: str) -> None:
    assert parse_docstring(f"Do.\n\n{title}\n    a: x\n").parameters == {"a": "x"}


@pytest.mark.parametrize(
    "item", ["a: x", "a (int): x", "a (dict[str, int], optional): x", "`a`: x", "- a: x", "a:\n    x", "a:x"]
)
def test_a_google_item_has_many_shapes(item: str) -> None:
    body = "\n".join("    " + line for line in item.splitlines())
    assert parse_docstring(f"Do.\n\nArgs:\n{body}\n").parameters == {"a": "x"}


def test_parameters_may_share_a_description() -> None:
    assert parse_docstring("Parameters\n---\na, b : int\n    x\n").parameters == {"a": "x", "b": "x"}


def test_google_items_at_the_margin_are_read_too() -> None:
    assert parse_docstring("Do.\n\nArgs:\na: x\nb: y").parameters == {"a": "x", "b": "y"}


@pytest.mark.parametrize(
    "section",
    [
        "Returns:\n    the sum",
        "Returns: the sum",
        "Raises:\n    ValueError: never",
        "Yields:\n    numbers",
        "Example:\n    >>> add(1, 2)",
        "Examples\n--------\nadd(1, 2)",
        "Note:\n    slow",
        ":return: the sum",
    ],
)
def test_other_sections_are_in_neither(section: str) -> None:
    found = parse_docstring(f"Add.\n\n{section}\n\nArgs:\n    a: x\n\n{section}\n")
    assert found.description == "Add"
    assert found.parameters == {"a": "x"}


def test_words_that_look_like_a_title_are_text() -> None:
    text = "Note: needs a login.\n\nWarning:\nit is slow, and there are options:\n\nargs of all kinds"
    assert parse_docstring(text).description == (
        "Note: needs a login.\n\nWarning: it is slow, and there are options:\n\nargs of all kinds"
    )


def test_lists_and_code_keep_their_lines() -> None:
    text = "Search.\n\nKnows:\n- words\n  in any order\n- phrases\n1. first\n\n```\na = 1\nb = 2\n```"
    assert parse_docstring(text).description == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Add two numbers.", "Add two numbers"),
        ("Add two numbers", "Add two numbers"),
        ("Add, e.g. 1 and 2.", "Add, e.g. 1 and 2"),
        ("Use version 1.2.", "Use version 1.2"),
        ("Add. Then go.", "Add. Then go."),
        ("Really? Add.", "Really? Add."),
        ('Say "stop." Then go.', 'Say "stop." Then go.'),
        ("Add...", "Add..."),
        ("Add!", "Add!"),
        ("Add?", "Add?"),
        ("Add numbers etc.", "Add numbers etc."),
        ("Add at 3 p.m.", "Add at 3 p.m."),
        ("Add.\n\nMore.", "Add.\n\nMore."),
        ("", ""),
    ],
)
def test_one_sentence_loses_its_full_stop(text: str, expected: str) -> None:
    assert without_full_stop(text) == expected


def test_parameters_lose_the_full_stop_of_one_sentence_too() -> None:
    found = parse_docstring("Add.\n\nArgs:\n    a: One.\n    b: One. Two.\n").parameters
    assert found == {"a": "One", "b": "One. Two."}


def test_an_empty_docstring_says_nothing() -> None:
    assert parse_docstring("") == parse_docstring(" \n\n ")
    assert parse_docstring("").description == ""
    assert parse_docstring("").parameters == {}


TITLES = ["Args:", "Parameters", "----------", ":param a: x", ":param", ":param :", ":type a: int", "Returns:"]
LINES = [
    "a: x",
    "a : int",
    "    a: x",
    "        more",
    "  *b (int: y",
    "",
    " ",
    "\t",
    "Note:",
    "```",
    "- item",
    "Text.",
]


@given(st.text() | st.lists(st.sampled_from(TITLES + LINES) | st.text(), max_size=12).map("\n".join))
def test_no_text_is_an_error(text: str) -> None:
    found = parse_docstring(text)
    assert found.description == found.description.strip()
    assert all(words == " ".join(words.split()) for words in found.parameters.values())
