"""The networks that are trained and tested alike, and what they give."""

from __future__ import annotations

from attcell.nn.branch_network import BranchesOutput, BranchNetwork
from attcell.nn.fusion import LateFusion, LateOutput
from attcell.nn.stan import STAN, STANOutput
from attcell.nn.svm import SVMNetwork, SVMOutput
from attcell.nn.tan import TAN, TANOutput

Network = STAN | LateFusion | TAN | BranchNetwork | SVMNetwork
Output = STANOutput | LateOutput | TANOutput | BranchesOutput | SVMOutput
