"""The laboratory behind `sweepconv compare`: four families, one geometry, measured side by side.

    plan        what is to be run: sizes, seeds, steps, and the geometry all families share
    networks    the same network four times; only the first layer's family differs
    tasks       the labelled images of each question
    measures    shifts, equivariance error, a common accuracy
    jobs        all training runs, and doing one
    trained     what is measured on a trained network
    timing      milliseconds per sweep
    pictures    the learned filters and where they answer
    experiment  runs all of this and returns one dictionary that JSON can hold
    verdict, learning, findings   sentences that follow from the numbers in that dictionary
    words       names and numbers in words
    table       that dictionary in the terminal
    plots, rasters, sketch, report   that dictionary as one HTML file
    command     `sweepconv compare`

The upper half does not know who shows its results.  Needs `pip install sweepconv[lab]`.
"""
