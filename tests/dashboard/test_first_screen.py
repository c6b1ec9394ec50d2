from costmodel.dashboard.catalogue import Catalogue
from tools.first_screen import FILE, text


def test_what_the_first_screen_says_is_written_down_for_every_data_set():
    written = FILE.read_text(encoding="utf-8")
    assert written == text(), "stale: run make data"
    assert written.count("\n## ") == len(Catalogue().values("dataset"))
