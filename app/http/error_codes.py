"""The table of errors: each code with its status, its meaning and what to do; docs/errors.md and `/errors` show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

PATTERN = "http_NNN"
INTRODUCTION = """\
# Errors

Every error is `application/problem+json` (RFC 9457):

```json
{"type": "/errors#silent", "title": "Cannot be used", "status": 422, "code": "silent",
 "detail": "what was given, what was expected, what to do", "request_id": "5f2b8c0d91aa"}
```

- `code` is for programs: it does not change between releases.
- `detail` is for people: its wording may change.
- `type` leads to the row of the code, on the running service.
- `request_id` finds the lines of the log. Every answer has it as the header `X-Request-ID`; a client may send its own
  (1 to 64 of A-Z, a-z, 0-9, `.`, `_`, `-`).
- The header `Retry-After` of a 429, and of some 409 and 503, says after how many seconds to ask again.

No request gets a code marked "job". A failed job has it as its `code`, or one of the files of a job has.

The server below the service answers two cases itself, without problem+json and without an id: plain text with status \
400 where the client does not speak HTTP, and nothing where the connection breaks.

"""


@dataclass(frozen=True)
class Row:
    """Be a row of the table; with `job_only`, no request meets it, only a job or a command."""

    code: str
    statuses: tuple[int, ...]
    meaning: str
    remedy: str
    job_only: bool = False

    @property
    def shown_statuses(self) -> str:
        """Return the statuses as a document shows them."""
        if self.job_only:
            return "job"
        return ", ".join(str(status) for status in self.statuses) or "NNN"


ROWS = (
    # Who may ask
    Row("unauthorized", (401,), "The request has no key, or an unknown one.", "Send `Authorization: Bearer KEY`."),
    Row(
        "forbidden",
        (403,),
        "A browser sent the request for a page of another site, or to a host name that the service does not know.",
        "Ask from the service's own page or from a program, or allow the name or the site: `ECHOLENS_HOSTS`, "
        "`ECHOLENS_CORS_ORIGINS`.",
    ),
    Row("not_allowed", (403,), "The scope of the key does not allow this request.", "Use a key of scope admin."),
    Row(
        "outside_roots",
        (403,),
        "The settings do not allow this directory of the server.",
        "Name one below `ECHOLENS_INGEST_ROOTS`.",
    ),
    Row(
        "paths_hidden",
        (403,),
        "A `folder` of the server was asked for, and you are not told where files lie.",
        "Use a key of scope admin, or leave `folder` out.",
    ),
    Row(
        "key_limit", (429,), "The key has too many requests, at once or in a minute.", "Ask again after `Retry-After`."
    ),
    Row("wrong_keys", (429,), "This address sent too many wrong keys.", "Send the right key; it passes at once."),
    # What was asked
    Row(
        "invalid_request",
        (422,),
        "A field is missing, unknown or out of range.",
        "Correct the field that the detail names; see `/openapi.json`.",
    ),
    Row("query", (422,), "The question cannot be answered as asked.", "Change it as the detail says."),
    Row(
        "unknown_word",
        (422,),
        "A word of the text, or the concept, is unknown.",
        "Use one of the known words that the detail names.",
    ),
    Row("not_found", (404,), "There is no such video, segment or job.", "List them: `/videos`, `/jobs`."),
    Row("range", (400, 416), "The `Range` is malformed (400) or outside the file (416).", "Send `bytes=FIRST-LAST`."),
    Row("cursor", (422,), "The cursor is unknown, or belongs to another list.", "Start without a cursor."),
    Row("cursor_expired", (409,), "The part of the list before the cursor has changed.", "Start without a cursor."),
    Row(
        "not_acceptable",
        (406,),
        "`Accept` asks for a picture or a sound alone, and this front-end's features do not determine one.",
        "Ask for JSON, or use the front-end `raw`.",
    ),
    Row("http_400", (400,), "The body is cut off, or not what `Content-Type` says.", "Send it whole, with its type."),
    Row("http_404", (404,), "There is no such route.", "See `/openapi.json` for all routes."),
    Row("http_405", (405,), "The route does not take this method.", "Use a method that `Allow` names."),
    Row(PATTERN, (), "The framework answered with the status NNN.", "Read the detail."),
    Row(
        "idempotency_key_reused",
        (422,),
        "The same `Idempotency-Key` came before with other content.",
        "Use a new key for each new request, and the same key only to repeat a request.",
    ),
    # The file, or the text
    Row("empty_file", (415,), "The file has no bytes.", "Send the content of the file."),
    Row("not_a_medium", (415,), "No decoder knows it as a picture, sound or video.", "Send a common format."),
    Row(
        "not_readable",
        (422,),
        "The rights or the disk do not allow to read it.",
        "Give the user that runs Echolens the right to read it; check the disk.",
        job_only=True,
    ),
    Row(
        "changing",
        (422,),
        "The file changed while it was read.",
        "Ingest it again once it is written.",
        job_only=True,
    ),
    Row("too_large", (413,), "Too many bytes or pixels.", "Send a shorter piece, or a smaller picture."),
    Row("media", (422,), "The file cannot be used.", "Do what the detail says."),
    Row("damaged", (422,), "The format is known, but the file is cut off or corrupt.", "Export or fetch it again."),
    Row("too_small", (422,), "A side of the picture is under 16 pixels.", "Send a larger picture."),
    Row("too_long", (422,), "The file has too many seconds.", "Cut out the part that you mean."),
    Row("too_short", (422,), "The file is shorter than half a second.", "Send a second or more."),
    Row(
        "took_too_long",
        (422,),
        "Reading the file or text took longer than its time limit.",
        "Send a shorter one, or convert the file.",
    ),
    Row(
        "too_much_memory",
        (422,),
        "Reading the file or text needed too much memory.",
        "Send a shorter one, or convert the file.",
    ),
    Row(
        "decoder_died",
        (422,),
        "The process that reads files and texts crashed on this one.",
        "Convert the file to another format, or put the text in other words.",
    ),
    Row("no_sound_track", (422,), "The question needs its sound; it has none.", "Ask by its picture, or send sound."),
    Row("no_picture", (422,), "The question needs its picture; it has none.", "Ask by its sound, or send a picture."),
    Row("silent", (422,), "The sound is too quiet to use.", "Send a louder sound, or another second."),
    Row(
        "not_finite",
        (422,),
        "Some samples of the file, or features of the file or text, are NaN or infinite.",
        "Export the file again, or ask in another way.",
    ),
    # The library
    Row("empty_library", (409,), "There is nothing to search.", "Add footage: `POST /videos`, `echolens ingest`."),
    Row(
        "untrained_library",
        (409,),
        "No model has encoded the library.",
        "Train one: `echolens train`, or take the front-end's first: `echolens library reencode --frontend NAME`.",
    ),
    Row(
        "library_changed",
        (503,),
        "Another process changed the library while the question was answered: its model, or seconds that were read.",
        "Ask again after `Retry-After`.",
    ),
    Row(
        "nothing_to_measure",
        (409,),
        "Fewer than two videos have both sound and picture.",
        "Add footage: `POST /videos`, `echolens ingest`.",
    ),
    Row(
        "nothing_labelled",
        (409,),
        "The measurement needs labels; fewer than two videos have one.",
        "Label videos: `PATCH /videos/{id}`.",
        job_only=True,
    ),
    Row("library_busy", (409,), "Another process is writing to the library.", "Ask again later."),
    Row(
        "checkpoint_mismatch",
        (503,),
        "The model that encoded the library is missing, corrupt or replaced by another one.",
        "Put its checkpoint back, or `echolens library reencode --frontend NAME`; `echolens library check` says more.",
    ),
    Row("library", (503,), "The library or its index cannot be used.", "Do what the detail says; see the log."),
    Row("not_ready", (503,), "A part of the service does not work.", "Repair what the detail names; see the log."),
    Row("unmappable", (409,), "There are too few items for a map, or all are alike.", "Add footage."),
    Row("measure_busy", (409,), "Too many requests wait for the measurement.", "Ask again after `Retry-After`."),
    Row("map_busy", (409,), "Too many requests wait for a map.", "Ask again after `Retry-After`."),
    # Jobs and commands
    Row(
        "originals_gone",
        (409,),
        "Videos are to be read again, but their features and files are gone; the job's errors name them.",
        'Put the files back, or order it with `"leave_out": true`.',
        job_only=True,
    ),
    Row("queue_full", (429,), "The queue of jobs is full.", "Ask again after `Retry-After`."),
    Row(
        "job_ended",
        (409,),
        "To cancel, the job must not have ended; to retry, it must have failed.",
        "Read its state: `GET /jobs/{id}`.",
    ),
    Row("not_retryable", (409,), "The upload of the failed job is gone.", "Upload the file again."),
    Row("training_runs", (409,), "Another training waits or runs; only one may.", "Wait, or cancel it: `/jobs`."),
    Row("archive", (500,), "The layout of the feature archive is wrong.", "Write the archive again.", job_only=True),
    Row(
        "dataset",
        (500,),
        "Nothing of the data set can be read.",
        "Put its lists and media where docs/datasets.md says.",
        job_only=True,
    ),
    Row(
        "checkpoint", (500,), "The checkpoint is missing, corrupt or foreign.", "Put the right one back.", job_only=True
    ),
    Row("figure", (500,), "The figure cannot be drawn or written.", "Check its directory.", job_only=True),
    Row(
        "front_end",
        (503,),
        "The front-end lacks its weights or its package, has wrong ones, or gives wrong features.",
        "Run `echolens frontends pull`; a running service finds them. Or install the package, and start it again. "
        "Of wrong features the detail says what to do.",
    ),
    Row(
        "training",
        (500,),
        "Too little footage, or a run that cannot be resumed.",
        "Add footage, or start anew.",
        job_only=True,
    ),
    # The service itself
    Row("busy", (429,), "Too many requests of this kind are being answered.", "Ask again after `Retry-After`."),
    Row(
        "worker_failure",
        (503,),
        "A process that decodes, encodes or searches did not start, or crashed on this request.",
        "Ask again after `Retry-After`; the log says more.",
    ),
    Row(
        "device",
        (503,),
        "The GPU failed, or cannot be used.",
        "Ask again after `Retry-After`: a new process is started. `ECHOLENS_DEVICE=auto` goes on without the GPU.",
    ),
    Row(
        "device_memory",
        (503,),
        "The GPU has too little free memory.",
        "Ask again after `Retry-After`, end what else uses the GPU, or set `ECHOLENS_DEVICE=cpu`.",
    ),
    Row("deadline", (503,), "The request took longer than its time limit.", "Ask again later, or for less."),
    Row("slow_body", (408,), "The body came too slowly.", "Send it without pauses."),
    Row("gone", (499,), "The client hung up first; only the log shows this.", "Wait for the answer."),
    Row("internal", (500,), "An unexpected error.", "Report it with the log's lines of its `request_id`."),
    Row("error", (500,), "An error without a code of its own.", "Report it with the log's lines of its `request_id`."),
)
ERROR_CODES: Mapping[str, Row] = {row.code: row for row in ROWS}


def document() -> str:
    """Return docs/errors.md."""
    rows = "\n".join(f"| `{r.code}` | {r.shown_statuses} | {r.meaning} | {r.remedy} |" for r in ROWS)
    return f"{INTRODUCTION}| code | status | what it means | what to do |\n|---|---|---|---|\n{rows}\n"


if __name__ == "__main__":
    print(document(), end="")
