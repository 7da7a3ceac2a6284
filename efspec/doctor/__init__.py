"""What efspec needs around it: which packages are there, what they are for, what goes wrong."""

from efspec.doctor.examination import Check, Report, examine, steps
from efspec.doctor.packages import PACKAGES, Package
from efspec.doctor.problems import PROBLEMS, Problem

__all__ = ["PACKAGES", "PROBLEMS", "Check", "Package", "Problem", "Report", "examine", "steps"]
