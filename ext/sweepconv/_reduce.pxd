# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of the weight gradient: each owns a share of the filters and a part of the pixels.

A task sums its part into its own buffer; `fold_task` then adds the parts of a share in a fixed
tree.  Shares, parts and so all orders of summation follow from the shapes alone.
"""

from libc.string cimport memset

from sweepconv._box cimport (
    Block, Phase, box_taps, ceil_div, cut_block, idx, joined_taps, line_starts, tap_starts,
)
from sweepconv._panel cimport move_filters, move_pixels, pack_source
from sweepconv._task cimport PIXELS, RUNS, TAPS, Sweep, find_block, find_box, target_count

# Weight gradient buffers: [box][group][source chunk][chunk][part][panel][tap group][rows][nb].

cdef inline idx tile_rows(const Sweep *s, idx rows) noexcept nogil:
    return ceil_div(rows, 2 * s.tile.half) * 2 * s.tile.half


cdef struct Share:
    # The filters that one task of the weight gradient owns.
    const Phase *phase[3]
    idx group
    idx source
    idx sources
    idx panel
    idx panels
    idx taps
    idx joined
    idx rows         # of a tap group in use
    idx pitch        # rows from one tap group to the next
    idx panel_bytes


cdef inline void find_share(const Sweep *s, idx share, Share *h) noexcept nogil:
    h.panel = share % s.chunks * s.chunk
    h.panels = min(s.chunk, s.panels - h.panel)
    share //= s.chunks
    h.source = share % s.source_chunks * s.source_chunk
    h.sources = min(s.source_chunk, s.sources - h.source)
    share //= s.source_chunks
    h.group = share % s.groups
    find_box(s, share // s.groups, h.phase)
    h.taps = box_taps(h.phase)
    h.joined = joined_taps(h.phase[2])
    h.rows = h.joined * h.sources
    h.pitch = tile_rows(s, h.rows)
    h.panel_bytes = h.taps // h.joined * h.pitch * s.tile.nb * s.tile.itemsize


cdef inline void reduce_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef Share h
    cdef Block b
    cdef idx *place = [0, 0, 0, 0]
    cdef idx part = task % s.parts, total = s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]
    cdef idx first = part * total // s.parts, last = (part + 1) * total // s.parts
    cdef idx block, panel, group, r, row = s.tile.nb * s.tile.itemsize, half = s.tile.half
    cdef char *source = scratch
    cdef char *dy = scratch + s.at[PIXELS]
    cdef idx *off = <idx *>(scratch + s.at[RUNS])
    cdef idx *taps = <idx *>(scratch + s.at[TAPS])
    cdef char *sums = s.panel_data + task * s.panel_bytes
    cdef char *at
    cdef char *base
    find_share(s, s.first + task // s.parts, &h)
    if s.round == 0:
        memset(sums, 0, h.panels * h.panel_bytes)
    for block in range(first + (last - first) * s.round // s.rounds,
                       first + (last - first) * (s.round + 1) // s.rounds):
        find_block(s, block, place)
        if not cut_block(&b, h.phase, s.batch, s.size, place):
            continue
        tap_starts(&b, taps)
        line_starts(&b, h.sources, off)
        pack_source(s.tile, &b, &s.source, h.group * s.sources + h.source, h.sources,
                    2 * s.tile.half, source)
        for panel in range(h.panels):
            move_pixels(s.tile, &b, &s.target,
                        h.group * s.targets + (h.panel + panel) * s.tile.nb,
                        target_count(s, h.panel + panel), dy, b.length, True)
            for group in range(h.taps // h.joined):
                base = source + taps[group * h.joined] * h.sources * s.tile.itemsize
                at = sums + panel * h.panel_bytes + group * h.pitch * row
                for r in range(h.pitch // (2 * s.tile.half)):
                    s.tile.outer[0 if 2 * target_count(s, h.panel + panel) <= s.tile.nb else 1](
                        at, at + half * row, s.tile.nb, at, at + half * row, s.tile.nb,
                        base + 2 * r * half * s.tile.itemsize,
                        base + (2 * r + 1) * half * s.tile.itemsize, 1, b.step * h.sources, off,
                        b.lines, b.length, dy)
                    at += 2 * half * row


cdef inline void fold_task(const Sweep *s, idx share, char *scratch) noexcept nogil:
    """Add the parts of one share in a fixed tree, and write the filters."""
    cdef Share h
    cdef idx apart = 1, part, panel, count
    cdef char *sums = s.panel_data + share * s.parts * s.panel_bytes
    cdef char *old = scratch + s.at[PIXELS]
    find_share(s, s.first + share, &h)
    count = h.panel_bytes // s.tile.itemsize
    while apart < s.parts:
        for part in range((s.parts + apart - 1) // (2 * apart)):
            s.tile.add(sums + 2 * part * apart * s.panel_bytes,
                       sums + (2 * part + 1) * apart * s.panel_bytes, h.panels * count)
        apart *= 2
    for panel in range(h.panels):
        if s.accumulate:
            move_filters(s.tile, h.phase, &s.filters, h.group, h.source, h.sources,
                         (h.panel + panel) * s.tile.nb, target_count(s, h.panel + panel), old,
                         h.joined, h.pitch, scratch, True)
            s.tile.add(sums + panel * h.panel_bytes, old, count)
        move_filters(s.tile, h.phase, &s.filters, h.group, h.source, h.sources,
                     (h.panel + panel) * s.tile.nb, target_count(s, h.panel + panel),
                     sums + panel * h.panel_bytes, h.joined, h.pitch, scratch, False)
