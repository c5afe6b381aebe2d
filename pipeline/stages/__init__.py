"""The flow, in this order. `scan` comes before: it looks at the world and so runs every time."""

from pixsieve.runtime.stage import Stage
from pixsieve.stages.cluster import CLUSTER
from pixsieve.stages.duplicates import DUPLICATES
from pixsieve.stages.embed import EMBED
from pixsieve.stages.findings import FINDINGS
from pixsieve.stages.fit import FIT
from pixsieve.stages.labels import LABELS
from pixsieve.stages.lookalikes import LOOKALIKES
from pixsieve.stages.match import MATCH
from pixsieve.stages.mislabels import MISLABELS
from pixsieve.stages.normalise import NORMALISE
from pixsieve.stages.outliers import OUTLIERS
from pixsieve.stages.pairs import PAIRS
from pixsieve.stages.reach import REACH
from pixsieve.stages.report import REPORT
from pixsieve.stages.search import SEARCH
from pixsieve.stages.tree import TREE
from pixsieve.stages.verify import VERIFY

FLOW: list[Stage] = [
    EMBED,
    FIT,
    NORMALISE,
    LABELS,
    SEARCH,
    CLUSTER,
    PAIRS,
    REACH,
    TREE,
    MATCH,
    VERIFY,
    DUPLICATES,
    LOOKALIKES,
    OUTLIERS,
    MISLABELS,
    FINDINGS,
    REPORT,
]
