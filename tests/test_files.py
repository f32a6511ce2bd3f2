"""Files that are there whole or not at all."""

from pathlib import Path

import pytest

from genie_lite.files import drafted


def test_a_draft_takes_the_files_place_when_it_is_done(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    with drafted(path) as draft:
        draft.write_text("whole")
        assert not path.exists()
    assert [p.name for p in path.parent.iterdir()] == ["file.txt"] and path.read_text() == "whole"


@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_what_fails_or_is_interrupted_leaves_the_file_as_it_was(tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "file.txt"
    path.write_text("before")
    with pytest.raises(error), drafted(path) as draft:
        draft.write_text("half")
        raise error
    assert [p.name for p in tmp_path.iterdir()] == ["file.txt"] and path.read_text() == "before"
