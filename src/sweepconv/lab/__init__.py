"""The laboratory behind `sweepconv compare`: four families, one geometry, measured side by side.

    plan        what is to be run: sizes, seeds, steps, and the geometry all families share
    networks    the same network four times; only the first layer's family differs
    tasks       the labelled images of each question
    training    one training run with a fixed budget; balanced accuracy
    measures    shifts, equivariance error, images needed
    timing      milliseconds per sweep
    pictures    the learned filters and where they answer
    experiment  runs all of this and returns one dictionary that JSON can hold
    findings    sentences that follow from the numbers in that dictionary
    table, plots, page, report    that dictionary in the terminal and as one HTML file
    files       results appear whole or not at all
    command     `sweepconv compare`

Arrows point upwards only: nothing here knows who shows it.  Needs `pip install sweepconv[lab]`.
"""
