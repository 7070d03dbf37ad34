"""A tiny PE-AV with random weights, saved as `save_pretrained` does, and what a second goes through beside it."""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch

WIDTH = 24
PREPARATION = {
    "size": {"height": 32, "width": 32},
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.5, 0.25, 0.2],
    "num_frames": None,
    **dict.fromkeys(("do_resize", "do_rescale", "do_normalize"), True),
}
TOWER = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "head_dim": 16,
}
SPECIAL = ("[CLS]", "[SEP]")
MOST_TOKENS = 64
TEXT = {
    "model_type": "modernbert",
    "hidden_size": WIDTH,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "max_position_embeddings": MOST_TOKENS,
    "vocab_size": len(SPECIAL) + 256,
    **dict.fromkeys(("pad_token_id", "bos_token_id", "eos_token_id", "cls_token_id", "sep_token_id"), 0),
}
VISION = {
    "model_type": "vit",
    "hidden_size": 16,
    "intermediate_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "image_size": 32,
    "patch_size": 16,
    "id2label": {n: str(n) for n in range(12)},
}
TIMM_VISION = {
    "model_type": "timm_wrapper",
    "architecture": "vit_pe_core_tiny_patch16_384",
    "model_args": {"embed_dim": 32, "depth": 1, "num_heads": 2, "img_size": 32},
    "num_classes": 12,
    "do_pooling": True,
    "global_pool": "map",
}


def without_timm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the tower that sees single frames be a ViT of transformers: that of PE-AV is timm's, which tests have not."""
    from transformers import AutoConfig
    from transformers.configuration_utils import SubConfigSpec
    from transformers.models.pe_video.configuration_pe_video import PeVideoEncoderConfig

    vit = SubConfigSpec(config_class=AutoConfig, model_type="vit")
    monkeypatch.setitem(PeVideoEncoderConfig.sub_configs_defaults, "vision_config", vit)


def byte_tokenizer() -> Any:
    """Return a tokenizer like that of ModernBERT, without its merges: a token for each byte, between two others."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({token: n for n, token in enumerate((*SPECIAL, *alphabet))}, []))
    tokenizer.add_special_tokens(list(SPECIAL))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[(token, n) for n, token in enumerate(SPECIAL)]
    )
    return tokenizer


def save_tiny_pe_av(path: Path, seed: int = 0, vision: dict[str, Any] = VISION, **preparation: Any) -> Any:
    """Write a whole model of 190,000 weights into a directory, and return it; `without_timm` comes before."""
    from transformers import PeAudioVideoConfig, PeAudioVideoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    config = PeAudioVideoConfig(
        text_config=TEXT,
        audio_video_config={
            **TOWER,
            "audio_config": {
                **TOWER,
                "model_type": "pe_audio_encoder",
                "dac_config": {"model_type": "dac", "encoder_hidden_size": 4, "codebook_dim": 8},
            },
            "video_config": {
                **TOWER,
                "model_type": "pe_video_encoder",
                "vision_config": vision,
            },
        },
    )
    torch.manual_seed(seed)
    with contextlib.redirect_stdout(io.StringIO()):
        model = PeAudioVideoModel(config).eval()
    with torch.no_grad():  # as drawn by transformers, so deep a codec says the same of every sound
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 1.5 / parameter[0].numel() ** 0.5)
    model.save_pretrained(path)
    byte_tokenizer().save(str(path / "tokenizer.json"))
    (path / "video_preprocessor_config.json").write_text(json.dumps(PREPARATION | preparation))
    return model
