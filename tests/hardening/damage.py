"""A sound spec, and changes that break a text or some bytes."""

from __future__ import annotations

import random
from typing import Any

from tests.hardening.nasty import TEXTS

FIELDS: dict[str, Any] = {
    "efspec": 1,
    "name": "tiny",
    "input": {"size": 32},
    "defaults": {"act": "gelu", "drop_path": {"linear": 0.1}},
    "stem": {"type": "conv_stem", "width": 8},
    "stages": [
        {"width": 8, "blocks": [{"type": "ffn", "repeat": 2, "expansion_ratio": [2, 3]}]},
        {
            "width": 16,
            "downsample": {"type": "attention", "num_heads": 2, "key_dim": 4},
            "blocks": [{"type": "attn_ffn", "num_heads": 2, "key_dim": 4, "stride": 2}],
        },
    ],
    "head": {"type": "linear", "classes": 10},
}
SCALARS = [
    ".nan", ".inf", "-.inf", "NaN", "Infinity", "-1", "0", "1e400", "1e-400", "-0.0",
    "99999999999999999999", "65536", "65537", "1024", "1025", "4096", "4097", "8192", "8193",
    "1000001", "0x7fffffff", "0o777", "0.5", "null", "~", "true", "yes", "{}", "[]", "[[]]",
    "[1,2,3]", "{a:", "1}", "*x", "&x", "!!python/object/apply:os.system", "!!binary", "!!set", "-",
    "?", ":", "|", ">", "'", '"', "<<",
]  # fmt: skip


def damaged(rng: random.Random, text: str) -> bytes:
    """A text after several changes, in its words, its lines, its characters and its bytes."""
    for _ in range(rng.randint(2, 6)):
        at, end = sorted(rng.randrange(len(text) + 1) for _ in range(2))
        lines = text.split("\n")
        line = rng.randrange(len(lines))
        match rng.randrange(9):
            case 0:
                text = text[:at] + rng.choice(SCALARS) + text[at + rng.randrange(4) :]
            case 1:
                text = text[:at] + rng.choice(TEXTS[:-1]) + text[at:]
            case 2:
                text = text[:at] + text[min(end, at + 20) :]
            case 3:
                text = text[:end] + text[at:end] + text[end:]
            case 4:
                lines[line] = " " * rng.randrange(9) + lines[line].lstrip()
                text = "\n".join(lines)
            case 5:
                lines.insert(line, lines[rng.randrange(len(lines))])
                text = "\n".join(lines)
            case 6:
                words = text.split(" ")
                words[rng.randrange(len(words))] = rng.choice(SCALARS)
                text = " ".join(words)
            case 7:
                text = (
                    text[:at]
                    + chr(rng.choice([rng.randrange(256), rng.randrange(0x110000)]))
                    + text[at:]
                )
            case _:
                text = text[:end] if rng.random() < 0.3 else text
    data = text.encode("utf-8", "surrogatepass")
    match rng.randrange(24):
        case 0:
            return b"\xef\xbb\xbf" * rng.randrange(3) + data
        case 1:
            return text.encode("utf-16", "surrogatepass")
        case 2:
            return flipped(rng, data)
    return data


def flipped(rng: random.Random, data: bytes) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 12)):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)
