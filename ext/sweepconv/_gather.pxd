# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of forward and input gradient: each owns a block of outputs.

A task sums over channel blocks and taps into its own pixel panel, and nobody else writes there.  An
output's order of summation follows from taps and channels alone: not from the block, its place in
a tile, the batch or the threads.
"""

from libc.string cimport memset

from sweepconv._ahead cimport ask_block, ask_nothing, ask_rows, pass_steps
from sweepconv._box cimport Block, Phase, box_taps, ceil_div, idx, is_panel, tap_starts
from sweepconv._kernels cimport sc_item, sc_line, sc_steps
from sweepconv._panel cimport Columns, move_columns, move_pixels, pack_source, weave_pixels
from sweepconv._pieces cimport next_piece
from sweepconv._items cimport Item, Sums, as_strips, sum_strips
from sweepconv._runs cimport Pair, Runs, aim_pairs, find_lines, find_runs
from sweepconv._task cimport (
    INIT, ITEMS, LINES, OWN, PIXELS, RUNS, SPARE, TAPS, Part, Sweep, best_run, channel_block,
    cut_task, fills, find_bias, first_source, first_target, most_vectors, move_panel,
    packed_pitch, panel_vectors, source_columns, tap_block, target_columns, weaves,
)

cdef enum:
    FEW_STEPS = 128


cdef inline void aim_items(const Sweep *s, const Sums *m, idx filter_at, bint to_target,
                           bint from_init) noexcept nogil:
    """The same for items."""
    cdef const Item *item
    cdef idx i
    for i in range(m.items):
        item = m.item + i
        m.place[i].to = item.target if to_target else item.pixels
        m.place[i].start = item.init if from_init else item.pixels
        m.place[i].x = m.source + item.source
        m.place[i].w = item.filters + filter_at


cdef inline void sum_taps(const Sweep *s, const Block *b, Runs *r, Sums *m, const idx *taps,
                          idx count, idx total, sc_line *line) noexcept nogil:
    """Add all taps of `count` channels to the sums of some items."""
    cdef idx block = tap_block(b.phase, max(count, <idx>1)), nb = s.tile.nb
    cdef idx first = 0, filter_at = 0, taken, joined, all_steps, i
    cdef bint skip = m.skip and r.leave_out, to_target, from_init
    cdef const Pair *pair
    cdef sc_steps steps
    steps.line, steps.ahead, steps.ws = line, m.ahead, nb
    steps.rs, steps.ks = b.step * b.scale, b.scale if m.one_channel else s.lanes
    while True:
        taken = min(block, total - first)
        to_target = m.item.ready and first + taken >= total
        from_init = m.item.init != NULL and first == 0
        aim_pairs(s, b, r, to_target, from_init)
        aim_items(s, m, filter_at, to_target, from_init)
        steps.to_row, steps.start_row = r.ready_row if to_target else nb, 0 if from_init else nb
        i = joined = 0
        while i < r.pairs:
            if not joined or (skip and r.pair[i].fresh):
                joined = find_lines(b, &r.pair[i].taps if skip else &b.taps, taps, first, taken,
                                    count == 1 or b.scale == count * s.lanes, count, nb, line,
                                    &steps.lines)
                steps.len = joined * count
            pair = r.pair + i
            all_steps = pair.alike * m.items * steps.lines * steps.len
            if b.panel != NULL and steps.lines > 0 and steps.len >= steps.rs:
                # Of the furthest taps, which come to new rows first.
                ask_rows(<const char *>m.place[0].x + r.place[min(i + 1, r.pairs - 1)].x[0]
                         + line[steps.lines - 1].x * s.tile.itemsize,
                         2 * pair.rows * pair.alike * steps.rs * s.tile.itemsize, all_steps,
                         m.ahead)
            m.item.tiles[pair.rows - 1](m.place, m.items, r.place + i, pair.alike, &steps)
            pass_steps(all_steps, m.ahead)
            i += pair.alike
        filter_at += taken * count * nb * s.tile.itemsize
        first += taken
        if first >= total:
            break


cdef inline void init_row(const Sweep *s, const Phase *const *phase, idx group, idx panel,
                          char *row) noexcept nogil:
    """What the sums of one filter panel start from, [nb]: the bias or zero."""
    cdef Columns c
    memset(row, 0, s.tile.nb * s.tile.itemsize)
    if s.bias == NULL:
        return
    target_columns(s, s.bias_channel, group, panel, &c)
    move_columns(s.tile, &c, row, 0, find_bias(s, phase, first_target(s, group, panel)), 0, 1,
                 True)


cdef inline void write_pixels(const Sweep *s, const Block *b, const Item *item,
                              char *spare) noexcept nogil:
    """The finished sums of one item to the target, but for those that went there at once; or added
    to what stands there."""
    cdef idx first = first_target(s, item.group, item.panel)
    cdef Columns c
    if item.ready:
        return
    target_columns(s, s.target.channel, item.group, item.panel, &c)
    if s.accumulate:
        move_pixels(s.tile, b, &s.target, first, &c, spare, True)
        s.tile.add(item.pixels, spare, b.pixels * s.tile.nb)
    if weaves(s, b):
        weave_pixels(s.tile, b, &s.target, first, &c, item.pixels, spare)
    else:
        move_pixels(s.tile, b, &s.target, first, &c, item.pixels, False)


cdef inline idx items_at_once(const Sweep *s, const Block *b, idx items, idx count,
                              bint to_target) noexcept nogil:
    """Items that are taken for two runs before the next two, where they are alike.

    All, where the steps are few and sums go to the target at once: so whole rows of it are written
    together.  Else one, whose filters then stay near for all runs.
    """
    if to_target and box_taps(b.phase) * count <= FEW_STEPS and not s.own_filters:
        return items
    return 1


cdef inline idx alike(const Item *item, idx items) noexcept nogil:
    """How many from the first on have the same tiles, and are ready together."""
    cdef idx n = 1
    while n < items and item[n].tiles == item.tiles and item[n].ready == item.ready:
        n += 1
    return n


cdef inline void find_item(const Sweep *s, const Block *b, const Part *part, idx group, idx number,
                           idx first, char *target, bint to_target, idx pixel_step, char *scratch,
                           Item *item) noexcept nogil:
    """Item `number` of those whose first group is `group`, for the channels from `first` on."""
    cdef idx panels = part.last_panel - part.panel, row = s.tile.nb * s.tile.itemsize
    item.group, item.panel = group + number // panels, part.panel + number % panels
    item.source = (item.group - group) * s.unit
    item.target = target + first_target(s, item.group, item.panel) * s.target.channel
    item.filters = scratch + s.at[OWN]
    if not s.own_filters:
        item.filters = (s.panel_data + first * box_taps(b.phase) * row
                        + ((part.box * s.groups + item.group) * s.panels + item.panel)
                        * s.panel_bytes)
    item.pixels = scratch + s.at[PIXELS] + number * pixel_step
    item.init = NULL
    if first == 0:
        item.init = scratch + s.at[INIT] + number * row
        init_row(s, b.phase, item.group, item.panel, item.init)
    item.tiles = s.tile.tile[s.kind][panel_vectors(s, item.group, item.panel) - 1]
    item.ready = to_target and fills(s, item.group, item.panel)


cdef inline bint pack_own(const Sweep *s, const Block *b, const Item *item, idx first,
                          idx count) noexcept nogil:
    """The filters that this task alone uses; whether they are finite."""
    cdef idx taps = box_taps(b.phase)
    move_panel(s, <const Phase **>b.phase, item.group, first, count, item.panel, item.filters,
               max(taps, <idx>1), 0, item.filters + s.panel_bytes, True)
    return s.tile.finite(item.filters, count * taps * s.tile.nb)


cdef inline void sum_groups(const Sweep *s, Block *b, Runs *r, const Part *part, idx group,
                            idx groups, const idx *taps, char *scratch) noexcept nogil:
    """All sums of some filter panels of some blocks of groups, whose sources are side by side in a
    pixel, for the block b of outputs."""
    cdef Columns columns
    cdef idx total = box_taps(b.phase), block = channel_block(total, s.sources, s.targets)
    cdef idx row = s.tile.nb * s.tile.itemsize, first = 0, count, at, width, pixel_step, i
    cdef idx items = groups * (part.last_panel - part.panel)
    cdef Item *item = <Item *>(scratch + s.at[ITEMS])
    cdef sc_line *line = <sc_line *>(scratch + s.at[LINES])
    cdef bint strips = as_strips(s, b), last, to_target
    cdef Sums m
    m.source, m.place = scratch, <sc_item *>(item + s.items)
    ask_nothing(scratch, m.ahead)
    if b.panel == NULL:
        ask_block(s, &s.source, &b.stride[1], part.next, groups * s.lanes * s.sources,
                  r.pairs * items * total * s.sources, m.ahead)
    while True:
        count = min(block, s.sources - first) if total else 0
        last = count == 0 or first + count == s.sources
        if b.panel != NULL:
            m.source = b.panel + (first_source(s, group) + first) * s.tile.itemsize
        else:
            b.scale = packed_pitch(s, count)
        if b.panel == NULL and count:
            source_columns(s, &s.source, group, groups, count, &columns)
            pack_source(s.tile, b, &s.source, first_source(s, group) + first, &columns,
                        b.scale * s.tile.itemsize, 0, scratch)
        to_target = last and r.ready_row != 0
        width = items_at_once(s, b, items, count, to_target)
        # Sums wait for the next channel block in a pixel panel for each item.
        pixel_step = 0
        if block < s.sources or strips or width > 1:
            pixel_step = (b.pixels + 2 * b.half) * row
        for i in range(items):
            find_item(s, b, part, group, i, first, r.target, to_target and not strips, pixel_step,
                      scratch, item + i)
        m.one_channel, m.skip = count == 1, s.finite[0]
        at = 0
        while at < items:
            m.item = item + at
            if strips:
                m.items = items
                sum_strips(s, b, r, &m, taps, count, total if count else 0, line)
            else:
                m.items = alike(m.item, min(width, items - at))
                if s.own_filters:
                    m.skip = pack_own(s, b, m.item, first, count)
                sum_taps(s, b, r, &m, taps, count, total if count else 0, line)
            for i in range(m.items if last else 0):
                write_pixels(s, b, m.item + i, scratch + s.at[SPARE])
            at += m.items
        first += count
        if last:
            break


cdef inline bint reads_in_place(const Sweep *s, const Block *b, Block *view) noexcept nogil:
    """Whether the source of a block can be read where it lies, and nothing beyond its end; `view`
    is then the block that does."""
    cdef idx vector = s.tile.vector if s.lanes > 1 else 1, beyond
    if (s.lanes > 1 and s.sources > 1) or not is_panel(b, &s.source, s.tile.itemsize, view):
        return False
    view.half = best_run(s, view.length, view.lines, most_vectors(s))
    beyond = ceil_div(s.all_groups * s.sources, vector) * vector
    return view.last + beyond * s.tile.itemsize <= s.source.end


cdef inline void gather_block(const Sweep *s, Block *b, const Part *part,
                              char *scratch) noexcept nogil:
    """All that a task makes of one block of outputs, whose source is packed, or read as it lies."""
    cdef Block view
    cdef Runs *runs = <Runs *>(scratch + s.at[RUNS])
    cdef idx taps = box_taps(b.phase), group = part.group, groups
    cdef idx *start = <idx *>(scratch + s.at[TAPS])
    if reads_in_place(s, b, &view):
        b = &view
    else:
        b.half = best_run(s, b.length, b.lines, most_vectors(s))
    find_runs(s, b, taps * channel_block(taps, s.sources, s.targets), runs)
    tap_starts(b, start)
    while group < part.last_group:
        groups = min(s.wide, part.last_group - group)
        sum_groups(s, b, runs, part, group, groups, start, scratch)
        group += groups


cdef inline void open_scratch(const Sweep *s, char *scratch) noexcept nogil:
    """Before a thread's first task: no runs are kept."""
    (<Runs *>(scratch + s.at[RUNS])).kept = False


cdef inline void gather_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef idx nth
    for nth in range(s.box_chunk):
        gather_box(s, task, nth, scratch)


cdef inline void gather_box(const Sweep *s, idx task, idx nth, char *scratch) noexcept nogil:
    cdef const Phase *phase[3]
    cdef Block b, piece
    cdef Part part
    cdef idx *at = [0, 0, 0]
    if not cut_task(s, task, nth, phase, &b, &part):
        return
    if not (s.in_place and s.finite[0]):
        gather_block(s, &b, &part, scratch)
        return
    while next_piece(&b, at, &piece):
        gather_block(s, &piece, &part, scratch)
