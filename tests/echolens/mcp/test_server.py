"""`echolens mcp`, started as an assistant starts it and asked by the SDK's client, beside a running service."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from mcp import Client as Assistant
from mcp import MCPError, StdioServerParameters
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, TextContent
from media_samples import gradient, tone, write_picture, write_sound
from PIL import Image
from service_samples import CLIP_S, CLIPS_OF_A_KIND, KINDS, ingest_into, make_library

from app.http import keys
from app.library.ingest import Source
from benchmarks.service.live_service import Service
from echolens import Client
from echolens.mcp.files import AllowedFiles
from echolens.mcp.server import Tools
from index.library import Library

ROOT = Path(__file__).parents[3]
TOOLS = ("describe_library", "search", "localize", "list_videos", "describe_video", "show_frames")
Call = tuple[str, dict[str, object]]


@dataclass(frozen=True)
class Live:
    """A service that runs, a key of scope read for it, and the directory of files that an assistant may send."""

    url: str
    key: str
    files: Path

    def server(self, *options: object, **changed: str) -> StdioServerParameters:
        """Return how an assistant starts the server for this service."""
        return server("--url", self.url, *(options or ("--files", self.files)), ECHOLENS_API_KEY=self.key, **changed)


@pytest.fixture(scope="module")
def live(footage: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """Serve a library that needs a key; of this key no route tells where files lie."""
    directory, files = tmp_path_factory.mktemp("library"), tmp_path_factory.mktemp("files")
    make_library(directory, footage)
    _, key = keys.create(directory, "assistant", "read")
    write_sound(files / "low.wav", tone(2, 44100, 300.0))
    write_picture(files / "still.png", gradient())
    shutil.copy(footage[0], files / "clip.mp4")
    (files / "text.wav").write_text("no sound at all, only words")
    (files.parent / "outside.wav").write_bytes((files / "low.wav").read_bytes())
    (files / "link.wav").symlink_to(files.parent / "outside.wav")
    os.mkfifo(files / "pipe.wav")
    with Service(directory) as service:
        yield Live(f"http://127.0.0.1:{service.port}", key, files)


def server(*options: object, **environment: str) -> StdioServerParameters:
    arguments = ["-m", "app.cli", "mcp", *map(str, options)]
    return StdioServerParameters(command=sys.executable, args=arguments, env=environment, cwd=ROOT)


def ask(started: StdioServerParameters, *calls: Call) -> list[CallToolResult]:
    """Start a server, call its tools one after the other, and end it."""

    async def session() -> list[CallToolResult]:
        async with Assistant(started) as assistant:
            return [await assistant.call_tool(name, arguments) for name, arguments in calls]

    return asyncio.run(session())


def answer(result: CallToolResult) -> dict[str, Any]:
    """Return an answer, which says the same as text."""
    assert not result.is_error, result.content
    (content,) = result.content
    assert isinstance(content, TextContent)
    assert json.loads(content.text) == result.structured_content
    assert result.structured_content is not None
    return result.structured_content


def error(result: CallToolResult) -> str:
    """Return what an assistant is told of an error."""
    assert result.is_error, result.content
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text


def test_an_assistant_learns_what_there_is(live: Live) -> None:
    """Six tools that only read, each with its schema, and refuse what they do not know; where files may lie."""

    async def session() -> None:
        async with Assistant(live.server()) as assistant:
            tools = (await assistant.list_tools()).tools
            assert tuple(tool.name for tool in tools) == TOOLS
            for tool in tools:
                assert tool.annotations is not None
                assert tool.annotations.read_only_hint is True
                assert tool.input_schema["additionalProperties"] is False
                assert (tool.output_schema is None) == (tool.name == "show_frames")
                undescribed = [
                    name for name, field in tool.input_schema["properties"].items() if not field.get("description")
                ]
                assert undescribed == []
            assert assistant.instructions is not None
            assert str(live.files) in assistant.instructions
            assert live.url in assistant.instructions

    asyncio.run(session())


def test_a_session_uses_every_tool(live: Live) -> None:
    """Each answers as the Python client does; a hit is named so that a person finds it."""
    with Client(live.url, live.key) as client:
        videos = list(client.videos())
        clip, second = videos[0], client.second(videos[0].video_id, 2)
        by_sound = client.retrieve("visual", file=live.files / "low.wav", k=3, group_by="video", fold_twins=True)
        found = client.localize(live.files / "clip.mp4", "a2v", query_start_s=1, query_length_s=2)
    results = ask(
        live.server(),
        ("describe_library", {}),
        ("list_videos", {"limit": 4}),
        ("search", {"target": "visual", "file": "low.wav", "k": 3}),
        ("search", {"target": "audio", "file": str(live.files / "still.png"), "label": "red"}),
        ("search", {"target": "visual", "file": "clip.mp4", "query_modality": "visual", "at_s": 1, "k": 1}),
        ("search", {"target": "visual", "segment_id": second.segment_id, "query_modality": "visual", "k": 1}),
        ("search", {"target": "visual", "segment_id": 1, "query_modality": "audio", "group_by": "segment", "k": 50}),
        ("localize", {"direction": "a2v", "video": "clip.mp4", "query_start_s": 1, "query_length_s": 2}),
        ("localize", {"direction": "v2a", "video_id": clip.video_id, "query": "still.png", "from_s": 1, "length_s": 3}),
        ("describe_video", {"video_id": clip.video_id, "start_s": 1, "length_s": 2}),
        ("show_frames", {"video_id": clip.video_id, "start_s": 1, "length_s": 2, "height": 48}),
    )
    library, page, sounds, pictures, own, same, runs, window, stored, seconds = map(answer, results[:-1])
    assert (library["videos"], library["seconds"]) == (6, 6 * CLIP_S)
    assert {label["label"]: label["videos"] for label in library["labels"]} == dict.fromkeys(KINDS, CLIPS_OF_A_KIND)
    assert (page["total"], [v["file_name"] for v in page["videos"]]) == (6, [v.file_name for v in videos[:4]])
    assert [hit["segment_id"] for hit in sounds["hits"]] == [hit.segment_id for hit in by_sound.hits]
    assert {hit["label"] for hit in pictures["hits"]} == {"red"}
    for hits, start_s in ((own["hits"], 1), (same["hits"], 2)):
        assert (hits[0]["file_name"], hits[0]["moment"]) == (clip.file_name, f"0:0{start_s}-0:0{start_s + 1}")
        assert "file_path" not in hits[0], "a key of scope read is told no paths"
    assert sum(hit["end_s"] - hit["start_s"] for hit in runs["hits"]) == 6 * CLIP_S, "neighbouring seconds are one hit"
    assert (window["start_s"], window["end_s"]) == (found.start_s, found.end_s)
    assert stored["searched"] == "0:01-0:04"
    assert [(s["moment"], "heard" in s, "seen" in s) for s in seconds["seconds"]] == [
        ("0:01", True, True),
        ("0:02", True, True),
    ]
    told, picture = results[-1].content
    assert isinstance(told, TextContent)
    assert told.text.startswith(f"{clip.file_name}, from left to right: 0:01, 0:02.")
    with Image.open(BytesIO(base64.b64decode(picture.data))) as frames:  # type: ignore[union-attr]
        assert (frames.format, frames.height) == ("JPEG", 48)
    (rest,) = map(answer, ask(live.server(), ("list_videos", {"limit": 4, "cursor": page["next"]})))
    assert [v["file_name"] for v in rest["videos"]] == [v.file_name for v in videos[4:]]


FAULTS: tuple[tuple[str, dict[str, object], tuple[str, ...]], ...] = (
    ("search", {"target": "visual", "file": "absent.wav"}, ("file_refused", "absent.wav")),
    ("search", {"target": "visual", "file": "/etc/passwd"}, ("file_refused", "reads no others")),
    ("search", {"target": "visual", "file": "../outside.wav"}, ("file_refused", "reads no others")),
    ("search", {"target": "visual", "file": "link.wav"}, ("file_refused", "reads no others")),
    ("search", {"target": "visual", "file": "pipe.wav"}, ("file_refused", "no file")),
    ("search", {"target": "visual", "file": "."}, ("file_refused", "no file")),
    ("search", {"target": "visual", "file": "a\0b"}, ("file_refused", "null")),
    ("search", {"target": "visual", "file": "text.wav"}, ("not_a_medium", "Send a common format")),
    ("search", {"target": "visual", "file": "clip.mp4"}, ("query", "query_modality")),
    ("search", {"target": "visual"}, ("query", "text")),
    ("search", {"target": "visual", "text": "dog"}, ("query", "raw")),
    ("search", {"target": "visual", "segment_id": 10**6}, ("not_found", "1000000")),
    ("search", {"target": "visual", "segment_id": 1, "folder": "/"}, ("paths_hidden", "folder")),
    ("search", {"target": "smell", "segment_id": 1}, ("target", "audio")),
    ("search", {"target": "visual", "segment_id": 1, "k": 51}, ("k", "50")),
    ("search", {"target": "visual", "segment_id": 1, "labels": "red"}, ("labels", "not permitted")),
    ("localize", {"direction": "a2v", "video": "absent.mp4", "query_start_s": 0}, ("file_refused", "absent.mp4")),
    ("localize", {"direction": "a2v", "video": "clip.mp4", "query_start_s": 99, "query_length_s": 1}, ("query", "99")),
    ("list_videos", {"cursor": "nonsense"}, ("cursor",)),
    ("describe_video", {"video_id": "nonsense"}, ("not_found", "nonsense")),
    ("show_frames", {"video_id": "nonsense"}, ("not_found", "nonsense")),
)


def test_an_error_says_its_code_and_what_to_do(live: Live) -> None:
    """Files that may not or cannot be read, questions that are none, arguments that a tool does not have."""
    results = ask(live.server(), *((name, arguments) for name, arguments, _ in FAULTS), ("describe_library", {}))
    for (name, arguments, words), result in zip(FAULTS, results[:-1], strict=True):
        said = error(result)
        assert all(word in said for word in words), (name, arguments, said)
    assert answer(results[-1])["videos"] == 6, "the server goes on"


def test_without_a_directory_no_file_is_read(live: Live) -> None:
    """An assistant that is to read files needs leave; what else can be asked is answered."""
    started = live.server("--url", live.url)
    refused, found = ask(
        started,
        ("search", {"target": "visual", "file": str(live.files / "low.wav")}),
        ("search", {"target": "visual", "segment_id": 1, "query_modality": "audio", "k": 1}),
    )
    assert "--files" in error(refused)
    assert len(answer(found)["hits"]) == 1


def test_a_wrong_key_says_where_the_right_one_goes(live: Live) -> None:
    """The service refuses it, and what an assistant is told names the variable but never the key."""
    (result,) = ask(server("--url", live.url, ECHOLENS_API_KEY="wrong-key"), ("describe_library", {}))
    assert "unauthorized" in error(result)
    assert "ECHOLENS_API_KEY" in error(result)
    assert "wrong-key" not in error(result)


def test_a_service_that_is_down_is_named() -> None:
    """The server starts without it, since it may come up later, and says which address does not answer."""
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
    (result,) = ask(server("--url", address), ("search", {"target": "visual", "text": "dog"}))
    assert "unreachable" in error(result)
    assert address in error(result)


def test_a_library_without_a_model_says_what_to_do(footage: list[Path], tmp_path: Path) -> None:
    """Its facts are told with the problem; a search ends with the service's code."""
    with Library.open(tmp_path) as library:
        library.catalogue.set_identity("raw", None)
    ingest_into(tmp_path, [Source(footage[0], footage[0].name)])
    with Service(tmp_path) as service:
        facts, search = ask(
            server("--url", f"http://127.0.0.1:{service.port}"),
            ("describe_library", {}),
            ("search", {"target": "visual", "segment_id": 1, "query_modality": "audio"}),
        )
    assert "echolens train" in answer(facts)["problem"]
    assert "untrained_library" in error(search)


def test_a_service_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """An assistant is told so at the time limit, while the call still waits in its thread."""
    released = Event()
    monkeypatch.setattr("echolens.mcp.server.MOST_WAIT_S", 0.05)
    monkeypatch.setattr(Client, "library", lambda self: released.wait(30))
    tools = Tools(Client("http://127.0.0.1:1"), AllowedFiles())
    try:
        with pytest.raises(ToolError, match="deadline"):
            asyncio.run(tools.describe_library())
        assert not released.is_set()
    finally:
        released.set()


def test_a_call_that_is_cancelled_holds_up_no_other() -> None:
    """A service that takes connections and never answers: the client gives up, and the server goes on."""

    async def session(address: str) -> list[str]:
        async with Assistant(server("--url", address)) as assistant:
            with pytest.raises(MCPError):
                await assistant.call_tool("describe_library", {}, read_timeout_seconds=0.5)
            return [tool.name for tool in (await assistant.list_tools()).tools]

    with socket.create_server(("127.0.0.1", 0)) as silent:
        assert tuple(asyncio.run(session(f"http://127.0.0.1:{silent.getsockname()[1]}"))) == TOOLS
