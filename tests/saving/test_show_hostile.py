"""Files that were made to do harm, looked at: each is refused or shown, and nothing that it asked for happens."""

import json
import os
import warnings

import hostile_files as hostile
import pytest
import watching

import lamina

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes, to see files being opened"),
    pytest.mark.fixes_unapplied,  # there is no program to repair
]


def look_at(path):
    """What is shown of a file, in each form; or the one message that refuses it."""
    try:
        report = lamina.saving.show(path, weights=True)
    except (ValueError, OSError) as error:
        return [str(error)]
    return [report.to_text(80), report.to_json(), report._repr_html_()]


@pytest.mark.parametrize("name", sorted(hostile.CASES))
def test_is_shown_or_refused(name, tmp_path, watched):
    maker, _ = hostile.CASES[name]
    (tmp_path / hostile.SECRET).write_text("alpha\nbeta\n")
    path = maker(tmp_path)
    left = {p.name for p in tmp_path.iterdir()}
    watching.forget()  # what the maker did
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        texts = look_at(path)
    assert path.name in texts[0]
    assert not any("alpha" in text for text in texts)
    if len(texts) == 1:
        assert len(texts[0]) < 5000
    else:
        assert all(letter.isprintable() or letter == "\n" for letter in texts[0])
        assert json.loads(texts[1])["file"] == str(path)
    assert {p.name for p in tmp_path.iterdir()} == left
    assert not (tmp_path / hostile.MARK).exists()
