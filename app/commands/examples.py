"""The examples that `--help` shows, by command."""

from __future__ import annotations

LINES = {
    "": (
        "echolens demo                                # make a demonstration library",
        "echolens retrieve knock.wav --target visual  # find pictures for a sound",
        "echolens ingest ~/Videos --library mine      # or a library of your footage",
        "echolens train --library mine                # train on it, without labels",
        "echolens serve --library mine                # web page and HTTP API",
    ),
    "demo": ("echolens demo", "echolens demo --library small --clips 28"),
    "ingest": (
        "echolens ingest ~/Videos",
        "echolens ingest dog.mp4 rain.mkv --library mine",
        "echolens ingest ~/Videos --labels labels.csv",
        "echolens ingest /share/footage --library /share/mine --ray head:6379",
    ),
    "watch": ("echolens watch ~/Videos", "echolens watch /mnt/cameras --library mine --settle 30"),
    "dataset": (
        "echolens dataset vggsound ~/VGGSound --library vgg --limit 100",
        "echolens dataset ave ~/AVE --archive ave.npz --frontend raw",
        "echolens dataset folder ~/Videos --split test --json",
    ),
    "retrieve": (
        "echolens retrieve knock.wav --target visual",
        "echolens retrieve beach.jpg --target audio --k 5",
        "echolens retrieve dog.mp4 --query-modality audio --at 3 --target visual",
        'echolens retrieve --text "dog barking, not rain" --target visual',
    ),
    "localize": (
        "echolens localize dog.mp4 --direction a2v --start 2 --length 3",
        "echolens localize street.mp4 --direction a2v --query horn.wav",
        "echolens localize --video-id ID --direction a2v --from 9 --start 12 --length 3",
    ),
    "generate": ("echolens generate knock.wav --out imagined",),
    "train": (
        "echolens train --library mine",
        "echolens train --library mine --out models/try --seed 1",
        "echolens train --archive features.npz --resume run.state",
        "echolens train --library /share/mine --ray head:6379 --workers 4",
    ),
    "evaluate": (
        "echolens evaluate --library mine",
        "echolens evaluate --archive features.npz --split test --json",
        "echolens evaluate --library mine --figures pictures",
    ),
    "benchmark": ("echolens benchmark --archive features.npz --json figures.json --seeds 3",),
    "serve": ("echolens serve", "echolens serve --library mine --port 9000"),
    "mcp": ("echolens mcp --files ~/Videos", "echolens mcp --url http://archive.local:8000"),
    "openapi": ("echolens openapi > openapi.json",),
    "videos list": (
        "echolens videos list",
        "echolens videos list --label dog --limit 20",
        "echolens videos list --search beach --json",
    ),
    "videos label": (
        "echolens videos label 3f2a9c0b1d4e5f60 dog",
        "echolens videos label 3f2a9c0b1d4e5f60 dog --event-start 2 --event-end 5",
        "echolens videos label 3f2a9c0b1d4e5f60 --clear",
    ),
    "videos delete": (
        "echolens videos delete 3f2a9c0b1d4e5f60",
        "echolens videos delete 3f2a9c0b1d4e5f60 0a1b2c3d4e5f6071 --yes",
    ),
    "frontends list": ("echolens frontends list",),
    "frontends start": ("echolens frontends start --out models/start",),
    "frontends pull": ("echolens frontends pull", "echolens frontends pull --from ~/weights"),
    "library stats": ("echolens library stats --json",),
    "library check": ("echolens library check --library mine --media",),
    "library snapshot": ("echolens library snapshot backup.tar --library mine",),
    "library restore": ("echolens library restore backup.tar --library restored",),
    "library reencode": (
        "echolens library reencode --frontend pretrained",
        "echolens library reencode --checkpoint models/try",
    ),
    "keys create": ("echolens keys create anna", "echolens keys create archive --scope admin --most-per-minute 60"),
    "keys list": ("echolens keys list --json",),
    "keys revoke": ("echolens keys revoke k3b9",),
}


def examples(command: str) -> str:
    """Return the text below a command's help."""
    return "\n".join(("Examples:", *(f"  {line}" for line in LINES[command])))
