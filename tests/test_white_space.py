"""What a reader cannot see does not make two keys of one."""

import pytest

from api.model.white_space import cleaned


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Army and Air Force", "Army and Air Force"),
        (" Army and  Air Force ", "Army and Air Force"),
        ("Army\u00a0and\tAir\u2009Force\u3000", "Army and Air Force"),
        ("Army and\r\nAir Force\n", "Army and Air Force"),
        ("\ufeffAr\u00admy\u200b and\u2060 Air\u200e Force\u200d", "Army and Air Force"),
        ("", ""),
        ("\u00a0", ""),
    ],
)
def test_white_space_and_what_has_no_width_leave_one_space_or_nothing(text: str, clean: str) -> None:
    assert cleaned(text) == clean == cleaned(clean)


@pytest.mark.parametrize("text", ["می\u200cخواهم", "क्\u200dष", "👩\u200d👧", "Peña Nieto"])
def test_joiners_that_are_part_of_a_word_or_sign_stay(text: str) -> None:
    assert cleaned(text) == text
