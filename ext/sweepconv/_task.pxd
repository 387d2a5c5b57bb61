# cython: boundscheck=False, wraparound=False, cdivision=True
"""The two kinds of task that a sweep is cut into.

gather   A task owns a block of outputs: forward and input gradient.  It sums over channel blocks
         and taps into its own pixel panel, and nobody else writes there.
reduce   A task owns a block of filters and a part of the pixels: the weight gradient.  It sums its
         part into its own buffer; `fold` then adds the parts in a fixed tree.

An output's order of summation follows from taps and channels alone, a filter's from the shapes
alone: never from the number of threads.
"""

from libc.string cimport memset

from sweepconv._box cimport (
    AXES, Array, Block, Filters, Phase, box_taps, ceil_div, cut_block, idx, join_taps,
    is_panel, joined_taps, line_starts, merge, tap_starts,
)
from sweepconv._kernels cimport sc_tiles
from sweepconv._panel cimport (
    move_filters, move_pixels, pack_source, target_at, target_steps,
)

cdef enum:
    STEPS = 192  # of one tile: its filter panel, 24 KiB, stays in the first-level cache

cdef enum:
    # Of a thread's scratch memory; the source panel, or spare filters, stand first.
    PIXELS
    SPARE
    RUNS
    READY
    TAPS
    INIT
    OWN
    PARTS


cdef struct Sweep:
    const sc_tiles *tile
    const Phase *phases[3]
    idx phase_count[3]
    Array source            # x, or dy in the input gradient
    Array target            # y, dx, or dy in the weight gradient
    Filters filters         # w or dw
    const char *bias        # NULL: none
    idx bias_bank[3]
    idx bias_channel
    idx batch
    idx groups
    idx sources             # channels of a group that the filters read
    idx targets             # channels of a group that the filters make
    idx panels              # filter panels of nb targets in a group
    idx size[AXES]          # outputs of a block
    idx blocks[AXES]        # of the largest box
    idx chunk               # filter panels of a task
    idx chunks
    idx source_chunk        # weight gradient: sources of a task
    idx source_chunks
    idx parts               # weight gradient: parts of the pixels
    idx first               # box of task 0; weight gradient: share of task 0
    idx round               # weight gradient: of `rounds` that each part is taken in
    idx rounds
    bint own_filters        # gather: each task packs the filters that it alone uses
    bint accumulate
    int *finite             # gather: cleared when a filter panel holds NaN or Inf
    char *panel_data        # filter panels, or the buffers of the weight gradient
    idx panel_bytes         # of one
    idx at[PARTS]               # of the parts of a thread's scratch, in bytes
    idx scratch_bytes


cdef inline void find_box(const Sweep *s, idx box, const Phase **phase) noexcept nogil:
    cdef int a
    for a in range(2, -1, -1):
        phase[a] = s.phases[a] + box % s.phase_count[a]
        box //= s.phase_count[a]


cdef inline void find_block(const Sweep *s, idx block, idx *place) noexcept nogil:
    cdef int a
    for a in range(AXES - 1, -1, -1):
        place[a] = block % s.blocks[a]
        block //= s.blocks[a]


