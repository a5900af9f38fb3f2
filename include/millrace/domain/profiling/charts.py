"""Bars as inline SVG and HTML: rows of a value, how many of them are positive, and their share."""

from collections.abc import Sequence
from html import escape

from millrace.domain.profiling.pictures import Bar
from millrace.domain.profiling.words import plain, share

_WIDTH, _HEIGHT, _FOOT, _HEAD = 320, 84, 14, 12
_LEAST_ROWS = 15
"""Of fewer rows, a share is luck and not drawn."""


def histogram(bars: Sequence[Bar]) -> str:
    """Bars side by side; the line is the share of positives in each, from zero to the largest share."""
    most = max(bar.rows for bar in bars)
    step = _WIDTH / len(bars)
    drawn = []
    for place, bar in enumerate(bars):
        tall, positive = (_HEIGHT * count / most for count in (bar.rows, bar.positives))
        drawn.append(
            f"<g><title>{escape(_told(bar))}</title>"
            f"{_box(place, step, tall, 'n')}{_box(place, step, positive, 'p')}</g>"
        )
    ends = (
        f'<text x="0" y="{_HEAD + _HEIGHT + 11}">{escape(bars[0].words)}</text>'
        f'<text x="{_WIDTH}" y="{_HEAD + _HEIGHT + 11}" text-anchor="end">{escape(bars[-1].words)}</text>'
    )
    base = f'<line class="base" x1="0" x2="{_WIDTH}" y1="{_HEAD + _HEIGHT}" y2="{_HEAD + _HEIGHT}"/>'
    size = f'viewBox="0 0 {_WIDTH} {_HEAD + _HEIGHT + _FOOT}"'
    return f'<svg {size} role="img">{"".join(drawn)}{base}{_share_line(bars, step)}{ends}</svg>'


def levels(bars: Sequence[Bar]) -> str:
    """One line a value: its name, its rows, and the share of positives."""
    most = max(bar.rows for bar in bars)
    return "".join(
        f'<div class="level" title="{escape(_told(bar))}"><span>{escape(plain(bar.words)) or "(empty)"}</span>'
        f'<span class="track"><div style="width:{100 * bar.positives / most:.2f}%"></div>'
        f'<div style="width:{100 * (bar.rows - bar.positives) / most:.2f}%"></div></span>'
        f"<span>{bar.rows:,} · {share(bar.positives, bar.rows)}</span></div>"
        for bar in bars
    )


def _box(place: int, step: float, tall: float, kind: str) -> str:
    if not tall:
        return ""
    tall = max(tall, 0.8)
    left, width = place * step + 0.5, max(step - 1, 0.8)
    top = _HEAD + _HEIGHT - tall
    return f'<rect class="{kind}" x="{left:.1f}" y="{top:.1f}" width="{width:.1f}" height="{tall:.1f}"/>'


def _share_line(bars: Sequence[Bar], step: float) -> str:
    shares = [bar.positives / bar.rows if bar.rows >= _LEAST_ROWS else None for bar in bars]
    highest = max((part for part in shares if part is not None), default=0.0)
    if not highest:
        return ""
    lines, points = [], []
    for place, part in enumerate([*shares, None]):
        if part is not None:
            points.append(f"{(place + 0.5) * step:.1f},{_HEAD + _HEIGHT - part / highest * _HEIGHT:.1f}")
            continue
        # The line ends where too few rows say what its height would be.
        if len(points) > 1:
            lines.append(f'<polyline class="share" points="{" ".join(points)}"/>')
        points = []
    told = f'<text x="{_WIDTH}" y="8" text-anchor="end">line: share of positives, up to {highest:.0%}</text>'
    return "".join(lines) + told if lines else ""


def _told(bar: Bar) -> str:
    return f"{plain(bar.words)}: {bar.rows:,} rows, {share(bar.positives, bar.rows)} positive"
