import socket

from costmodel.cli import main as cli
from costmodel.dashboard.serve import make_server


def test_it_binds_to_this_machine_alone():
    server = make_server("127.0.0.1", 0)
    try:
        assert server.server_address[0] == "127.0.0.1"
        assert not server.app.debug
    finally:
        server.server_close()


def test_a_port_in_use_is_bad_input(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        assert cli.main(["dashboard", "--no-browser", "--port", str(taken.getsockname()[1])]) == 2
    assert "in use" in capsys.readouterr().err


def test_missing_results_are_bad_input(tmp_path, capsys):
    assert cli.main(["dashboard", "--no-browser", "--port", "0", "--results", str(tmp_path)]) == 2
    assert "there are no results" in capsys.readouterr().err


def test_a_sweep_of_nothing_is_refused(tmp_path, capsys):
    for folder in (tmp_path, tmp_path / "none"):
        assert cli.main(["dashboard", "--no-browser", "--port", "0", "--sweep", str(folder)]) == 2
        assert "costmodel explore" in capsys.readouterr().err


def test_a_port_that_is_none_is_refused(capsys):
    assert cli.main(["dashboard", "--no-browser", "--port", "70000"]) == 2
    assert "from 0 to 65,535" in capsys.readouterr().err
