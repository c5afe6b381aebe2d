"""The flow, in this order. `scan` comes before: it looks at the world and so runs every time."""

from pipeline.stage import Stage
from pipeline.stages.cluster import CLUSTER
from pipeline.stages.duplicates import DUPLICATES
from pipeline.stages.embed import EMBED
from pipeline.stages.findings import FINDINGS
from pipeline.stages.match import MATCH
from pipeline.stages.mislabels import MISLABELS
from pipeline.stages.outliers import OUTLIERS
from pipeline.stages.pairs import PAIRS
from pipeline.stages.report import REPORT
from pipeline.stages.search import SEARCH
from pipeline.stages.tree import REACH, TREE
from pipeline.stages.verify import VERIFY

FLOW: list[Stage] = [
    EMBED,
    SEARCH,
    CLUSTER,
    PAIRS,
    REACH,
    TREE,
    MATCH,
    VERIFY,
    DUPLICATES,
    OUTLIERS,
    MISLABELS,
    FINDINGS,
    REPORT,
]
