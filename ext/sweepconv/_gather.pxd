# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of forward and input gradient: each owns a block of outputs.

A task sums over channel blocks and taps into its own pixel panel, and nobody else writes there.  An
output's order of summation follows from taps and channels alone: not from the block, its place in
a tile, the batch or the threads.
"""

from libc.string cimport memset

from sweepconv._box cimport (
    AXES, Block, Phase, box_taps, ceil_div, cut_block, idx, is_panel, join_taps, line_starts, merge,
    tap_starts,
)
from sweepconv._panel cimport (
    move_filters, move_pixels, pack_source, target_at, target_steps,
)
from sweepconv._task cimport (
    INIT, OWN, PIXELS, READY, RUNS, SPARE, TAPS, Sweep, channel_block, find_block, find_box,
    tap_block, target_count,
)


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
