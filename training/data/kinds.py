"""What is known of each kind of training picture. A picture's file is called KIND-NUMBER.jpg."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """How crops of a kind are cut.

    Attributes:
        halved: The files are JPEG of quality 70 to 75. Packing halves them, so that nobody learns
            their 8 x 8 blocks.
        least_scale: Crops are reduced by a random scale in [least_scale, 1].
        native_share: Share of the crops that keep the pixels of the file.
        weight: How often the kind is drawn, in proportion to what its size says.
    """

    halved: bool = False
    least_scale: float = 0.5
    native_share: float = 0.4
    weight: float = 1.0


PHOTOGRAPH = Kind()
SCREEN = Kind(least_scale=1.0, native_share=1.0)
KINDS = {
    "cid22": Kind(weight=1.5),
    "wallpaper": Kind(native_share=0.3),  # large JPEG files, which are sharper at half their size
    "clothing": Kind(halved=True, least_scale=0.8),
    "grocery": Kind(halved=True, least_scale=0.8),
    "chart": SCREEN,
    "pixelwheels": SCREEN,
    "uicompose": SCREEN,
    "uidigikam": SCREEN,
    "uipixls": SCREEN,
}

# Never trained on. First every 25th picture of the two kinds that the first model was judged by,
# then a few of the kinds that came later.
HELD_OUT = frozenset(
    [f"cid22-{i:03}" for i in range(0, 201, 25)]
    + [f"wallpaper-{i:03}" for i in range(0, 126, 25)]
    + ["business-018", "chart-005", "compose-010", "food-020", "lineart-003", "oldphoto-020"]
    + ["painting-014", "pixelwheels-002", "pixls-025", "pixls-050", "popos-005", "uidigikam-003"]
)


def kind_of(stem: str) -> Kind:
    """The kind of a picture by its file name. Names that are not listed are photographs."""
    return KINDS.get(stem.split("-")[0], PHOTOGRAPH)
