# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of the weight gradient where each filter serves few outputs: local layers, small
images, single images.

There a sum is short, and the gradient is large beside all else: so it is written once, where it
lies.  Lanes are what lies side by side in a filter, its channels and taps; rows of the tile are
targets, steps are pixels.  An element's order of summation is that of `_reduce.pxd`.
"""

from libc.string cimport memset

from sweepconv._box cimport (
    AXES, Block, Phase, box_taps, ceil_div, cut_block, even_run, idx, merge,
)
from sweepconv._kernels cimport SC_OUTER, call_one, sc_item, sc_line, sc_pair, sc_steps
from sweepconv._panel cimport target_at, target_steps
from sweepconv._task cimport (
    INIT, LINES, PIXELS, RUNS, SPARE, TAPS, Sweep, find_block, find_box, first_source, first_target,
)

cdef enum:
    SQUARE = 8          # taps from which on they are worth a transposition of their own
    SOME_TARGETS = 128  # of more, it counts less to copy patches than to read them side by side


cdef struct Pitches:
    # Bytes from one value of a patch to the next.
    idx tap
    idx channel
    idx image


cdef struct PatchTiles:
    # The operands of all tiles of a task, and where their sums are.
    idx targets
    idx values           # of each filter
    idx pixels
    const char *dy       # [pixels][rows]
    const char *panels   # nb neighbouring values of all pixels each
    idx panel            # bytes from one to the next
    idx pitch            # values from one pixel to the next
    const char *zeros    # [nb], that sums start from; NULL: from what stands in the filters
    char *filters
    char *spare          # two halves of a tile


cdef inline void move_taps(const Sweep *s, char *to, const Pitches *p, const char *source, idx pace,
                           idx images, idx channels, idx run) noexcept nogil:
    """A run of taps, of all channels and images; whichever are more move together."""
    cdef idx i
    if images > channels:
        for i in range(channels):
            s.tile.move(to + i * p.channel, p.image, p.tap, source + i * s.source.channel,
                        s.source.batch, pace, images, run)
    else:
        for i in range(images):
            s.tile.move(to + i * p.image, p.channel, p.tap, source + i * s.source.batch,
                        s.source.channel, pace, channels, run)


cdef inline void pack_patch(const Sweep *s, const Block *b, const idx *at, const char *image,
                            idx images, idx channels, const Pitches *p,
                            char *patch) noexcept nogil:
    """What the filters of the output at the coordinates `at` read of each of some images."""
    cdef idx i, j, k, run, pace, d, h, w
    cdef char *to
    for i in range(b.phase[0].taps):
        d = b.phase[0].index[at[0] + b.phase[0].offset[i]]
        for j in range(b.phase[1].taps):
            h = b.phase[1].index[at[1] + b.phase[1].offset[j]]
            to = patch + (i * b.phase[1].taps + j) * b.phase[2].taps * p.tap
            k = 0
            while k < b.phase[2].taps and d >= 0 and h >= 0:
                w = b.phase[2].index[at[2] + b.phase[2].offset[k]]
                run = even_run(b.phase[2], at[2], k, &pace)
                if w >= 0:
                    move_taps(s, to + k * p.tap, p,
                              image + d * s.source.space[0] + h * s.source.space[1]
                              + w * s.source.space[2], pace * s.source.space[2], images, channels,
                              run)
                k += run


cdef inline void pack_patches(const Sweep *s, const Block *b, idx channel, idx channels,
                              char *patches, char *panels, PatchTiles *tiles) noexcept nogil:
    """Patches, [images][channels][taps], filled up with zeros: those of one output as they are for
    some targets, else one after the other as panels, [panels][pixels][nb].

    Where channels lie side by side in x, patches are first [images][taps][channels]."""
    cdef idx at[3]
    cdef idx itemsize = s.tile.itemsize, row = s.tile.nb * itemsize, places = b.pixels // b.n[0]
    cdef idx taps = box_taps(b.phase), count = ceil_div(channels * taps, s.tile.nb), place, rest
    cdef idx size = b.n[0] * count * row, panel, n
    cdef bint turned = (s.source.channel == itemsize and min(channels, taps) >= SQUARE
                        and b.n[0] <= channels)
    cdef bint flat = places == 1 and tiles.targets <= SOME_TARGETS
    cdef char *first = patches + size if turned else patches
    cdef const char *image = s.source.data + b.low[0] * s.source.batch + channel * s.source.channel
    cdef Pitches p
    cdef int a
    p.tap, p.channel, p.image = itemsize, taps * itemsize, count * row
    tiles.panels, tiles.panel, tiles.pitch = panels, b.pixels * row, s.tile.nb
    if flat:
        tiles.panels, tiles.panel = patches, row
        tiles.pitch = count * s.tile.nb if b.pixels > 1 else s.tile.nb  # nb is a constant to tiles
    memset(first, 0, size)  # padding, and what fills the last panel
    if turned:
        p.tap, p.channel = channels * itemsize, itemsize
        memset(patches, 0, size)
    for place in range(places):
        rest = place
        for a in range(2, -1, -1):
            at[a] = (b.low[a + 1] + rest % b.n[a + 1]) * b.stride[a + 1]
            rest //= b.n[a + 1]
        if place and s.reads_zeros:
            memset(first, 0, size)
        pack_patch(s, b, at, image, b.n[0], channels, &p, first)
        for n in range(b.n[0] if turned else 0):
            s.tile.move(patches + n * p.image, taps * itemsize, itemsize, first + n * p.image,
                        itemsize, p.tap, channels, taps)
        for panel in range(0 if flat else count):
            s.tile.move(panels + (panel * b.pixels + place) * row, places * row, itemsize,
                        patches + panel * row, p.image, itemsize, b.n[0], s.tile.nb)


cdef inline void pack_rows(const Sweep *s, const Block *b, idx target, idx count,
                           char *dy) noexcept nogil:
    """dy of `count` targets, [pixels][rows], filled up with zeros."""
    cdef idx steps[AXES]
    cdef idx length, pace, flat = 0, row = s.rows * s.tile.itemsize
    memset(dy, 0, b.pixels * row)
    target_steps(b, &s.target, steps)
    merge(b.n, steps, b.pixels, &length, &pace)
    while flat < b.pixels:
        s.tile.move(dy + flat * row, row, s.tile.itemsize,
                    target_at(b, &s.target, steps, flat) + target * s.target.channel, pace,
                    s.target.channel, length, count)
        flat += length


cdef inline void sum_inner(const Sweep *s, const PatchTiles *p, const sc_line *line, sc_item *item,
                           sc_pair *pair) noexcept nogil:
    """All whole tiles: a few filters at a time are written from end to end."""
    cdef idx itemsize = s.tile.itemsize, nb = s.tile.nb, half = s.half, i, j
    cdef idx items = p.values // nb, pairs = p.targets // (2 * half)
    cdef sc_steps t
    t.line, t.ahead, t.lines, t.len = line, NULL, 1, p.pixels
    t.rs, t.ks, t.ws = 1, s.rows, p.pitch
    t.to_row = s.filters.target // itemsize
    t.start_row = t.to_row if p.zeros == NULL else 0
    for i in range(items):
        item[i].to, item[i].x = p.filters + i * nb * itemsize, p.dy
        item[i].start = item[i].to if p.zeros == NULL else p.zeros
        item[i].w = p.panels + i * p.panel
    for i in range(pairs):
        for j in range(2):
            pair[i].x[j] = (2 * i + j) * half * itemsize
            pair[i].to[j] = (2 * i + j) * half * s.filters.target
            pair[i].start[j] = pair[i].to[j] if p.zeros == NULL else 0
    if items and pairs:
        s.tile.tile[SC_OUTER][1][half - 1](item, items, pair, pairs, &t)


cdef inline void sum_edge(const Sweep *s, const PatchTiles *p, const sc_line *line, idx first,
                          idx panel) noexcept nogil:
    """A tile that reaches beyond the filters, or beyond a filter, by way of `spare`."""
    cdef idx itemsize = s.tile.itemsize, nb = s.tile.nb, half = s.half, row = nb * itemsize
    cdef idx rows = min(2 * half, p.targets - first), lanes = min(nb, p.values - panel * nb)
    cdef char *at = p.filters + first * s.filters.target + panel * row
    cdef char *low = p.spare
    cdef char *high = p.spare + half * row
    if p.zeros == NULL:
        s.tile.move(low, row, itemsize, at, s.filters.target, itemsize, rows, lanes)
    call_one(s.tile.tile[SC_OUTER][1][half - 1], low, high, nb, low if p.zeros == NULL else p.zeros,
             high if p.zeros == NULL else p.zeros, nb if p.zeros == NULL else 0,
             p.dy + first * itemsize, p.dy + (first + half) * itemsize, 1, s.rows, line, 1,
             p.pixels, p.panels + panel * p.panel, p.pitch, NULL)
    s.tile.move(at, s.filters.target, itemsize, low, row, itemsize, rows, lanes)


cdef inline void sum_patches(const Sweep *s, const PatchTiles *p, const sc_line *line,
                             sc_item *item, sc_pair *pair) noexcept nogil:
    """Add all pixels to the filters, or to zeros."""
    cdef idx nb = s.tile.nb, tile = 2 * s.half, i, j
    sum_inner(s, p, line, item, pair)
    for i in range(ceil_div(p.targets, tile)):
        for j in range(p.values // nb if (i + 1) * tile <= p.targets else 0,
                       ceil_div(p.values, nb)):
            sum_edge(s, p, line, i * tile, j)


cdef inline void patch_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """Some channels of some filters of one group and box; of later blocks added to those before."""
    cdef Block b
    cdef const Phase *phase[3]
    cdef idx *place = [0, 0, 0, 0]
    cdef idx target = task % s.chunks * s.chunk, source, group, itemsize = s.tile.itemsize
    cdef idx targets = min(s.chunk, s.targets - target), sources
    cdef char *dy = scratch + s.at[PIXELS]
    cdef char *zeros = scratch + s.at[INIT]
    cdef PatchTiles p
    cdef sc_line *line = <sc_line *>(scratch + s.at[LINES])
    cdef char *filters = s.filters.data + target * s.filters.target
    cdef idx block
    cdef int a
    task //= s.chunks
    source = task % s.source_chunks * s.source_chunk
    sources = min(s.source_chunk, s.sources - source)
    task //= s.source_chunks
    group = task % s.all_groups
    find_box(s, task // s.all_groups, phase)
    filters += group * s.filters.group + source * s.filters.source
    for a in range(3):
        filters += phase[a].filter[0] * s.filters.bank[a]
    line.x = line.w = 0
    memset(zeros, 0, s.tile.nb * itemsize)
    p.dy, p.filters, p.spare = dy, filters, scratch + s.at[SPARE]
    p.zeros = NULL if s.accumulate else zeros
    memset(p.spare, 0, 2 * s.half * s.tile.nb * itemsize)
    p.targets, p.values = targets, sources * box_taps(phase)
    for block in range(s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]):
        find_block(s, block, place)
        if not cut_block(&b, phase, s.batch, s.size, place) and block:
            continue  # the first one writes the filters even so
        p.pixels = b.pixels
        pack_rows(s, &b, first_target(s, group, 0) + target, targets, dy)
        pack_patches(s, &b, first_source(s, group) + source, sources,
                     p.spare + 2 * s.half * s.tile.nb * itemsize, scratch, &p)
        sum_patches(s, &p, line, <sc_item *>(scratch + s.at[TAPS]),
                    <sc_pair *>(scratch + s.at[RUNS]))
        p.zeros = NULL
