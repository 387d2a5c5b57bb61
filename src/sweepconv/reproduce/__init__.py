"""`sweepconv reproduce`: published results beside ours.

    recipe.py    what a recipe is: jobs, and figures with a published value and a band
    recipes/     one file for each id
    registry.py  their order
    runner.py    all jobs of the chosen ids, side by side in processes
    training.py  one training run; nets.py: networks that several recipes share
    table.py     the table in the terminal; plots.py, report.py: the page
    command.py   run, show, write

A figure is *inside* when the mean over the seeds lies in its band.  Bands stand in the recipes and
were fixed before the runs; what is outside is shown as such.
"""
