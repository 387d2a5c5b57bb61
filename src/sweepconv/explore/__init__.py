"""`sweepconv explore`: one HTML file in which a digit is moved and the map seen to follow.

    samples          digits to choose from
    page             the file, put together from the parts below
    command          the command
    explore.html     the frame of the page
    explore.css      its look, on top of that of our other pages
    arithmetic.js    the sweep in the browser
    filters.js       weak filters to choose from
    words.js         the figures in words
    drawing.js       canvases and the plot
    model.js         the state of the page, and what follows from it
    show.js          both shown
    sweep.js         the sweep, cell by cell
    change.js        what changes the image and the layer
    controls.js      buttons and fields
    explore.js       pointer and keys, and the start
"""
