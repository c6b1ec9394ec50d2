"""Downloads go on where they were cut, are checked as a whole, and only known files are unpacked."""

from __future__ import annotations

import contextlib
import hashlib
import io
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from costmodel.errors import CostmodelError
from costmodel.train import data
from costmodel.train.data import CIFAR, CifarFile
from costmodel.train.download import fetch


class Server(ThreadingHTTPServer):
    """Serves ``files`` by path, anything else as ``content``."""

    content = b""
    files: dict[str, bytes]
    cut_after: int | None = None
    ranges: list[str | None]


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        begin = int(asked.removeprefix("bytes=").removesuffix("-")) if asked else 0
        body = self.server.files.get(self.path, self.server.content)[begin:]
        self.send_response(206 if asked else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.server.cut_after])

    def log_message(self, *args: object) -> None:
        pass


@contextlib.contextmanager
def serving(files: dict[str, bytes]) -> Iterator[Server]:
    """An address of this machine that serves files by their path."""
    server = Server(("127.0.0.1", 0), Handler)
    server.files, server.ranges = files, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """An address that serves a small archive in the form of CIFAR-10's, with a file that wants to leave the folder."""
    buffer = io.BytesIO()
    files = {"cifar-10-batches-py/data_batch_1": b"one" * 1000, "cifar-10-batches-py/test_batch": b"two" * 1000}
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in {**files, "../evil": b"!"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    with serving({}) as server:
        server.content = buffer.getvalue()
        layout = replace(
            CIFAR["cifar10"],
            train=(CifarFile("data_batch_1", "", 0, 0),),
            test=CifarFile("test_batch", "", 0, 0),
            url=f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz",
            archive_md5=hashlib.md5(server.content).hexdigest(),
        )
        monkeypatch.setitem(data.CIFAR, "cifar10", layout)
        yield server


def quiet(text: str) -> None:
    pass


def test_known_files_arrive_and_nothing_else(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "data"
    fetch("cifar10", folder, quiet)
    assert (folder / "cifar-10-batches-py" / "data_batch_1").read_bytes() == b"one" * 1000
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert found == ["data/cifar-10-batches-py/data_batch_1", "data/cifar-10-batches-py/test_batch"]
    fetch("cifar10", folder, quiet)
    assert len(server.ranges) == 1  # what is there is not fetched again


def test_a_cut_download_goes_on_where_it_stopped(server: Server, tmp_path: Path) -> None:
    server.cut_after = 40
    with pytest.raises(CostmodelError, match=r"Try again|try again"):
        fetch("cifar10", tmp_path, quiet)
    server.cut_after = None
    fetch("cifar10", tmp_path, quiet)
    assert server.ranges == [None, "bytes=40-"]
    assert (tmp_path / "cifar-10-batches-py" / "test_batch").read_bytes() == b"two" * 1000


def test_another_archive_is_deleted_and_nothing_unpacked(server: Server, tmp_path: Path) -> None:
    server.content = server.content[:-1] + bytes([server.content[-1] ^ 1])
    with pytest.raises(CostmodelError, match=r"not the published archive: MD5 \w{32}, expected \w{32}"):
        fetch("cifar10", tmp_path, quiet)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_an_address_that_does_not_answer_says_what_to_do(server: Server, tmp_path: Path) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(CostmodelError, match=r"cannot fetch http.*--data-dir"):
        fetch("cifar10", tmp_path, quiet)


def test_a_folder_that_cannot_be_written_is_named(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CostmodelError, match="cannot store cifar10"):
        fetch("cifar10", tmp_path / "file" / "data", quiet)
