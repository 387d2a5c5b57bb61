"""The benchmark behind `sweepconv bench`: this library against every installed peer.

    workloads   the layers, from workloads.tsv and more.tsv
    cases       a layer in one direction and dtype: operands, and when a result is right
    truth       the result in float64
    peers       who is timed, one file each; the only place that imports them
    worker      the process of one peer: prepares, checks, runs rounds when told, else sleeps
    children    those processes as their parent sees them
    machine     the peak of multiply-adds and the memory bandwidth, measured in the same run
    fingerprint what the machine is, and what else may matter
    plan        what is to be run
    conductor   rounds interleaved over all entries of a case; one dictionary that JSON can hold
    verdict     who is ahead in a row, by how much; rows in classes
    words       numbers and names in words
    table       that dictionary in the terminal
    plots, report   that dictionary as one HTML file
    diff        two such dictionaries
    command     `sweepconv bench`, `sweepconv bench diff`

What a peer's process imports needs NumPy and the peer; the rest needs `pip install
sweepconv[bench]`.
"""