cdef inline idx channel_block(idx taps, idx channels) noexcept nogil:
    """Channels that one tile sums over; with all taps about STEPS steps.  Fixed by the filter."""
    cdef idx most = max(8, STEPS // max(taps, 1) // 8 * 8)
    if channels <= most:
        return max(channels, 1)
    return ceil_div(ceil_div(channels, ceil_div(channels, most)), 8) * 8


cdef inline idx tap_block(const Phase **phase, idx channels) noexcept nogil:
    """Taps that one tile sums over: all, or about STEPS steps in whole rows of the kernel."""
    cdef idx taps = box_taps(phase), row = phase[2].taps, most
    if 2 * taps * channels <= 3 * STEPS:
        return max(taps, 1)
    most = max(STEPS // channels, 1)
    return most // row * row if most >= row else most


cdef inline idx target_count(const Sweep *s, idx panel) noexcept nogil:
    return min(s.tile.nb, s.targets - panel * s.tile.nb)


# Filter panels: [box][group][panel][channel block][tap][channel][nb].

cdef inline void pack_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef const Phase *phase[3]
    cdef idx panel = task % s.panels, group = task // s.panels % s.groups, first = 0, count
    cdef idx row = s.tile.nb * s.tile.itemsize
    cdef char *to = s.panel_data + task * s.panel_bytes
    find_box(s, s.first + task // (s.panels * s.groups), phase)
    cdef idx taps = box_taps(phase), block = channel_block(taps, s.sources)
    while first < s.sources and taps:
        count = min(block, s.sources - first)
        move_filters(s.tile, phase, &s.filters, group, first, count, panel * s.tile.nb,
                     target_count(s, panel), to, 1, count, scratch, True)
        if not s.tile.finite(to, count * taps * s.tile.nb):
            s.finite[0] = False
        to += count * taps * row
        first += count


cdef inline void init_row(const Sweep *s, const Phase **phase, idx group, idx panel,
                          char *row) noexcept nogil:
    """What the sums of one filter panel start from, [nb]: the bias or zero."""
    cdef int a
    cdef const char *at = s.bias
    memset(row, 0, s.tile.nb * s.tile.itemsize)
    if at == NULL:
        return
    for a in range(3):
        if phase[a].taps:
            at += phase[a].filter[0] * s.bias_bank[a]
    at += (group * s.targets + panel * s.tile.nb) * s.bias_channel
    s.tile.move(row, 0, s.tile.itemsize, at, 0, s.bias_channel, 1, target_count(s, panel))


cdef inline idx find_ready(const Sweep *s, const Block *b, char **ready) noexcept nogil:
    """ready[run] = where its first sum belongs in the target, for channel 0.

    Finished sums can go there without a detour, and the stores overlap with the arithmetic of the
    next tile, if channels are contiguous and the pixels of a line stand at an even pace there: the
    answer, in elements; 0 if they do not.
    """
    cdef idx steps[AXES]
    cdef idx length, pace, each = ceil_div(b.length, s.tile.half), line, i
    cdef char *at
    target_steps(b, &s.target, steps)
    merge(b.n, steps, b.pixels, &length, &pace)
    if (s.accumulate or s.target.channel != s.tile.itemsize or length < b.length
            or pace % s.tile.itemsize):
        return 0
    for line in range(b.lines):
        at = target_at(b, &s.target, steps, line * b.length)
        for i in range(each):
            ready[line * each + i] = at + i * s.tile.half * pace
    return pace // s.tile.itemsize


cdef inline idx run_pixels(const Sweep *s, const Block *b, idx run) noexcept nogil:
    """Pixels of a run that are in its line: `half`, less at the end, none in a filler."""
    cdef idx each = ceil_div(b.length, s.tile.half)
    if run >= b.lines * each:
        return 0
    return min(s.tile.half, b.length - run % each * s.tile.half)


cdef inline bint is_whole(const Sweep *s, const Block *b, idx run) noexcept nogil:
    """Whether both runs of a tile are whole."""
    return (run_pixels(s, b, run) == s.tile.half and run_pixels(s, b, run + 1) == s.tile.half)


cdef inline void sum_taps(const Sweep *s, const Block *b, const idx *taps, const idx *run,
                          idx runs, idx count, const char *source, const char *filters,
                          const char *init, idx total, idx block, idx *off,
                          char *pixels, char *const *ready, idx ready_row, idx shift,
                          bint narrow) noexcept nogil:
    """Add all taps of `count` channels to a pixel panel, [runs][half][nb].

    Where `ready_row` is given the sums are complete with this: tiles of whole runs go to `ready`
    at once, `shift` bytes further, rows `ready_row` elements apart.
    """
    cdef idx first = 0, taken, joined, i, r, row = s.tile.nb * s.tile.itemsize
    cdef idx size = b.scale * s.tile.itemsize, start_row
    cdef char *at
    cdef const char *start
    cdef bint last, direct
    while True:
        taken = min(block, total - first)
        last = first + taken >= total
        joined = join_taps(taps + first, taken) if taken and b.scale == count else 1
        for i in range(taken // joined):
            off[i] = taps[first + i * joined] * b.scale
        for r in range(0, runs, 2):
            at = pixels + r * s.tile.half * row
            start, start_row = at, s.tile.nb
            if init != NULL:
                start, start_row = init, 0
            direct = last and ready_row and is_whole(s, b, r)
            s.tile.outer[0 if narrow else 1](
                ready[r] + shift if direct else at,
                ready[r + 1] + shift if direct else at + s.tile.half * row,
                ready_row if direct else s.tile.nb,
                start, start + start_row * s.tile.half * s.tile.itemsize, start_row,
                source + run[r] * size, source + run[r + 1] * size, b.step * b.scale, 1, off,
                taken // joined, joined * count, filters)
        filters += taken * count * row
        first += taken
        init = NULL
        if last:
            break


cdef inline idx find_runs(const Sweep *s, const Block *b, idx *run) noexcept nogil:
    """Runs of `half` pixels that cover the lines, an even number: run[i] = start in the panel."""
    cdef idx each = ceil_div(b.length, s.tile.half), line, i, at
    # The starts of the lines stand at the end of the list, read before they are overwritten.
    cdef idx *start = run + b.lines * (each - 1)
    line_starts(b, 1, start)
    for line in range(b.lines):
        at = start[line]
        for i in range(each):
            run[line * each + i] = at + i * s.tile.half * b.step
    run[b.lines * each] = run[0]
    return b.lines * each + b.lines * each % 2


cdef inline void write_pixels(const Sweep *s, const Block *b, idx group, idx panel, idx runs,
                              char *sums, char *spare, char *const *ready,
                              idx ready_row) noexcept nogil:
    """The finished sums of one filter panel to the target, or added to what stands there; with
    `ready_row` those that did not go there at once."""
    cdef idx first = group * s.targets + panel * s.tile.nb, count = target_count(s, panel)
    cdef idx slots = ceil_div(b.length, s.tile.half) * s.tile.half, r
    cdef idx row = s.tile.nb * s.tile.itemsize
    if ready_row:
        for r in range(runs):
            if run_pixels(s, b, r) and not is_whole(s, b, r - r % 2):
                s.tile.move(ready[r] + first * s.target.channel, ready_row * s.tile.itemsize,
                            s.target.channel, sums + r * s.tile.half * row, row, s.tile.itemsize,
                            run_pixels(s, b, r), count)
        return
    if s.accumulate:
        move_pixels(s.tile, b, &s.target, first, count, spare, slots, True)
        s.tile.add(sums, spare, runs * s.tile.half * s.tile.nb)
    move_pixels(s.tile, b, &s.target, first, count, sums, slots, False)


cdef inline void gather_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef const Phase *phase[3]
    cdef Block b, view
    cdef idx *place = [0, 0, 0, 0]
    cdef idx per_box = s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]
    cdef idx first_panel = task // per_box % s.chunks * s.chunk
    cdef idx group = task // (per_box * s.chunks) % s.groups
    cdef idx box = task // (per_box * s.chunks * s.groups)
    cdef const char *source = scratch
    cdef char *pixels = scratch + s.at[PIXELS]
    cdef char *spare = scratch + s.at[SPARE]
    cdef idx *run = <idx *>(scratch + s.at[RUNS])
    cdef idx *taps = <idx *>(scratch + s.at[TAPS])
    cdef char **ready = <char **>(scratch + s.at[READY])
    cdef char *init = scratch + s.at[INIT]
    cdef char *own = scratch + s.at[OWN]
    find_box(s, s.first + box, phase)
    find_block(s, task % per_box, place)
    if not cut_block(&b, phase, s.batch, s.size, place):
        return
    if is_panel(&b, &s.source, s.groups * s.sources, s.tile.itemsize, s.tile.half, &view):
        b = view
    cdef idx total = box_taps(phase), block = channel_block(total, s.sources), count, panel
    cdef idx row = s.tile.nb * s.tile.itemsize, first = 0, runs = find_runs(s, &b, run)
    # Sums wait for the next channel block in a pixel panel for each filter panel.
    cdef idx panel_size = runs * s.tile.half * row if block < s.sources else 0
    cdef idx last_panel = min(first_panel + s.chunk, s.panels)
    cdef idx ready_row = find_ready(s, &b, ready), direct, width
    cdef bint last
    cdef char *sums
    cdef char *filters
    tap_starts(&b, taps)
    while True:
        count = min(block, s.sources - first) if total else 0
        last = count == 0 or first + count == s.sources
        if b.panel != NULL:
            source = b.panel + (group * s.sources + first) * s.tile.itemsize
        elif count:
            b.scale = count
            pack_source(s.tile, &b, &s.source, group * s.sources + first, count,
                        (s.tile.half * b.step + 1) * count, scratch)
        for panel in range(first_panel, last_panel):
            sums = pixels + (panel - first_panel) * panel_size
            if first == 0:
                init_row(s, phase, group, panel, init)
            if s.own_filters:
                filters = own
                move_filters(s.tile, phase, &s.filters, group, first, count, panel * s.tile.nb,
                             target_count(s, panel), filters, 1, count,
                             own + s.panel_bytes, True)
            else:
                filters = (s.panel_data + first * total * row
                           + ((box * s.groups + group) * s.panels + panel) * s.panel_bytes)
            width = s.tile.nb // 2 if 2 * target_count(s, panel) <= s.tile.nb else s.tile.nb
            direct = ready_row if target_count(s, panel) == width and last else 0
            sum_taps(s, &b, taps, run, runs, count, source, filters,
                     init if first == 0 else NULL, total if count else 0,
                     tap_block(phase, max(count, 1)), taps + total, sums, ready, direct,
                     (group * s.targets + panel * s.tile.nb) * s.target.channel,
                     width < s.tile.nb)
            if last:
                write_pixels(s, &b, group, panel, runs, sums, spare, ready, direct)
        first += count
        if last:
            break


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
