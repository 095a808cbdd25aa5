"""Synthetic text, screens and line art, so that documents do not fall apart: uint8 pictures drawn by Pillow."""
import random

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

WORDS = [
    "the", "of", "and", "to", "in", "is", "you", "that", "it", "he", "was", "for", "on", "are", "as", "with", "his", "they", "I",
    "at", "be", "this", "have", "from", "or", "one", "had", "by", "word", "but", "not", "what", "all", "were", "we", "when", "your",
    "can", "said", "there", "use", "an", "each", "which", "she", "do", "how", "their", "if", "will", "up", "other", "about", "out",
    "many", "then", "them", "these", "so", "File", "Edit", "View", "Total", "2024", "0.15", "$19.99", "100%", "(a+b)", "www.",
    "QUALITY", "Résumé", "Größe",
]  # fmt: skip


def _colour(rng: random.Random, light: bool) -> tuple[int, int, int]:
    low, high = (190, 255) if light else (0, 110)
    return rng.randint(low, high), rng.randint(low, high), rng.randint(low, high)


def page(rng: random.Random, size: int = 512) -> NDArray[np.uint8]:
    """One picture (size, size, 3): blocks of text, boxes, lines and curves, dark on light or light on dark."""
    dark = rng.random() < 0.3
    plain = rng.random() < 0.4
    paper = ((16, 16, 20) if dark else (255, 255, 255)) if plain else _colour(rng, not dark)
    image = Image.new("RGB", (size * 2, size * 2), paper)
    draw = ImageDraw.Draw(image)
    for _ in range(rng.randint(3, 12)):
        x, y = rng.randint(-100, size * 2), rng.randint(-100, size * 2)
        w, h = rng.randint(20, size), rng.randint(20, size)
        contrast = dark if rng.random() < 0.8 else not dark
        ink = ((230, 230, 230) if dark else (0, 0, 0)) if plain and rng.random() < 0.7 else _colour(rng, contrast)
        kind = rng.random()
        if kind < 0.55:
            font = ImageFont.load_default(rng.choice([18, 20, 22, 24, 28, 32, 40, 56, 80, 120]))
            lines = [" ".join(rng.choices(WORDS, k=rng.randint(2, 12))) for _ in range(rng.randint(1, 14))]
            draw.multiline_text((x, y), "\n".join(lines), fill=ink, font=font, spacing=rng.randint(2, 14))
        elif kind < 0.7:
            fill = ink if rng.random() < 0.5 else None
            draw.rounded_rectangle((x, y, x + w, y + h), rng.randint(0, 30), fill, outline=_colour(rng, dark), width=rng.randint(1, 6))
        elif kind < 0.8:
            draw.ellipse((x, y, x + w, y + h), fill=ink if rng.random() < 0.3 else None, outline=ink, width=rng.randint(1, 8))
        elif kind < 0.9:
            points = [(x + i * rng.randint(4, 40), y + rng.randint(-h, h)) for i in range(rng.randint(2, 40))]
            draw.line(points, fill=ink, width=rng.randint(1, 6))
        else:
            for i in range(0, size * 2, rng.choice([16, 24, 40, 64])):
                draw.line((i, 0, i, size * 2) if rng.random() < 0.5 else (0, i, size * 2, i), fill=ink, width=rng.randint(1, 3))
    return np.asarray(image.resize((size, size), Image.Resampling.BOX))  # supersampled: soft edges
