"""What the commands share in what they show and write.

    files        results appear whole or not at all
    page         the frame of an HTML report
    svg          a plot as text for it
    progress     the bar in the terminal
    environment  versions and machine

Needs what the commands' extras bring, each file its own.
"""
