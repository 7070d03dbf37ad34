"""The tools by which an assistant asks a running service. The one door to the package mcp."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from importlib.metadata import version
from math import ceil
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import anyio.to_thread
from mcp.server.mcpserver import Image, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.tools import Tool
from mcp.types import CallToolResult, TextContent, ToolAnnotations
from pydantic import BaseModel, Field

from echolens.client import Client
from echolens.connection import Problem
from echolens.mcp.answers import Found, FoundWindow, LibraryFacts, VideoList, VideoSeconds, frames_text
from echolens.mcp.files import AllowedFiles, FileRefused
from model.modality import Modality

T = TypeVar("T")
MOST_HITS, MOST_VIDEOS, MOST_SECONDS, MOST_FRAMES = 50, 100, 120, 12
MOST_TRIES = 2  # an assistant that is told to wait can do something else meanwhile
MOST_WAIT_S = 120.0  # for an answer; the service ends a question after as long
KEY_ADVICE = "; `echolens mcp` takes it from the environment variable ECHOLENS_API_KEY"
READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
INSTRUCTIONS = """\
Echolens searches recordings by what is heard and seen in each second: a sound finds pictures, a picture finds sounds,
words find both. Call describe_library first: it says what there is and whether words can be asked.
Tell the user file_name and moment of a hit, and how well it fits. The summary says when nothing matches: then say so,
and offer the hits as the nearest, not as found. show_frames shows you what a moment looks like.
A person plays a hit in a browser at {url}/videos/VIDEO_ID/original#t=START_S,END_S
{files}"""

VideoId = Annotated[str, Field(description="of a recording, as search and list_videos tell it")]
Label = Annotated[str | None, Field(description="only recordings with this label")]
Name = Annotated[str | None, Field(description="only recordings with this in their file name")]
Folder = Annotated[
    str | None, Field(description="only files of the server in this directory or below, as a whole path")
]
File = Annotated[str | None, Field(description="path of a sound, picture or video on the user's machine")]
AudioTrack = Annotated[
    int | None, Field(ge=1, description="which sound track of the file, from 1; else the default one")
]


def make_server(url: str, api_key: str | None, directories: Iterable[Path]) -> MCPServer:
    """Return a server that asks the service at `url`, and reads files below the directories alone."""
    files = AllowedFiles(directories)
    tools = Tools(Client(url, api_key, MOST_WAIT_S, tries=MOST_TRIES), files)
    return MCPServer(
        "echolens",
        title="Echolens",
        instructions=INSTRUCTIONS.format(url=url.rstrip("/"), files=files.described),
        version=version("echolens"),
        tools=[
            _tool(tools.describe_library, "Describe the library"),
            _tool(tools.search, "Search by sound, picture, video or words"),
            _tool(tools.localize, "Find a moment in a clip"),
            _tool(tools.list_videos, "List recordings"),
            _tool(tools.describe_video, "Describe the seconds of a recording"),
            _tool(tools.show_frames, "Show frames of a recording"),
        ],
        subscriptions=False,
        log_level="WARNING",
    )


class Tools:
    """Answer what an assistant asks, in a thread each: while one waits for the service, others go on."""

    def __init__(self, client: Client, files: AllowedFiles) -> None:
        self._client, self._files = client, files

    async def describe_library(self) -> Annotated[CallToolResult, LibraryFacts]:
        """Say what the library holds, whether it can be searched, and by what."""
        return await _answer(lambda: LibraryFacts.of(self._client.library()))

    async def search(
        self,
        target: Annotated[
            Modality, Field(description="what to find: visual, what looks like the query; audio, what sounds like it")
        ],
        text: Annotated[str | None, Field(description="the query in words, such as: dog barking. If can_text")] = None,
        file: File = None,
        segment_id: Annotated[int | None, Field(description="or a second of the library is the query")] = None,
        query_modality: Annotated[
            Modality | None, Field(description="which side of a video or second to ask by; required for these")
        ] = None,
        at_s: Annotated[float | None, Field(ge=0, description="the second of the file; else its first ten")] = None,
        length_s: Annotated[float | None, Field(gt=0, le=10, description="so many seconds from at_s, as one")] = None,
        audio_track: AudioTrack = None,
        k: Annotated[int, Field(ge=1, le=MOST_HITS, description="hits at most")] = 5,
        group_by: Annotated[
            Literal["video", "segment"],
            Field(description="video: the best second of each recording; segment: all, neighbouring seconds as one"),
        ] = "video",
        label: Label = None,
        name: Name = None,
        folder: Folder = None,
        video_id: Annotated[str | None, Field(description="only this recording")] = None,
        after_s: Annotated[float | None, Field(description="only hits that start at or after this time")] = None,
        before_s: Annotated[float | None, Field(description="only hits that end at or before this time")] = None,
        concept: Annotated[str | None, Field(description="only seconds in which this is heard or seen")] = None,
        min_match: Annotated[float | None, Field(ge=0, le=1, description="only hits this probable")] = None,
        modified_after: Annotated[str | None, Field(description="only files changed since, such as 2026-05-31")] = None,
        modified_before: Annotated[str | None, Field(description="only files changed before")] = None,
    ) -> Annotated[CallToolResult, Found]:
        """Find the moments whose look or sound fits a query best: words, a file, or a second of the library."""
        return await _answer(
            lambda: Found.of(
                self._client.retrieve(
                    target,
                    file=self._file(file),
                    text=text,
                    segment_id=segment_id,
                    query_modality=query_modality,
                    at_s=at_s,
                    length_s=length_s,
                    audio_track=audio_track,
                    k=k,
                    group_by=group_by,
                    merge_adjacent=group_by == "segment",
                    fold_twins=True,
                    label=label,
                    name=name,
                    folder=folder,
                    video_id=video_id,
                    after_s=after_s,
                    before_s=before_s,
                    concept=concept,
                    min_match=min_match,
                    modified_after=modified_after,
                    modified_before=modified_before,
                )
            )
        )

    async def localize(
        self,
        direction: Annotated[
            Literal["a2v", "v2a"], Field(description="a2v: it is heard, where is it seen? v2a: the reverse")
        ],
        video: Annotated[str | None, Field(description="path of the clip to search in, at most 60 s")] = None,
        video_id: Annotated[str | None, Field(description="or a recording of the library, of any length")] = None,
        from_s: Annotated[int | None, Field(ge=0, description="of a recording: search from here")] = None,
        length_s: Annotated[int | None, Field(ge=1, description="so many seconds, at most 60; else to the end")] = None,
        query: Annotated[str | None, Field(description="path of a sound or picture that is the query")] = None,
        query_start_s: Annotated[int | None, Field(ge=0, description="or the query begins here in the clip")] = None,
        query_length_s: Annotated[int | None, Field(ge=1, description="and lasts so many seconds")] = None,
        query_segment_id: Annotated[int | None, Field(description="or it is a second of the library")] = None,
        audio_track: AudioTrack = None,
    ) -> Annotated[CallToolResult, FoundWindow]:
        """Find where in a clip one sees what one hears, or hears what one sees."""
        return await _answer(
            lambda: FoundWindow.of(
                self._client.localize(
                    self._file(video),
                    direction,
                    video_id=video_id,
                    from_s=from_s,
                    length_s=length_s,
                    query=self._file(query),
                    query_start_s=query_start_s,
                    query_length_s=query_length_s,
                    query_segment_id=query_segment_id,
                    audio_track=audio_track,
                )
            )
        )

    async def list_videos(
        self,
        label: Label = None,
        name: Name = None,
        folder: Folder = None,
        limit: Annotated[int, Field(ge=1, le=MOST_VIDEOS, description="recordings on a page")] = 20,
        cursor: Annotated[str | None, Field(description="next of the page before, with the same filters")] = None,
    ) -> Annotated[CallToolResult, VideoList]:
        """List recordings in the order in which they were added."""
        return await _answer(
            lambda: VideoList.of(
                self._client.videos_page(label=label, q=name, folder=folder, limit=limit, cursor=cursor)
            )
        )

    async def describe_video(
        self,
        video_id: VideoId,
        start_s: Annotated[int, Field(ge=0, description="the first second to tell of")] = 0,
        length_s: Annotated[int, Field(ge=1, le=MOST_SECONDS, description="seconds at most")] = 30,
    ) -> Annotated[CallToolResult, VideoSeconds]:
        """Say what is heard and seen in each second of a recording, with ids that search takes as segment_id."""
        return await _answer(lambda: VideoSeconds.of(self._client.video(video_id), start_s, length_s))

    async def show_frames(
        self,
        video_id: VideoId,
        start_s: Annotated[float, Field(ge=0, description="where the stretch begins")] = 0,
        length_s: Annotated[float, Field(gt=0, description="how long it is; a hit's end_s - start_s, or more")] = 6,
        frames: Annotated[int, Field(ge=1, le=MOST_FRAMES, description="side by side, one a second at most")] = 6,
        height: Annotated[int, Field(ge=16, le=240, description="pixels")] = 120,
    ) -> list[TextContent | Image]:
        """Show what a stretch of a recording looks like, as one picture."""

        def ask() -> list[TextContent | Image]:
            video = self._client.video(video_id, segments=False)
            shown = max(1, min(frames, ceil(min(length_s, video.duration_s - start_s))))
            strip = self._client.filmstrip(video_id, start_s, length_s, shown, height)
            return [_text(frames_text(video, start_s, length_s, shown)), Image(data=strip, format="jpeg")]

        return await _asked(ask)

    def _file(self, name: str | None) -> Path | None:
        return None if name is None else self._files.find(name)


def _tool(function: Callable[..., Any], title: str) -> Tool:
    """Return a tool that only reads, and refuses arguments that it does not have instead of leaving them aside."""
    tool = Tool.from_function(function, title=title, annotations=READS)
    arguments = tool.fn_metadata.arg_model
    arguments.model_config["extra"] = "forbid"
    arguments.model_rebuild(force=True)
    tool.parameters = arguments.model_json_schema(by_alias=True)
    return tool


async def _answer(ask: Callable[[], BaseModel]) -> CallToolResult:
    """Return what is asked as data, and as the same JSON for clients that read text alone."""
    answer = await _asked(ask)
    return CallToolResult(
        content=[_text(answer.model_dump_json(exclude_defaults=True))],
        structured_content=answer.model_dump(mode="json", exclude_defaults=True),
    )


async def _asked(ask: Callable[[], T]) -> T:
    """Return what a call in a thread returns. A call that is cancelled, or takes too long, is left at once."""
    try:
        with anyio.fail_after(MOST_WAIT_S):
            return await anyio.to_thread.run_sync(ask, abandon_on_cancel=True)
    except Problem as problem:
        advice = KEY_ADVICE if problem.code == "unauthorized" else ""
        raise ToolError(f"{problem.code}: {problem.detail}{advice}") from problem
    except FileRefused as error:
        raise ToolError(f"file_refused: {error}") from error
    except TimeoutError as error:
        raise ToolError(f"deadline: no answer in {MOST_WAIT_S:g} s: ask again later, or for less") from error
    except OSError as error:
        raise ToolError(f"not_readable: {error.filename}: {error.strerror}") from error


def _text(text: str) -> TextContent:
    return TextContent(type="text", text=text)
