# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of the weight gradient: each owns a share of the filters and a part of the pixels.

A task sums its part into its own buffer; `fold_task` then adds the parts of a share in a fixed
tree.  Shares, parts and so all orders of summation follow from the shapes alone.
"""

from libc.string cimport memset

from sweepconv._ahead cimport ask_block, ask_nothing, pass_steps
from sweepconv._box cimport (
    AXES, Block, Phase, box_taps, ceil_div, cut_block, idx, is_panel, joined_taps, line_starts,
    tap_starts,
)
from sweepconv._kernels cimport SC_EACH, SC_OUTER, sc_item, sc_line, sc_pair, sc_steps, sc_stream
from sweepconv._panel cimport (
    Columns, line_pace, move_pixels, pack_source, target_at, target_steps,
)
from sweepconv._task cimport (
    INIT, LINES, PIXELS, RUNS, TAPS, Sweep, find_block, find_box, first_source, first_target,
    move_panel, panel_vectors, pixels_collide, source_columns, target_columns, tile_of,
)

cdef enum:
    FEW_PAIRS = 2      # of tiles that read dy as it lies
    MORE_PAIRS = 40    # those whose rows of dy are whole lines of the cache
    WHOLE_LINES = 128  # bytes of such a row


# Weight gradient buffers: [box][group][source chunk][chunk][part][panel][tap group][rows][nb].

cdef struct Share:
    # The filters that one task of the weight gradient owns.
    const Phase *phase[3]
    idx group
    idx source
    idx sources
    idx panel
    idx panels
    idx taps
    idx joined       # neighbouring taps, whose channels are one run of rows: a tap group
    idx halves       # of tiles in a tap group
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
    h.halves = ceil_div(h.joined * h.sources, s.half)
    h.pitch = h.halves * s.half
    h.panel_bytes = (h.taps // h.joined * h.pitch + s.half) * s.tile.nb * s.tile.itemsize


cdef inline const char *place_source(const Sweep *s, const Share *h, idx groups, Block *b,
                                     char *panel) noexcept nogil:
    """Where the share's first channel stands at coordinate 0 of the block: in x, read as it
    lies where it has the form of a panel, or in `panel`, where it is packed, beside those of the
    next shares if `groups` are more than one."""
    cdef Block view
    cdef Columns columns
    cdef idx first = first_source(s, h.group) + h.source, beyond = h.pitch - h.joined * h.sources
    if (s.kind == SC_OUTER and not pixels_collide(s.source.space[2])
            and is_panel(b, &s.source, s.tile.itemsize, &view)
            and (h.joined == 1 or view.scale == h.sources)
            and view.last + (first + h.sources + beyond) * s.tile.itemsize <= s.source.end):
        b[0] = view
        return b.panel + first * s.tile.itemsize
    b.scale = h.sources * s.lanes * s.wide
    source_columns(s, &s.source, h.group, groups, h.sources, &columns)
    pack_source(s.tile, b, &s.source, first, &columns, h.sources * s.unit * s.wide,
                2 * s.half * s.unit * s.wide, panel)
    return panel


cdef inline idx find_pairs(const Sweep *s, const Share *h, const Block *b, const idx *taps,
                           bint from_zeros, sc_pair *pair) noexcept nogil:
    """Tiles of any two halves, and how many; the sums of all start from one row of zeros, or from
    themselves.  An odd last half comes with a filler, for which a panel has room at its end."""
    cdef idx size = s.half * s.tile.nb * s.tile.itemsize, i, base
    cdef idx count = h.taps // h.joined * h.halves
    for i in range(ceil_div(count, 2) * 2):
        base = min(i, count - 1)
        pair[i // 2].to[i % 2] = i * size
        pair[i // 2].start[i % 2] = 0 if from_zeros else i * size
        pair[i // 2].x[i % 2] = (taps[base // h.halves * h.joined] * b.scale * s.tile.itemsize
                                 + base % h.halves * s.half * s.unit * s.wide)
    return ceil_div(count, 2)


cdef inline idx pixel_pace(const Sweep *s, const Block *b, idx pairs) noexcept nogil:
    """Values from one pixel of a line to the next in dy, where it is read as it lies: since it is a
    panel, or so few tiles read it, and both vectors of a row are neighbouring channels.  0: it is
    packed."""
    cdef idx steps[AXES]
    cdef idx pace = line_pace(s.tile, b, &s.target), few = 0
    cdef int a
    if s.kind == SC_EACH:
        few = FEW_PAIRS
    elif s.kind == SC_OUTER and s.tile.nb * s.tile.itemsize >= WHOLE_LINES:
        few = MORE_PAIRS
    if pairs > few and not (s.kind == SC_OUTER and pace == s.tile.nb):
        return 0
    target_steps(b, &s.target, steps)
    for a in range(3):
        if steps[a] % s.tile.itemsize:
            return 0
    return pace


cdef inline void aim_dy(const Sweep *s, const Block *b, idx first, const Columns *c, idx pace,
                        char *panel, sc_line *line, sc_item *item, sc_steps *steps) noexcept nogil:
    """dy of a filter panel, whose first channel is number `first`: as it lies, or packed."""
    cdef idx places[AXES]
    cdef idx i
    cdef const char *at
    steps.ws, item.w = s.tile.nb, panel
    for i in range(b.lines):
        line[i].w = i * b.length * s.tile.nb
    if not (pace and c.whole):
        move_pixels(s.tile, b, &s.target, first, c, panel, True)
        return
    target_steps(b, &s.target, places)
    at = target_at(b, &s.target, places, 0)
    steps.ws, item.w = pace, at + first * s.target.channel
    for i in range(b.lines):
        line[i].w = (target_at(b, &s.target, places, i * b.length) - at) // s.tile.itemsize


cdef inline void sum_panels(const Sweep *s, const Share *h, const Block *b, char *sums, idx pace,
                            const char *zeros, char *dy, const sc_pair *pair, idx pairs,
                            sc_line *line, sc_item *item, sc_steps *steps,
                            sc_stream *ahead) noexcept nogil:
    """Add what a block gives to all filter panels of a share."""
    cdef Columns columns
    cdef idx panel
    for panel in range(h.panels):
        target_columns(s, s.target.channel, h.group, h.panel + panel, &columns)
        aim_dy(s, b, first_target(s, h.group, h.panel + panel), &columns, pace, dy, line, item,
               steps)
        item.to = sums + panel * h.panel_bytes
        item.start = zeros if zeros != NULL else item.to
        tile_of(s, panel_vectors(s, h.group, h.panel + panel), s.half)(item, 1, pair, pairs, steps)
        pass_steps(pairs * b.pixels, ahead)


cdef inline void reduce_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef Share h
    cdef Block b
    cdef idx *place = [0, 0, 0, 0]
    cdef idx part = task % s.parts, total = s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]
    cdef idx first = part * total // s.parts, last = (part + 1) * total // s.parts
    cdef idx block, pairs, pace, all_steps, groups, i
    cdef const char *source
    cdef sc_item item
    cdef sc_steps steps
    cdef sc_stream ahead[2]
    cdef idx *ones = [1, 1, 1]
    cdef sc_pair *pair = <sc_pair *>(scratch + s.at[RUNS])
    cdef char *dy = scratch + s.at[PIXELS]
    cdef char *zeros = scratch + s.at[INIT]
    cdef sc_line *line = <sc_line *>(scratch + s.at[LINES])
    cdef idx *taps = <idx *>(scratch + s.at[TAPS])
    # Of neighbouring groups, whose sources are packed at once; those of a group are `apart`.
    cdef idx shares = task // s.parts * s.wide, apart = s.parts * s.panel_bytes
    cdef char *sums = s.panel_data + shares * apart + part * s.panel_bytes
    steps.line, steps.ahead = line, ahead
    steps.rs, steps.to_row = s.lanes * s.wide, s.tile.nb
    find_share(s, s.first + shares, &h)
    groups = min(s.wide, s.groups - h.group)
    if s.round == 0:
        memset(zeros, 0, s.tile.nb * s.tile.itemsize)
    else:
        zeros = NULL
    for block in range(first + (last - first) * s.round // s.rounds,
                       first + (last - first) * (s.round + 1) // s.rounds):
        find_block(s, block, place)
        if not cut_block(&b, h.phase, s.batch, s.size, place):
            continue
        source = place_source(s, &h, groups, &b, scratch)
        tap_starts(&b, taps)
        line_starts(&b, b.scale, &line[0].x, 2)
        pairs = find_pairs(s, &h, &b, taps, zeros != NULL, pair)
        pace = pixel_pace(s, &b, pairs)
        steps.lines, steps.len, steps.ks = b.lines, b.length, b.step * b.scale
        steps.start_row = s.tile.nb if zeros == NULL else 0
        ask_nothing(scratch, ahead)
        all_steps = h.panels * pairs * b.pixels
        if block + 1 < total:  # of this task, or of the next
            ask_block(s, &s.source, &b.stride[1], block + 1, h.sources, all_steps, ahead)
            ask_block(s, &s.target, ones, block + 1, h.panels * s.columns, all_steps, ahead + 1)
        for i in range(groups):
            item.x = source + i * s.unit
            sum_panels(s, &h, &b, sums + i * apart, pace, zeros, dy, pair, pairs, line, &item,
                       &steps, ahead)
            h.group += 1
        h.group -= groups
        zeros = NULL
    if zeros != NULL:
        for i in range(groups):
            memset(sums + i * apart, 0, h.panels * h.panel_bytes)


cdef inline void add_parts(const Sweep *s, char *sums, idx count) noexcept nogil:
    """The parts of one share, `count` values each, into the first, in a fixed tree."""
    cdef idx apart = 1, part
    while apart < s.parts:
        for part in range((s.parts + apart - 1) // (2 * apart)):
            s.tile.add(sums + 2 * part * apart * s.panel_bytes,
                       sums + (2 * part + 1) * apart * s.panel_bytes, count)
        apart *= 2


cdef inline void fold_task(const Sweep *s, idx share, char *scratch) noexcept nogil:
    """Add the parts of one share, and write the filters."""
    cdef Share h
    cdef idx panel, count
    cdef char *sums = s.panel_data + share * s.parts * s.panel_bytes
    cdef char *old = scratch + s.at[PIXELS]
    find_share(s, s.first + share, &h)
    count = h.panel_bytes // s.tile.itemsize
    add_parts(s, sums, h.panels * count - s.half * s.tile.nb)  # without the last filler
    for panel in range(h.panels):
        if s.accumulate:
            move_panel(s, h.phase, h.group, h.source, h.sources, h.panel + panel, old, h.joined,
                       h.pitch, scratch, True)
            s.tile.add(sums + panel * h.panel_bytes, old, count)
        move_panel(s, h.phase, h.group, h.source, h.sources, h.panel + panel,
                   sums + panel * h.panel_bytes, h.joined, h.pitch, scratch, False)
