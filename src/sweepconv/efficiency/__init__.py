"""Statistical efficiency: how many samples weak filters and sharing save, and where they do not.

    risk.py       the risk of least squares within each family: laws, and the same measured
    dsd.py        one step of descent on a task that is made of patches: law and measurement
    networks.py   a small network in each family, for curves of one's own data
    samples.py    what runs are trained on and tested with
    jobs.py       one training run, a pure function of family, size and seed
    curve.py      accuracy against samples: the result, as a table and as a file
    learning.py   `learning_curve`: all jobs, on any executor
    reach.py      samples needed for an accuracy
    limits.py     small experiments in which sharing does not help, or harms
"""

from .curve import LearningCurve
from .dsd import dsd_alignment, measured_dsd_alignment
from .jobs import Job, Recipe
from .learning import JobError, learning_curve
from .limits import dots_margin, location_labels, padding_leak, shuffled_pixels
from .networks import SmallNetwork
from .reach import Needed, images_needed, samples_to_reach
from .risk import Measured, Risk, measured_ols_risk, ols_risk, risk_table

__all__ = [
    "Job", "JobError", "LearningCurve", "Measured", "Needed", "Recipe", "Risk", "SmallNetwork",
    "dots_margin", "dsd_alignment", "images_needed", "learning_curve",
    "location_labels", "measured_dsd_alignment", "measured_ols_risk", "ols_risk", "padding_leak",
    "risk_table", "samples_to_reach", "shuffled_pixels",
]
