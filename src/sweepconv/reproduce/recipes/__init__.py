"""One file for each id: what is run, what was published, and the band."""
