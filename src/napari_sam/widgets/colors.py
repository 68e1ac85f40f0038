"""The colors of the plugin: few, and such that all eyes can tell them apart.

Red, green and blue from 0 to 1, after the palette of Okabe and Ito (Color Universal Design, 2008).
"""

from __future__ import annotations

Color = tuple[float, float, float]

SKY_BLUE: Color = (0.34, 0.71, 0.91)
"""The object being made, and what belongs to it; on the map of tiles, what is on disk."""
VERMILION: Color = (0.90, 0.35, 0.10)
"""What does not belong to it."""
YELLOW: Color = (0.95, 0.90, 0.25)
"""What a click would select."""
ORANGE: Color = (0.90, 0.62, 0.0)
"""What to look at in a dock; on the map of tiles, what is in memory."""
BLUE: Color = (0.0, 0.50, 0.78)
"""In docks: what is chosen, kept, here or going on. Has contrast enough with dark and with light
themes."""


def as_hex(color: Color) -> str:
    """Return a color as style sheets and layers take it, such as "#56b4e9"."""
    return "#" + "".join(f"{round(255 * part):02x}" for part in color)
