"""What each code of a problem means and what to do about it; docs/errors.md and `/errors` are written from this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from app.http.problems import every_code

PATTERN = "http_NNN"
INTRODUCTION = """\
# Errors

Every error is `application/problem+json` (RFC 9457):

```json
{"type": "/errors#silent", "title": "Cannot be used", "status": 422, "code": "silent",
 "detail": "what was given, what was expected, what to do", "request_id": "5f2b8c0d91aa"}
```

Programs decide by `code`, which is stable; `type` leads to its row on the running service. `detail` is for people and \
may change. `request_id` is also the header
`X-Request-ID` of every answer, and finds the lines of the log; a client may give one of its own (1 to 64 of A-Z, a-z, \
0-9, `.`, `_`, `-`). Answers 429 and some 503 say in `Retry-After` after
how many seconds to ask again. Codes marked "job" are not answered to a request: they are the `code` of a job that \
failed, or of one of its files.

Two answers come from the server below the service, as plain text and without an id: 400 to what is not HTTP, and \
none at all where the connection breaks.

"""


@dataclass(frozen=True)
class Code:
    """Describe a code; no statuses where it is met in jobs alone."""

    name: str
    statuses: tuple[int, ...]
    means: str
    remedy: str

    @property
    def shown_statuses(self) -> str:
        """Return the statuses as a document shows them."""
        if self.name == PATTERN:
            return "NNN"
        return ", ".join(str(status) for status in self.statuses) or "job"


# Errors that no request meets, only work on the library or a command.
OF_JOBS = frozenset({"archive", "checkpoint", "figure", "front_end", "training"})
MEANINGS: Mapping[str, tuple[str, str]] = {
    # Who may ask
    "unauthorized": ("No key, or one that the service does not know.", "Send `Authorization: Bearer KEY`."),
    "forbidden": (
        "A browser sent this for another site's page, or under a host name that is not the service's.",
        "Ask from the service's own page or from a program; `ECHOLENS_HOSTS` and `ECHOLENS_CORS_ORIGINS` allow others.",
    ),
    "not_allowed": ("The key's scope does not reach this.", "Ask with a key of scope admin."),
    "outside_roots": (
        "No setting allows this directory of the server to be ingested.",
        "Name one below a directory of `ECHOLENS_INGEST_ROOTS`.",
    ),
    "key_limit": ("The key has too many requests, at once or in a minute.", "Wait as `Retry-After` says."),
    # What was asked
    "invalid_request": (
        "A field is missing, unknown or out of its range; the detail names it.",
        "Send what `/openapi.json` describes.",
    ),
    "query": ("The question cannot be answered as asked.", "Change it as the detail says."),
    "not_found": ("There is no such video, segment or job.", "List what there is: `/videos`, `/jobs`."),
    "range": ("A `Range` that is malformed (400) or outside of the file (416).", "Send `bytes=FIRST-LAST` within it."),
    "cursor": ("A cursor that this service did not give out, or not for this list.", "Begin the list anew."),
    "cursor_expired": ("The library changed so that the list cannot be gone on with.", "Begin the list anew."),
    "not_acceptable": (
        "A picture or a sound alone was asked for, and the front-end's features determine none.",
        "Ask for JSON, or use the front-end `raw`.",
    ),
    "http_400": ("The body is not what its `Content-Type` says, or is cut off.", "Send it whole, and well formed."),
    "http_404": ("There is no such route.", "`/openapi.json` lists them."),
    "http_405": ("The route has other methods; `Allow` names them.", "Use one of those."),
    PATTERN: ("Another status of the framework, NNN.", "The detail says what is known."),
    "idempotency_key_reused": (
        "An `Idempotency-Key` came before, with another content.",
        "Give every upload a key of its own; the same key only to send the same again.",
    ),
    # The file
    "empty_file": ("A file of no bytes.", "Send the file's content."),
    "not_a_medium": ("No decoder recognises the bytes as a picture, sound or video.", "Send a common format."),
    "too_large": ("Too many bytes or pixels.", "Send a shorter piece, or a smaller picture."),
    "media": ("The file cannot be used.", "The detail says why."),
    "damaged": ("A known format, but cut short or corrupt.", "Export or fetch the file again."),
    "too_small": ("A picture under 16 pixels on a side.", "Send a larger one."),
    "too_long": ("More seconds than are taken.", "Cut out the part that is meant."),
    "too_short": ("Under half a second.", "Send a second or more."),
    "took_too_long": ("Decoding ran past its time limit.", "Send a shorter piece, or convert the file."),
    "too_much_memory": ("Decoding ran past its memory limit.", "Send a smaller piece, or convert the file."),
    "decoder_died": ("The process that decoded the file ended.", "Convert the file: its decoder cannot take it."),
    "no_sound_track": ("Its sound was asked for, and it has none.", "Ask by its picture, or send a file with sound."),
    "no_picture": ("Its look was asked for, and it has none.", "Ask by its sound, or send a picture."),
    "silent": ("Sound too quiet to give a latent.", "Send something that can be heard, or another second."),
    "not_finite": ("Samples that are NaN or infinite.", "Export the file again."),
    # The library
    "empty_library": ("There is nothing to search.", "Add footage: `POST /videos`, `echolens ingest`."),
    "untrained_library": ("No model has encoded the library yet.", "Train: `echolens train --library DIR`."),
    "nothing_labelled": ("A measurement needs labels.", "Label videos: `PATCH /videos/{id}`."),
    "library_busy": ("Another process writes to the library.", "Ask again later."),
    "checkpoint_mismatch": (
        "The model that encoded the library is gone, corrupt or another one.",
        "Put its checkpoint back, or train again; `echolens library check` says more.",
    ),
    "library": ("The library or its index cannot serve.", "Do what the detail says; the log holds the cause."),
    "not_ready": ("A part of the service does not work; the detail names it.", "See to that part; see the log."),
    "unmappable": ("Too few items to draw a map of, or all alike.", "Add footage."),
    "measure_busy": ("The library is being measured, and others wait.", "Ask again as `Retry-After` says."),
    "map_busy": ("Another map is being drawn, and others wait.", "Ask again as `Retry-After` says."),
    # Jobs and commands
    "queue_full": ("As many jobs wait as may.", "Send it again as `Retry-After` says."),
    "job_ended": (
        "A job that is over cannot be cancelled; only a failed one can be tried again.",
        "Read its result: `GET /jobs/{id}`.",
    ),
    "not_retryable": ("A failed job whose upload is gone.", "Upload the file again."),
    "training_runs": ("One training at a time, and there is one.", "Wait for it, or cancel it: `/jobs`."),
    "archive": ("A feature archive that breaks its layout.", "Write it again."),
    "checkpoint": ("A checkpoint that is absent, corrupt or of another kind.", "Put the right one back."),
    "figure": ("A figure that cannot be drawn or written.", "Check the directory that it goes to."),
    "front_end": ("A front-end's weights are absent or not the pinned ones.", "`echolens frontends pull`."),
    "training": ("Too little footage, or a run that cannot be resumed.", "Add footage, or begin the run anew."),
    # The service itself
    "busy": ("As many such requests as may are being answered already.", "Ask again as `Retry-After` says."),
    "worker_failure": (
        "A process that decodes, encodes or searches could not be started, or ended on this request.",
        "Ask again later; the log says more.",
    ),
    "deadline": ("No answer within the time that one request may take.", "Ask again later, or for less."),
    "slow_body": ("The body stopped coming for too long.", "Send it without pauses."),
    "gone": ("The client hung up before it had an answer; only the log tells.", "Wait for the answer."),
    "internal": ("A fault that nobody foresaw.", "Report it with the lines that the log has under the `request_id`."),
    "error": ("A fault without a name.", "Report it with the lines that the log has under the `request_id`."),
}


def documented() -> list[Code]:
    """Return every code in the order of the document."""
    statuses = every_code()
    return [
        Code(name, () if name in OF_JOBS else statuses.get(name, ()), means, remedy)
        for name, (means, remedy) in MEANINGS.items()
    ]


def document() -> str:
    """Return docs/errors.md."""
    rows = "\n".join(f"| `{c.name}` | {c.shown_statuses} | {c.means} | {c.remedy} |" for c in documented())
    return f"{INTRODUCTION}| code | status | what it means | what to do |\n|---|---|---|---|\n{rows}\n"


if __name__ == "__main__":
    import app.server  # noqa: F401  every module that has errors of its own

    print(document(), end="")
