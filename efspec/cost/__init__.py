"""What a network costs, exactly and without torch: parameters, MACs, memory, latency, MES."""

from efspec.cost.counts import KINDS, Counts, count_module, kind_of
from efspec.cost.latency import BlockLatency, Latency, LatencySource, Timing, given
from efspec.cost.memory import bytes_of, peak_elements
from efspec.cost.mes import Mes, Term
from efspec.cost.report import Row, Score, Summary, score

__all__ = [
    "KINDS",
    "BlockLatency",
    "Counts",
    "Latency",
    "LatencySource",
    "Mes",
    "Row",
    "Score",
    "Summary",
    "Term",
    "Timing",
    "bytes_of",
    "count_module",
    "given",
    "kind_of",
    "peak_elements",
    "score",
]
