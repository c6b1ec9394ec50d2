from costmodel.dashboard.answer import DATA
from costmodel.dashboard.catalogue import Catalogue
from tools.first_screen import FILE, text


def test_what_the_first_screen_says_is_written_down_for_every_data_set():
    """Whether it is up to date is what ``make data-check`` asks."""
    titles = [DATA.get(name, name) for name in Catalogue().values("dataset")]
    for words in (text(), FILE.read_text(encoding="utf-8")):
        parts = words.split("\n## ")[1:]
        assert [part.partition("\n")[0] for part in parts] == titles
        for part in parts:
            assert "best compromise" in part and "| knee" in part.replace(", knee", "| knee")
            assert "Not shown: " in part or "Nothing is left out." in part
